"""The bystander: an open page that looks how quickly it is answered while others come and go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import perf_counter, process_time

from greenroom.lab.process import own_wait
from greenroom.lab.visitors import Bystanding, Gone

HEARTBEAT_SECONDS = 0.05
HUSH_SECONDS = 0.015


class Watch:
    """The bystander page: heartbeats while visits go on, silence in the windows.

    Args:
        page: the open page.
        waited: seconds so far in which the server was ready to run, but others had the cores.
    """

    def __init__(self, page: Bystanding, waited: Callable[[], float]) -> None:
        self._page = page
        self._waited = waited
        self._worst: float | None = None
        self._later: float | None = None
        self._best = 0.0
        self._opened = 0.0
        self._since: float | None = None
        self._excused = 0.0
        self._awake = asyncio.Event()
        self.gone: str | None = None

    async def run(self) -> None:
        while self.gone is None:
            await self._awake.wait()
            self._excused = self._excuse()
            began = self._since = perf_counter()
            try:
                await self._page.round_trip()
            except Gone as error:
                self.gone = str(error)
            else:
                spent = self._spent(began)
                self._worst = max(self._worst or 0.0, spent)
                if began >= self._opened:
                    self._later = max(self._later or 0.0, spent)
                whole = perf_counter() - began
                self._best = min(self._best or whole, whole)
            self._since = None
            await asyncio.sleep(HEARTBEAT_SECONDS)

    def _excuse(self) -> float:
        """Seconds so far in which an answer could not come: no core for the server or the lab, the lab at work."""
        return self._waited() + own_wait() + process_time()

    def _spent(self, began: float) -> float:
        return max(0.0, perf_counter() - began - (self._excuse() - self._excused))

    def wake(self) -> None:
        self._awake.set()

    async def hush(self) -> None:
        """No further heartbeats; gives the one under way, and the close of the last page, a moment."""
        self._awake.clear()
        await asyncio.sleep(HUSH_SECONDS)
        deadline = perf_counter() + HEARTBEAT_SECONDS
        while self._since is not None and perf_counter() < deadline:  # noqa: ASYNC110 - some 15 ms
            await asyncio.sleep(HUSH_SECONDS)

    def opened(self) -> None:
        """The visitor's page is open: what begins from now on is the conversation's doing."""
        self._opened = perf_counter()
        self._later = None

    def take(self) -> tuple[float | None, float | None]:
        """The worst round trip since the last call, and the worst since the page was open.

        Each less the time in which the server could not run because others had the cores, and less what the lab
        itself was late.
        """
        waiting = self._spent(self._since) if self._since is not None else 0.0
        found: list[float | None] = []
        for worst, counts in ((self._worst, True), (self._later, (self._since or 0.0) >= self._opened)):
            if counts and waiting:
                worst = max(worst or 0.0, waiting)
            found.append(None if worst is None else max(self._best, worst))
        self._worst = self._later = None
        self._best = 0.0
        return found[0], found[1]
