"""Search in what was said: without an index of words, and so bounded by time.

Words are looked for as parts of what was said, which is right for Chinese and Japanese too, where nothing ends
a word, and the same in every database. All of them must be in one message, or in the title. Newer histories
come first, a few at a time, of each no more lines than opening it shows, and when the time is up the answer says
from where another call goes on. So a search is soon over, however much is stored.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Executable, func, or_, select, tuple_

from greenroom.history.records import HistorySummary, SearchPage, StoredMessage, local_iso, place_of
from greenroom.history.schema import histories, messages

__all__ = ["AT_ONCE", "LINES", "SECONDS", "search", "snippet", "summary", "summary_columns"]

AT_ONCE = 20
"""Histories gone through between two looks at the clock."""
LINES = 2000
"""Of each history its newest ones are looked at: as many as opening it shows."""
SECONDS = 0.1
"""How long one search may take before it answers with what it has."""
SNIPPET = 160
"""Characters of a message that show where the words were found."""
BEFORE = 40
"""Of them, before the first word."""

_h, _m = histories.c, messages.c
_SUMMARY = (
    _h.id,
    _h.uid,
    _h.created,
    _h.updated,
    _h.latest_role,
    _h.latest_at,
    _h.latest_preview,
    _h.latest_name,
    _h.latest_avatar,
    _h.title,
    _h.opening,
    _h.deleted_until,
)
Run = Callable[[Executable], Sequence[Any]]


def summary(row: Any, found: StoredMessage | None = None) -> HistorySummary:
    """A history as lists show it, from the columns of `summary_columns`."""
    _, uid, created, updated, role, at, preview, name, avatar, title, opening, deleted_until = row
    latest = StoredMessage(role, local_iso(at), preview, name, avatar)
    return HistorySummary(
        uid, local_iso(created), local_iso(updated), latest, title, opening, deleted_until, found
    )


def summary_columns() -> tuple[Any, ...]:
    """What a list needs of each history; first its number, and fourth the time that places it."""
    return _SUMMARY


def search(
    run: Run,
    conf_uid: str,
    words: Sequence[str],
    before: tuple[int, int] | None,
    limit: int,
    *,
    seconds: float = SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> SearchPage:
    """Find up to `limit` histories, newest first, from a place on. `run` asks the database."""
    until = clock() + seconds
    found: list[HistorySummary] = []
    place = before
    while True:
        rows = run(_newest(conf_uid, place))
        hits = _hits(run, [row[0] for row in rows], words)
        for row in rows:
            place = (row[3], row[0])
            line = hits.get(row[0])
            if line is None and not _has_all(row[9] or "", words):
                continue
            found.append(summary(row, line))
            if len(found) == limit:
                return SearchPage(tuple(found), place_of(*place))
        if len(rows) < AT_ONCE:
            return SearchPage(tuple(found), None)
        if clock() >= until and place is not None:
            return SearchPage(tuple(found), place_of(*place))


def _newest(conf_uid: str, place: tuple[int, int] | None) -> Executable:
    question = select(*_SUMMARY).where(_h.conf_uid == conf_uid, _h.deleted_until.is_(None))
    if place is not None:
        question = question.where(tuple_(_h.updated, _h.id) < tuple_(*place))
    return question.order_by(_h.updated.desc(), _h.id.desc()).limit(AT_ONCE)


def _hits(run: Run, ids: Sequence[int], words: Sequence[str]) -> dict[int, StoredMessage]:
    """The newest message with all the words, of each of these histories that has one."""
    if not ids:
        return {}
    line, older = messages.alias(), messages.alias()
    behind = (
        select(older.c.id)
        .where(older.c.history_id == _h.id)
        .order_by(older.c.id.desc())
        .offset(LINES)
        .limit(1)
        .correlate(histories)
        .scalar_subquery()
    )
    newest = (
        select(line.c.id)
        .where(
            line.c.history_id == _h.id,
            line.c.id > func.coalesce(behind, 0),
            line.c.role != "system",
            *(_holds(line.c.content, word) for word in words),
        )
        .order_by(line.c.id.desc())
        .limit(1)
        .correlate(histories)
        .scalar_subquery()
    )
    question = (
        select(_m.history_id, _m.role, _m.created, _m.content, _m.name, _m.avatar)
        .join_from(histories, messages, _m.id == newest)
        .where(_h.id.in_(ids))
    )
    return {
        history: StoredMessage(role, local_iso(at), snippet(content, words), name, avatar)
        for history, role, at, content, name, avatar in run(question)
    }


def _holds(content: ColumnElement[str], word: str) -> ColumnElement[bool]:
    # Databases fold the case of A to Z only: the other usual spellings are asked for by name.
    spellings = dict.fromkeys((word, word.lower(), word.upper(), word.capitalize()))
    wanted = spellings if not word.isascii() else (word,)
    return or_(*(content.icontains(one, autoescape=True) for one in wanted))


def _has_all(text: str, words: Sequence[str]) -> bool:
    folded = text.casefold()
    return bool(folded) and all(word.casefold() in folded for word in words)


def snippet(text: str, words: Sequence[str]) -> str:
    """The part of a text around the first of the words, with `…` where it was cut."""
    folded = text.lower()
    places = [at for word in words if (at := folded.find(word.lower())) >= 0]
    start = max(0, min(places, default=0) - BEFORE)
    if len(text) - start < SNIPPET:
        start = max(0, len(text) - SNIPPET)
    end = start + SNIPPET
    return ("…" if start else "") + text[start:end].strip() + ("…" if end < len(text) else "")
