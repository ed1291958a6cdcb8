"""Finds background tasks without an owner, and their relatives, in other people's asyncio code.

>>> from greenroom.tasks.audit import audit_text
>>> [f.rule for f in audit_text("app.py", "import asyncio\\nasync def f():\\n asyncio.create_task(g())\\n")]
['GA001']

Reads the code (never imports or runs it); standard library only. On the command line:
`python -m greenroom.tasks.audit PATH…`. The rules are explained in docs/audit.md.
"""

from greenroom.tasks.audit.audit import ALL_RULES, Result, audit_file, audit_paths, audit_text
from greenroom.tasks.audit.command import main
from greenroom.tasks.audit.findings import RULES, Finding, Rule, Severity

__all__ = [
    "ALL_RULES",
    "RULES",
    "Finding",
    "Result",
    "Rule",
    "Severity",
    "audit_file",
    "audit_paths",
    "audit_text",
    "main",
]
