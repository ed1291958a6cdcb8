"""The command line: `greenroom audit PATH…` and `python -m greenroom.tasks.audit PATH…`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from greenroom.tasks.audit.audit import ALL_RULES, audit_paths
from greenroom.tasks.audit.findings import RULES, Severity
from greenroom.tasks.audit.report import as_json, as_sarif, as_text, without_baseline, write_baseline

_EPILOG = """\
examples:
  greenroom audit src/                                    errors and warnings, as text
  greenroom audit src/ tests/conftest.py --min-severity info
  greenroom audit src/ --select GA001,GA004 --exclude 'src/vendor/*'
  greenroom audit src/ --format sarif > audit.sarif       for code hosts and editors
  greenroom audit src/ --write-baseline audit.json        then, in CI: --baseline audit.json

Silence a finding with `# greenroom: ignore[GA003] reason` on its line or the line above.
Exit codes: 0 nothing found, 1 findings, 2 a wrong call or a file that could not be read.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the audit; print to stdout, problems with the call to stderr.

    Returns:
        0 when nothing reaches --min-severity, 1 with findings, 2 when the call is wrong or a file
        could not be read or parsed (then the audit is incomplete; leave the file out to accept it).
    """
    parser = _parser()
    try:
        args = parser.parse_args(argv)
    except SystemExit as stop:  # argparse prints and exits; a caller in the same process wants a number
        return stop.code if isinstance(stop.code, int) else 2
    if args.list_rules:
        for rule in RULES.values():
            print(f"{rule.id}  {rule.severity.label:7}  {rule.name}: {rule.harm}")
        return 0
    try:
        if not args.paths:
            raise ValueError("give at least one file or folder")
        rules = _rules(args.select, args.ignore)
        least = Severity.parse(args.min_severity)
        result = audit_paths(args.paths, rules=rules, exclude=args.exclude, jobs=args.jobs)
        findings = [item for item in result.findings if item.severity >= least]
        hidden = len(result.findings) - len(findings)
        if args.write_baseline:
            write_baseline(Path(args.write_baseline), findings)
            print(f"{len(findings)} findings written to {args.write_baseline}")
            return 0
        if args.baseline:
            findings = without_baseline(Path(args.baseline), findings)
    except (ValueError, OSError) as error:
        print(f"greenroom audit: {error}", file=sys.stderr)
        return 2
    if args.format == "json":
        text = as_json(findings, result.files)
    elif args.format == "sarif":
        text = as_sarif(findings)
    else:
        text = as_text(findings, result.files, hidden)
    _write(text)
    if any(item.rule == "GA000" for item in findings):
        return 2
    return 1 if findings else 0


def _write(text: str) -> None:
    """Print, replacing what the terminal's encoding cannot show."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="greenroom audit",
        description="Find background tasks without an owner, and their relatives, in asyncio code.\n"
        "Reads the code; never imports or runs it.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("paths", nargs="*", metavar="PATH", help="files or folders")
    parser.add_argument("--format", choices=("text", "json", "sarif"), default="text")
    parser.add_argument("--select", default="", metavar="IDS", help="only these rules, e.g. GA001,GA004")
    parser.add_argument("--ignore", default="", metavar="IDS", help="without these rules")
    parser.add_argument(
        "--min-severity", default="warning", metavar="LEVEL", help="error, warning (default) or info"
    )
    parser.add_argument(
        "--exclude",
        action="append",
        default=[],
        metavar="GLOB",
        help="leave out files or folders; repeatable",
    )
    parser.add_argument("--baseline", metavar="FILE", help="report only what this file does not know")
    parser.add_argument("--write-baseline", metavar="FILE", help="remember today's findings in this file")
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="processes (default: one a core for large trees)"
    )
    parser.add_argument("--list-rules", action="store_true", help="print the rules and exit")
    return parser


def _rules(select: str, ignore: str) -> frozenset[str]:
    chosen = _ids(select) if select.strip() else ALL_RULES
    return (chosen | {"GA000"}) - _ids(ignore)


def _ids(text: str) -> frozenset[str]:
    by_name = {rule.name: rule.id for rule in RULES.values()}
    found: set[str] = set()
    for item in filter(None, (part.strip() for part in text.split(","))):
        known = by_name.get(item.lower(), item.upper())
        if known not in RULES:
            raise ValueError(f"unknown rule {item!r}: --list-rules prints them all")
        found.add(known)
    return frozenset(found)
