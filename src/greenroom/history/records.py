"""The plain values of the history store: what callers hand in and get back, and the limits on them."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from msgspec import Struct

from greenroom.history.errors import HistoryError

__all__ = [
    "MAX_CONTENT",
    "MAX_ID",
    "MAX_MESSAGES",
    "PREVIEW",
    "ROLES",
    "Append",
    "Delete",
    "HistoryPage",
    "HistoryStatistics",
    "HistorySummary",
    "Role",
    "StoredMessage",
    "local_iso",
    "micros",
    "new_history_uid",
    "place_of",
    "read_place",
]

Role = Literal["human", "ai", "system"]
ROLES: frozenset[str] = frozenset(get_args(Role))

MAX_ID = 255
"""Longest `conf_uid` and `history_uid`, in characters."""
MAX_CONTENT = 1_000_000
"""Longest message, in characters."""
MAX_MESSAGES = 100_000
"""Most messages one call returns."""
PREVIEW = 500
"""Characters of the latest message that a list shows."""

_LAST_MOMENT = 253_402_128_000_000_000
"""Two days before the year 10000 in microseconds: later ones have no local time in every zone."""


class Append(Struct, frozen=True, gc=False):
    """One message to store. `at` is in microseconds since 1970 (UTC)."""

    conf_uid: str
    uid: str
    role: Role
    at: int
    content: str
    name: str | None
    avatar: str | None


class Delete(Struct, frozen=True, gc=False):
    """One history to delete with its messages."""

    conf_uid: str
    uid: str


class StoredMessage(Struct, frozen=True, gc=False):
    """One message. `timestamp` is local time, ISO 8601 to the second, without a zone."""

    role: Role
    timestamp: str
    content: str
    name: str | None = None
    avatar: str | None = None


class HistorySummary(Struct, frozen=True, gc=False):
    """One history in a list. `latest` shows at most `PREVIEW` characters; times are as in `StoredMessage`.

    `updated` is the time of the newest message, which places the history in the list; `latest` is the message
    that was stored last. They differ only where messages were stored out of order.
    """

    uid: str
    created: str
    updated: str
    latest: StoredMessage


class HistoryPage(Struct, frozen=True, gc=False):
    """A part of a character's list, newest first. `next` is the `before` of the following page, or None."""

    entries: tuple[HistorySummary, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class HistoryStatistics:
    """What a store has done and holds, counted since it was opened."""

    waiting: int
    """Messages and deletions accepted and not yet settled."""
    waiting_reads: int
    batches: int
    """Transactions committed."""
    rows: int
    """Messages written."""
    largest_batch: int
    """Most messages and deletions committed by one transaction."""
    failures: int
    """Messages and deletions that could not be written."""
    unheard: int
    """Results nobody waited for any more: the caller was cancelled or its loop is closed."""
    threads: int
    """Threads alive now."""


def new_history_uid(now: datetime) -> str:
    """Return a new name for a history, as Open-LLM-VTuber shapes it: date, time, 32 random hex digits."""
    return f"{now:%Y-%m-%d_%H-%M-%S}_{secrets.token_hex(16)}"


def micros(moment: datetime) -> int:
    """Return microseconds since 1970 (UTC). A moment without a zone is local time.

    Raises:
        ValueError: it lies before 1970 or after the year 9999.
    """
    try:
        value = round(moment.timestamp() * 1_000_000)
    except (ValueError, OverflowError, OSError):  # beyond what the system's clock functions know
        value = -1
    if not 0 <= value <= _LAST_MOMENT:
        raise ValueError(f"created must lie between 1970 and the year 9999, not at {moment.isoformat()}")
    return value


def local_iso(value: int) -> str:
    """Return microseconds since 1970 as local time, ISO 8601 to the second, without a zone."""
    return datetime.fromtimestamp(value // 1_000_000).isoformat()


_PLACE = re.compile(r"([0-9a-f]{1,15})\.([0-9a-f]{1,15})")


def place_of(updated: int, row: int) -> str:
    """Return the cursor that stands behind this history: a place in the order, not a count of rows."""
    return f"{updated:x}.{row:x}"


def read_place(cursor: str) -> tuple[int, int]:
    """Return what `place_of` wrote down.

    Raises:
        HistoryError: the text was not made by `place_of`.
    """
    match = _PLACE.fullmatch(cursor)
    if match is None:
        raise HistoryError(f"before: {cursor[:40]!r} is not the `next` of an earlier page", "cursor")
    return int(match[1], 16), int(match[2], 16)
