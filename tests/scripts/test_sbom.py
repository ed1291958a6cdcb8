"""The bill of materials says what the lock files say, no more and no less."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import sbom

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """The document as a release gets it."""
    out = tmp_path_factory.mktemp("sbom") / "dist" / "greenroom.cdx.json"
    subprocess.run([sys.executable, str(ROOT / "scripts" / "sbom.py"), "--out", str(out)], check=True)
    return json.loads(out.read_text(encoding="utf-8"))


def by_kind(document: dict[str, object], kind: str) -> dict[str, dict[str, object]]:
    components = document["components"]
    assert isinstance(components, list)
    return {c["name"]: c for c in components if c["purl"].startswith(f"pkg:{kind}/")}


def test_its_python_packages_are_the_locked_ones(document: dict[str, object]) -> None:
    """Names, versions and hashes, read from the lock file in another way than the script does."""
    text = (ROOT / "requirements" / "run.txt").read_text(encoding="utf-8")
    locked = dict(re.findall(r"^([\w.-]+)==([^\s;\\]+)", text, re.MULTILINE))
    found = by_kind(document, "pypi")
    assert len(locked) > 20
    assert {name: c["version"] for name, c in found.items()} == {n.lower(): v for n, v in locked.items()}
    listed = json.dumps(document)
    digests = re.findall(r"sha256:([0-9a-f]{64})", text)
    assert len(digests) > 50
    assert all(digest in listed for digest in digests)
    for name, component in found.items():
        (reference,) = component["externalReferences"]  # type: ignore[misc, attr-defined]
        assert reference["hashes"], name


def test_what_is_built_into_the_page_is_listed(document: dict[str, object]) -> None:
    """The npm packages the page depends on, not the tools that build it."""
    wanted = json.loads((ROOT / "web" / "package.json").read_text(encoding="utf-8"))
    found = by_kind(document, "npm")
    assert set(wanted["dependencies"]) <= set(found)
    assert not set(wanted["devDependencies"]) & set(found)


def test_the_same_lock_gives_the_same_document(document: dict[str, object]) -> None:
    """No time and no chance in it."""
    printed = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "sbom.py")], check=True, capture_output=True, text=True
    )
    assert json.loads(printed.stdout) == document


def test_it_has_what_the_format_asks_for(document: dict[str, object]) -> None:
    """Format, version, a serial number of the right form, and references that lead somewhere."""
    assert (document["bomFormat"], document["specVersion"], document["version"]) == ("CycloneDX", "1.5", 1)
    assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", str(document["serialNumber"]))
    components = document["components"]
    assert isinstance(components, list)
    refs = [component["bom-ref"] for component in components]
    assert len(set(refs)) == len(refs)
    (dependency,) = document["dependencies"]  # type: ignore[misc]
    assert sorted(dependency["dependsOn"]) == sorted(refs)  # type: ignore[index]


@pytest.mark.parametrize("line", ["requests>=2", "git+https://example.org/x", "    --hash=md5:abc"])
def test_a_line_that_pins_nothing_is_an_error(line: str) -> None:
    """What is not locked must not be missing from the list without a word."""
    with pytest.raises(sbom.LockError, match="line 2"):
        sbom.read_lock(f"a==1 \\\n{line}\n")


def test_markers_are_kept() -> None:
    """A package for some systems only is optional, and says for which."""
    (package,) = sbom.read_lock(f"uvloop==1 ; sys_platform != 'win32' \\\n    --hash=sha256:{'0' * 64}\n")
    assert package.marker == "sys_platform != 'win32'"
    assert sbom.component(package)["scope"] == "optional"
