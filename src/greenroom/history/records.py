"""The plain values of the history store: what callers hand in and get back, and the limits on them."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from msgspec import Struct

from greenroom.history.errors import HistoryError
from greenroom.history.layout import Breaks

__all__ = [
    "MAX_CONTENT",
    "MAX_ID",
    "MAX_MESSAGES",
    "MAX_TITLE",
    "OPENING",
    "PREVIEW",
    "ROLES",
    "Append",
    "Change",
    "Delete",
    "Discard",
    "HistoryPage",
    "HistoryStatistics",
    "HistorySummary",
    "Purge",
    "Rename",
    "Restore",
    "Role",
    "SearchPage",
    "StoredMessage",
    "local_iso",
    "micros",
    "new_history_uid",
    "place_of",
    "read_place",
    "words_of",
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
OPENING = 200
"""Characters of the first thing the visitor said that a list shows."""
MAX_TITLE = 200
"""Longest title, in characters."""

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
    breaks: str | None = None


class Delete(Struct, frozen=True, gc=False):
    """One history to delete with its messages."""

    conf_uid: str
    uid: str


class Discard(Struct, frozen=True, gc=False):
    """One history to hide, and to delete at `until` (microseconds since 1970) if nobody brings it back."""

    conf_uid: str
    uid: str
    until: int


class Restore(Struct, frozen=True, gc=False):
    """One discarded history to bring back."""

    conf_uid: str
    uid: str


class Rename(Struct, frozen=True, gc=False):
    """A title for one history; None takes its title away."""

    conf_uid: str
    uid: str
    title: str | None


class Purge(Struct, frozen=True, gc=False):
    """The discarded histories whose time is up at `now` (microseconds since 1970), `most` of them at most."""

    now: int
    most: int


Change = Append | Delete | Discard | Restore | Rename | Purge
"""Whatever the writing thread does."""


class StoredMessage(Struct, frozen=True, gc=False):
    """One message. `timestamp` is local time, ISO 8601 to the second, without a zone.

    `breaks`: the white space between its sentences, None where that is not known.
    """

    role: Role
    timestamp: str
    content: str
    name: str | None = None
    avatar: str | None = None
    breaks: Breaks | None = None


class HistorySummary(Struct, frozen=True, gc=False):
    """One history in a list. `latest` shows at most `PREVIEW` characters; times are as in `StoredMessage`.

    `updated` is the time of the newest message, which places the history in the list; `latest` is the message
    that was stored last. They differ only where messages were stored out of order. `opening` is the beginning
    of the first thing the visitor said. `deleted_until` (microseconds since 1970) is set on a discarded one, and
    `found` on what a search brought: the message with the words, cut to their neighbourhood.
    """

    uid: str
    created: str
    updated: str
    latest: StoredMessage
    title: str | None = None
    opening: str | None = None
    deleted_until: int | None = None
    found: StoredMessage | None = None


class HistoryPage(Struct, frozen=True, gc=False):
    """A part of a character's list, newest first. `next` is the `before` of the following page, or None."""

    entries: tuple[HistorySummary, ...]
    next: str | None


class SearchPage(Struct, frozen=True, gc=False):
    """What a search found, newest first. `next` is the `before` with which it goes on, or None at the end.

    There may be few entries, or none, and still a `next`: a search looks at a bounded number of histories.
    """

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


MAX_WORDS = 8


def words_of(query: str) -> tuple[str, ...]:
    """Return the words of a search without repetitions, `MAX_WORDS` at most."""
    return tuple(dict.fromkeys(query.split()))[:MAX_WORDS]


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
