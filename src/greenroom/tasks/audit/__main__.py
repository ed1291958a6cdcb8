"""Lets `python -m greenroom.tasks.audit PATH…` run the audit."""

from __future__ import annotations

import sys

from greenroom.tasks.audit.command import main

if __name__ == "__main__":
    sys.exit(main())
