"""Ask the OSV database about all locked packages, those of Python and those the page is built with.

    python scripts/audit_deps.py                  # `make audit-deps`
    python scripts/audit_deps.py --if-reachable   # what `make check` does

One request for all of them; names and versions go out, nothing else. Exit code 0: nothing known; 1: something is; 2: it
could not be asked. With `--if-reachable` a database that is not reached is one plain line and exit code 0, since no
check may need the network: that line is no good news, it is none.

A vulnerability that cannot be mended yet is accepted by `requirements/accepted.toml`, with a reason, until a date:

    [[accepted]]
    id = "GHSA-xxxx-xxxx-xxxx"
    reason = "only in a feature that we do not use"
    until = 2027-01-31

Standard library only, so that what judges the packages is none of them.
"""

from __future__ import annotations

import argparse
import json
import sys
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from sbom import LockError, Package, read_lock

ROOT = Path(__file__).resolve().parent.parent
LOCKS = tuple(f"requirements/{name}.txt" for name in ("run", "dev", "bootstrap", "node"))
PAGE_LOCK = "web/package-lock.json"
ACCEPTED = "requirements/accepted.toml"
SERVICE = "https://api.osv.dev"
BATCH = 500
"""Packages asked about at once; the service takes 1000."""
SECONDS = 8.0
MOST_DETAILS = 50
MAX_ANSWER = 16 * 1024 * 1024

Ask = Callable[[str, Any], Any]
"""Path and body (None: GET) to the decoded answer; raises `NotAsked`."""


class NotAsked(Exception):
    """The database was not reached, or its answer is none."""


@dataclass(frozen=True, slots=True)
class Found:
    """A known vulnerability of a locked package."""

    package: Package
    id: str
    summary: str = ""
    mended: tuple[str, ...] = ()

    def __str__(self) -> str:
        mended = f"mended in {', '.join(self.mended)}" if self.mended else "no mended version known"
        about = f": {self.summary}" if self.summary else ""
        return f"{self.package.name} {self.package.version}: {self.id} ({mended}){about}"


def over_http(service: str) -> Ask:
    """Asks the real database, through the proxy the environment names."""

    def ask(path: str, body: Any) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(service + path, data, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as answer:
                return json.loads(answer.read(MAX_ANSWER))
        except urllib.error.HTTPError as error:
            raise NotAsked(f"{service} says {error.code} {error.reason}") from error
        except (OSError, ValueError) as error:  # URLError is an OSError, whatever is no JSON a ValueError
            raise NotAsked(f"{service}: {getattr(error, 'reason', error)}") from error

    return ask


def locked(root: Path = ROOT) -> list[Package]:
    """Every package of every lock file, once. Raises LockError, OSError."""
    found: dict[str, Package] = {}
    for lock in LOCKS:
        for package in read_lock((root / lock).read_text(encoding="utf-8")):
            found.setdefault(package.purl, package)
    # Those that only build the page too: they run on the machines of whoever works on it.
    for path, entry in json.loads((root / PAGE_LOCK).read_text(encoding="utf-8"))["packages"].items():
        if path and "version" in entry:
            package = Package("npm", path.rpartition("node_modules/")[2], entry["version"])
            found.setdefault(package.purl, package)
    return list(found.values())


def known(packages: Sequence[Package], ask: Ask) -> list[tuple[Package, str]]:
    """What the database knows of them: package and id. Raises `NotAsked` unless every one of them was judged."""
    found: list[tuple[Package, str]] = []
    for start in range(0, len(packages), BATCH):
        some = packages[start : start + BATCH]
        answer = ask("/v1/querybatch", {"queries": [{"package": {"purl": one.purl}} for one in some]})
        results = answer.get("results") if isinstance(answer, dict) else None
        if not isinstance(results, list) or len(results) != len(some):
            raise NotAsked("the answer is not one for each package")
        for package, result in zip(some, results, strict=True):
            if not isinstance(result, dict):
                raise NotAsked(f"the answer about {package.name} is none")
            vulns = result.get("vulns", [])
            if result.get("next_page_token") and not vulns:
                raise NotAsked(f"the answer about {package.name} is not whole")
            if not isinstance(vulns, list) or not all(isinstance(v, dict) and v.get("id") for v in vulns):
                raise NotAsked(f"the answer about {package.name} is none")
            found += [(package, str(vuln["id"])) for vuln in vulns]
    return found


def described(package: Package, name: str, ask: Ask) -> Found:
    """What the vulnerability is, and in which versions it is mended; without that if the database does not say."""
    mended: dict[str, None] = {}
    try:
        whole = ask(f"/v1/vulns/{name}", None)
        for affected in whole.get("affected", ()):
            if affected.get("package", {}).get("name", "").lower() == package.name.lower():
                for part in affected.get("ranges", ()):
                    if part.get("type") != "GIT":
                        mended.update({event["fixed"]: None for event in part["events"] if "fixed" in event})
        return Found(package, name, str(whole.get("summary", ""))[:120], tuple(mended))
    except (NotAsked, AttributeError, KeyError, TypeError):
        return Found(package, name)


def accepted(text: str, today: date) -> tuple[set[str], list[str]]:
    """Ids that count for nothing today, and what is wrong with the file. Raises `tomllib.TOMLDecodeError`."""
    ids: set[str] = set()
    wrong: list[str] = []
    for entry in tomllib.loads(text).get("accepted", []):
        name, reason, until = entry.get("id"), entry.get("reason"), entry.get("until")
        if not name or not reason or not isinstance(until, date):
            wrong.append(
                f"{ACCEPTED}: {name or 'an entry without id'} needs id, reason and until = YYYY-MM-DD"
            )
        elif until < today:
            wrong.append(f"{ACCEPTED}: {name} was accepted until {until}; look at it again")
        else:
            ids.add(name)
    return ids, wrong


def audit(packages: Sequence[Package], ids: Iterable[str], ask: Ask) -> tuple[int, list[str]]:
    """Exit code and lines. Silence is no good news: whatever was not judged is 2."""
    try:
        found = known(packages, ask)
    except NotAsked as error:
        return 2, [f"NOT MADE, so nothing is known about {len(packages)} packages: {error}"]
    skipped = set(ids)
    open_ = [(package, name) for package, name in found if name not in skipped]
    if not open_:
        kept = f", {len(found)} accepted in {ACCEPTED}" if found else ""
        return 0, [f"{len(packages)} packages, no known vulnerability{kept}"]
    lines = [str(described(package, name, ask)) for package, name in open_[:MOST_DETAILS]]
    lines += [str(Found(package, name)) for package, name in open_[MOST_DETAILS:]]
    return 1, [*lines, f"{len(open_)} known vulnerabilities: {SERVICE.replace('api.', '')}/ID says more"]


def main(
    arguments: Sequence[str] | None = None,
    *,
    root: Path = ROOT,
    today: date | None = None,
) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(description="Ask the OSV database about all locked packages.")
    parser.add_argument(
        "--if-reachable", action="store_true", help="no failure where the database is not reached"
    )
    parser.add_argument(
        "--service", default=SERVICE, metavar="URL", help="another server of the same interface"
    )
    chosen = parser.parse_args(arguments)
    file = root / ACCEPTED
    try:
        text = file.read_text(encoding="utf-8") if file.is_file() else ""
        ids, wrong = accepted(text, today or date.today())
        packages = locked(root)
    except (OSError, ValueError, KeyError, LockError) as error:
        print(f"audit: {error}", file=sys.stderr)
        return 1
    code, lines = audit(packages, ids, over_http(chosen.service.rstrip("/")))
    for line in [*wrong, *lines]:
        print(f"audit: {line}", file=sys.stderr if code or wrong else sys.stdout)
    if code == 2 and chosen.if_reachable:
        code = 0
    return 1 if wrong else code


if __name__ == "__main__":
    sys.exit(main())
