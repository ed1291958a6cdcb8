"""Measure the audit's false alarms on released packages.

Downloads each package with pip (no dependencies, nothing is imported or run), audits it, and holds
every error and warning against the labels read by hand in tests/tasks/audit/labels.json.

    python scripts/audit_packages.py                    # all labelled packages, at the labelled version
    python scripts/audit_packages.py aiohttp websockets # only these
    python scripts/audit_packages.py --latest some-package

Prints the counts per rule and what is not labelled. Exit code 0 when every labelled finding is as
labelled, 1 when findings came or went, 2 when a package could not be had.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from greenroom.tasks.audit import Finding, Severity, audit_paths  # noqa: E402

LABELS = ROOT / "tests" / "tasks" / "audit" / "labels.json"
Key = tuple[str, int, str]


def fetch(name: str, version: str | None, folder: Path) -> bool:
    """Install the package's files into `folder`; False when pip cannot."""
    wanted = f"{name}=={version}" if version else name
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile"]
    done = subprocess.run([*pip, "--disable-pip-version-check", "--target", str(folder), wanted], check=False)
    return done.returncode == 0


def measure(folder: Path) -> dict[Key, Finding]:
    """Errors and warnings in the package, by file (relative), line and rule; unreadable files left out."""
    found: dict[Key, Finding] = {}
    for item in audit_paths([folder], jobs=None).findings:
        if item.severity >= Severity.WARNING and item.rule != "GA000":
            found[(Path(item.path).relative_to(folder).as_posix(), item.line, item.rule)] = item
    return found


def main() -> int:
    """Audit the packages and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("names", nargs="*", help="packages (default: all labelled ones)")
    parser.add_argument("--latest", action="store_true", help="the newest release, not the labelled one")
    args = parser.parse_args()
    known: dict[str, Any] = json.loads(LABELS.read_text(encoding="utf-8"))["packages"]
    right: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    unknown: list[str] = []
    gone: list[str] = []
    missing: list[str] = []
    for name in args.names or known:
        entry = known.get(name, {"version": None, "findings": []})
        version = None if args.latest else entry["version"]
        with tempfile.TemporaryDirectory() as folder:
            if not fetch(name, version, Path(folder)):
                missing.append(name)
                continue
            found = measure(Path(folder))
        labels = {(path, line, rule): verdict for path, line, rule, verdict, _ in entry["findings"]}
        for key, item in found.items():
            if key in labels:
                (right if labels[key] else wrong)[item.rule] += 1
            else:
                unknown.append(f"{name} {key[0]}:{key[1]} {item.rule} {item.message}")
        gone += [f"{name} {path}:{line} {rule}" for path, line, rule in labels.keys() - found.keys()]
        print(f"{name} {version or 'latest'}: {len(found)} errors and warnings", flush=True)
    _table(right, wrong)
    for title, lines in (("not labelled", unknown), ("labelled, not found", gone), ("not had", missing)):
        for line in lines:
            print(f"{title}: {line}")
    if missing:
        return 2
    return 1 if unknown or gone else 0


def _table(right: Counter[str], wrong: Counter[str]) -> None:
    print("\nrule    right  wrong  false alarms")
    for rule in sorted(right | wrong):
        total = right[rule] + wrong[rule]
        print(f"{rule}  {right[rule]:6} {wrong[rule]:6}  {wrong[rule] / total:6.1%}")
    total = right.total() + wrong.total()
    if total:
        print(f"all    {right.total():6} {wrong.total():6}  {wrong.total() / total:6.1%}")


if __name__ == "__main__":
    sys.exit(main())
