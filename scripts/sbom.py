"""Write the software bill of materials of a release: CycloneDX 1.5 as JSON, made from the lock files.

    python scripts/sbom.py                  # to standard output
    python scripts/sbom.py --out FILE       # what `make sbom` does

It lists what a user gets: the packages of `requirements/run.txt`, with the hashes that are locked, and the npm
packages that the built page holds. Standard library only, no network: the lock files are the whole truth. The same
lock files give the same bytes.
"""

from __future__ import annotations

import argparse
import ast
import base64
import json
import re
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements" / "run.txt"
PAGE_LOCK = ROOT / "web" / "package-lock.json"
PINNED = re.compile(
    r"^(?P<name>[A-Za-z0-9][\w.-]*)==(?P<version>[^\s;\\]+)\s*(?:;\s*(?P<marker>[^\\]+?))?\s*\\?$"
)
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


class LockError(ValueError):
    """A lock file is not as expected; the text says where."""


@dataclass
class Package:
    """One locked package."""

    kind: str
    """`pypi` or `npm`."""
    name: str
    version: str
    marker: str = ""
    """On which systems it is installed; empty for all."""
    licence: str = ""
    hashes: list[tuple[str, str]] = field(default_factory=list)
    """Of each file that may be installed: algorithm and hexadecimal digest."""

    @property
    def purl(self) -> str:
        return f"pkg:{self.kind}/{self.name.replace('@', '%40')}@{self.version}"


def read_lock(text: str) -> list[Package]:
    """The packages of a requirements file with hashes. Raises LockError for a line that pins nothing."""
    found: list[Package] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.strip()
        if not words or (words.startswith(("#", "-")) and not words.startswith("--hash")):
            continue
        if words.startswith("--hash"):
            digest = HASH.match(words)
            if digest is None or not found:
                raise LockError(f"line {number}: not a hash of a package: {words}")
            found[-1].hashes.append(("SHA-256", digest[1]))
            continue
        pinned = PINNED.match(words)
        if pinned is None:
            raise LockError(f"line {number}: not a pinned package: {words}")
        found.append(Package("pypi", pinned["name"].lower(), pinned["version"], pinned["marker"] or ""))
    return found


def read_page_lock(text: str) -> list[Package]:
    """The npm packages that become part of the built page. Raises LockError."""
    found: list[Package] = []
    for path, entry in json.loads(text)["packages"].items():
        if not path or entry.get("dev") or entry.get("devOptional"):
            continue
        name = path.rpartition("node_modules/")[2]
        algorithm, _, digest = entry.get("integrity", "").partition("-")
        if algorithm != "sha512":
            raise LockError(f"{path}: no SHA-512 in package-lock.json")
        package = Package("npm", name, entry["version"], licence=entry.get("license", ""))
        package.hashes.append(("SHA-512", base64.b64decode(digest).hex()))
        found.append(package)
    return found


def version() -> str:
    """The project's version, without importing it."""
    source = (ROOT / "src" / "greenroom" / "__init__.py").read_text(encoding="utf-8")
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__version__":
            return str(ast.literal_eval(node.value))
    raise LockError("src/greenroom/__init__.py has no __version__")


def component(package: Package) -> dict[str, Any]:
    """One entry of the document."""
    hashes = [{"alg": algorithm, "content": content} for algorithm, content in package.hashes]
    found: dict[str, Any] = {
        "type": "library",
        "bom-ref": package.purl,
        "name": package.name,
        "version": package.version,
        "scope": "required" if not package.marker else "optional",
        "purl": package.purl,
        # A package has several files, one of which is installed: so the hashes are of its distribution.
        "externalReferences": [{"type": "distribution", "url": package.purl, "hashes": hashes}],
    }
    if package.marker:
        found["properties"] = [{"name": "greenroom:marker", "value": package.marker}]
    if package.licence:
        found["licenses"] = [{"expression": package.licence}]
    return found


def document(packages: list[Package], own_version: str) -> dict[str, Any]:
    """The bill of materials."""
    purl = f"pkg:pypi/greenroom@{own_version}"
    components = [component(package) for package in sorted(packages, key=lambda package: package.purl)]
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps([purl, components], sort_keys=True))
    own = {"type": "application", "bom-ref": purl, "name": "greenroom", "version": own_version, "purl": purl}
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {"component": {**own, "licenses": [{"license": {"id": "MIT"}}]}},
        "components": components,
        "dependencies": [{"ref": purl, "dependsOn": [found["bom-ref"] for found in components]}],
    }


def main() -> int:
    """Write the document; 1 if a lock file cannot be read."""
    parser = argparse.ArgumentParser(description="Write the software bill of materials (CycloneDX JSON).")
    parser.add_argument("--out", type=Path, help="the file; standard output if left out")
    chosen = parser.parse_args()
    try:
        packages = read_lock(LOCK.read_text(encoding="utf-8")) + read_page_lock(
            PAGE_LOCK.read_text(encoding="utf-8")
        )
        text = json.dumps(document(packages, version()), indent=2) + "\n"
    except (OSError, LockError, KeyError) as error:
        print(f"sbom: {error}", file=sys.stderr)
        return 1
    if chosen.out is None:
        sys.stdout.write(text)
    else:
        chosen.out.parent.mkdir(parents=True, exist_ok=True)
        chosen.out.write_text(text, encoding="utf-8")
        print(f"sbom: {len(packages)} packages in {chosen.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
