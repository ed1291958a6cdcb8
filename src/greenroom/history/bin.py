"""Deletions that can be undone: a history lies in the bin until its time is up, and survives a restart there.

When that is stands in the database. One timer waits for the earliest of them; nothing looks at intervals.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from greenroom.history.errors import HistoryError
from greenroom.history.records import HistorySummary
from greenroom.history.store import HistoryStore
from greenroom.tasks import ScopeClosed, ScopeFull, TaskScope

__all__ = ["HistoryBin"]

log = logging.getLogger("greenroom.history")

AT_ONCE = 100
"""Histories deleted by one transaction."""
AGAIN_SECONDS = 60.0
"""Until the next try when the disk failed."""
LONGEST_SECONDS = 3600.0
"""A timer this long is set anew: the wall clock, by which deadlines are kept, may have been put right meanwhile."""


class HistoryBin:
    """Histories that were deleted a while ago.

    Args:
        store: the store; what lies in the bin is hidden there.
        scope: owns the task that empties the bin.
        keep_seconds: how long a deletion can be undone; 0: not at all.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        store: HistoryStore,
        scope: TaskScope,
        keep_seconds: float,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.keep_seconds = float(keep_seconds)
        self._store = store
        self._scope = scope
        self._clock = clock
        self._timer: asyncio.TimerHandle | None = None
        self._due: float | None = None

    def open(self) -> None:
        """Delete what became due while the server was down, and wait for the rest."""
        self._empty_soon()

    async def discard(self, conf_uid: str, history_uid: str) -> float | None:
        """Put a history into the bin; returns for how many seconds it can be had back, None if there is none.

        Raises `HistoryError`.
        """
        until = self._clock() + self.keep_seconds
        if not await self._store.discard(conf_uid, history_uid, until):
            return None
        self._wait_for(until)
        return self.keep_seconds

    async def restore(self, conf_uid: str, history_uid: str) -> bool:
        """Take a history out of the bin; False if it is not there any more. Raises `HistoryError`."""
        return await self._store.restore(conf_uid, history_uid)

    async def contents(self, conf_uid: str, limit: int) -> list[tuple[HistorySummary, float]]:
        """A character's histories in the bin with the seconds each has left. Raises `HistoryError`."""
        now = self._clock()
        found = await self._store.discarded(conf_uid, now, limit=limit)
        return [(one, (one.deleted_until or 0) / 1_000_000 - now) for one in found]

    def close(self) -> None:
        """Stop waiting; what is in the bin stays there until the next start."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait_for(self, due: float) -> None:
        if self._timer is not None and self._due is not None and self._due <= due:
            return
        self.close()
        self._due = due
        # A moment later than due, for the wall clock is not the loop's.
        delay = min(max(0.0, due - self._clock()) + 0.05, LONGEST_SECONDS)
        self._timer = asyncio.get_running_loop().call_later(delay, self._empty_soon)

    def _empty_soon(self) -> None:
        self._timer = None
        try:
            self._scope.start(self._empty, name="empty the bin")
        except ScopeClosed:
            pass  # the server stops: the next start looks at the bin first
        except ScopeFull:
            self._wait_for(self._clock() + AGAIN_SECONDS)

    async def _empty(self) -> None:
        gone = 0
        try:
            while (count := await self._store.purge(self._clock(), AT_ONCE)) > 0:
                gone += count
            due = await self._store.next_due()
        except HistoryError as error:
            log.error("deleted histories could not be removed: %s", error)
            due = self._clock() + AGAIN_SECONDS
        if gone:
            log.info("%d deleted histories removed for good", gone)
        if due is not None:
            self._wait_for(due)
