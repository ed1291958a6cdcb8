"""Logs: for people on a terminal, as JSON with `--log-json`; never a message's text or a secret at INFO."""

from __future__ import annotations

import atexit
import logging
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any

import structlog

from greenroom.server.security.redaction import ScrubbingFormatter
from greenroom.sessions.rate_limit import RateLimit

LIBRARIES = (
    "uvicorn",
    "uvicorn.error",
    "uvicorn.access",
    "httpx",
    "httpcore",
    "websockets",
    "alembic",
    "asyncio",
)


LINES_PER_SECOND, LINES_AT_ONCE = 5.0, 50
"""Warnings of the HTTP library, of which each stranger's nonsense makes one."""


class Sparing(logging.Filter):
    """Lets so many lines a second through, and all errors; the next one tells how many were left out."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._rate = RateLimit(LINES_PER_SECOND, LINES_AT_ONCE, clock())
        self._left_out = 0

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno >= logging.ERROR:
            return True
        if self._rate.take(self._clock()):
            self._rate.give_back()
            self._left_out += 1
            return False
        if self._left_out:
            record.msg = f"{record.msg} ({self._left_out} more warnings before)"
            self._left_out = 0
        return True


def printable(logger: Any, method: str, event: Any) -> Any:
    """Escape control characters in what is logged: strangers' paths and names must not steer a terminal."""
    for name, value in event.items():
        if isinstance(value, str) and not value.isprintable() and name not in ("exception", "stack"):
            event[name] = "".join(char if char.isprintable() else _escaped(char) for char in value)
    return event


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def give_up_the_rest() -> None:
    """Let go, at the end of the process, of what a full disk did not take: Python would exit with 120 for it."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with open(os.devnull, "wb") as nowhere, suppress(OSError, ValueError):
                os.dup2(nowhere.fileno(), stream.fileno())


def configure_logs(level: str, *, as_json: bool) -> None:
    """Send everything, also what libraries log, through one formatter to standard error."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso" if as_json else "%H:%M:%S", utc=as_json),
        structlog.processors.StackInfoRenderer(),
        *(() if as_json else (printable,)),  # JSON escapes them itself
    ]
    colors = sys.stderr.isatty()
    if as_json:
        renderer: list[Any] = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        renderer = [structlog.dev.ConsoleRenderer(colors=colors, pad_event_to=28)]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        ScrubbingFormatter(
            structlog.stdlib.ProcessorFormatter(
                foreign_pre_chain=shared,
                processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
            )
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    atexit.unregister(give_up_the_rest)
    atexit.register(give_up_the_rest)
    root.setLevel(level.upper())
    for name in LIBRARIES:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").filters[:] = [Sparing()]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
