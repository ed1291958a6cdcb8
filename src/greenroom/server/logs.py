"""Logs: for people on a terminal, as JSON with `--log-json`; never a message's text or a secret at INFO."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

from greenroom.server.security.redaction import ScrubbingFormatter

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


def printable(logger: Any, method: str, event: Any) -> Any:
    """Escape control characters in what is logged: strangers' paths and names must not steer a terminal."""
    for name, value in event.items():
        if isinstance(value, str) and not value.isprintable() and name not in ("exception", "stack"):
            event[name] = "".join(char if char.isprintable() else _escaped(char) for char in value)
    return event


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def configure_logs(level: str, *, as_json: bool) -> None:
    """Send everything, also what libraries log, through one formatter to standard error."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso" if as_json else "%H:%M:%S", utc=as_json),
        structlog.processors.StackInfoRenderer(),
        printable,
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
    root.setLevel(level.upper())
    for name in LIBRARIES:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.WARNING)
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
