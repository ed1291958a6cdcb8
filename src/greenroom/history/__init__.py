"""Histories: what was said to which character, kept in SQLite off the event loop.

Importing this package is cheap: SQLAlchemy is imported by the store's own thread when a store is opened.
"""

from __future__ import annotations

from greenroom.history.bin import HistoryBin
from greenroom.history.errors import HistoryBusy, HistoryError
from greenroom.history.layout import MAX_BREAKS, Breaks, laid_out, size_of
from greenroom.history.records import (
    MAX_TITLE,
    HistoryPage,
    HistoryStatistics,
    HistorySummary,
    Role,
    SearchPage,
    StoredMessage,
    new_history_uid,
)
from greenroom.history.store import HistoryStore

__all__ = [
    "MAX_BREAKS",
    "MAX_TITLE",
    "Breaks",
    "HistoryBin",
    "HistoryBusy",
    "HistoryError",
    "HistoryPage",
    "HistoryStatistics",
    "HistoryStore",
    "HistorySummary",
    "Role",
    "SearchPage",
    "StoredMessage",
    "laid_out",
    "new_history_uid",
    "size_of",
]
