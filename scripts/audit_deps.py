"""Ask a vulnerability service about the locked packages: `make audit-deps`.

Takes pip-audit (from the environment, else through uv) and the network: a service that is not reached, and a package
that it does not know, are failures, not silence. So this is a command of its own and no part of `make check`, which
needs no network. Exit code 0: nothing known; 1: something is; 2: it could not be asked.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("requirements/run.txt", "requirements/dev.txt")


def tool() -> list[str] | None:
    """How pip-audit is started here, if it can be."""
    if importlib.util.find_spec("pip_audit") is not None:
        return [sys.executable, "-m", "pip_audit"]
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    return [uv, "tool", "run", "pip-audit"] if uv else None


def judge(report: str) -> tuple[int, list[str]]:
    """Exit code and lines for what pip-audit printed as JSON."""
    try:
        packages: list[dict[str, Any]] = json.loads(report)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return 2, [
            "the service could not be asked (see above): is there a network, and a way through its proxy?"
        ]
    unknown = [f"{p['name']}: {p['skip_reason']}" for p in packages if "skip_reason" in p]
    found = [
        f"{p['name']} {p['version']}: {v['id']}, mended in {', '.join(v.get('fix_versions') or ['no version yet'])}"
        for p in packages
        for v in p.get("vulns", ())
    ]
    if found:
        return 1, found
    if unknown or not packages:
        return 2, [
            f"{len(unknown)} of {len(packages)} packages were not judged, so nothing is known:",
            *unknown[:5],
        ]
    return 0, [f"{len(packages)} packages, no known vulnerability"]


def main(locks: Sequence[str] = LOCKS) -> int:
    """Audit each lock file; the worst result counts."""
    command = tool()
    if command is None:
        print("audit: pip-audit is not here, nor uv to fetch it: pip install pip-audit", file=sys.stderr)
        return 2
    worst = 0
    for lock in locks:
        options = [
            "-r",
            lock,
            "--require-hashes",
            "--disable-pip",
            "--format",
            "json",
            "--progress-spinner",
            "off",
        ]
        done = subprocess.run([*command, *options], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
        code, lines = judge(done.stdout)
        worst = max(worst, code)
        for line in lines:
            print(f"audit: {lock}: {line}", file=sys.stderr if code else sys.stdout)
    return worst


if __name__ == "__main__":
    sys.exit(main())
