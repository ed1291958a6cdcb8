"""Histories: what was said to which character, kept in SQLite off the event loop.

Importing this package is cheap: SQLAlchemy is imported by the store's own thread when a store is opened.
"""

from __future__ import annotations

from greenroom.history.errors import HistoryBusy, HistoryError
from greenroom.history.records import (
    HistoryPage,
    HistoryStatistics,
    HistorySummary,
    Role,
    StoredMessage,
    new_history_uid,
)
from greenroom.history.store import HistoryStore

__all__ = [
    "HistoryBusy",
    "HistoryError",
    "HistoryPage",
    "HistoryStatistics",
    "HistoryStore",
    "HistorySummary",
    "Role",
    "StoredMessage",
    "new_history_uid",
]
