"""Slots: at most so many generations at once, the others wait in line.

Not `asyncio.Semaphore`: cancelling its waiters costs time that grows with the square of their number, and
closing a room full of pages does just that. Here a waiter leaves the line in constant time.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from .base import AgentError


class Slots:
    """`limit` places (0: no limit) and a line of at most `max_waiting`; first come, first served.

    Between `release` and the next one's wake-up the slot already belongs to that next one. If that one is
    cancelled in this gap, it passes the slot on itself: no wake-up is lost.
    """

    __slots__ = ("_closed", "_line", "busy", "limit", "max_waiting")

    def __init__(self, limit: int, max_waiting: int = 1000) -> None:
        self.limit = limit
        self.max_waiting = max_waiting
        self.busy = 0
        self._line: OrderedDict[asyncio.Future[None], None] = OrderedDict()
        self._closed = False

    @property
    def waiting(self) -> int:
        return len(self._line)

    async def acquire(self) -> None:
        """Take a slot, waiting for it if need be; then `release` must follow. Raises `AgentError` if full."""
        if self._closed:
            raise AgentError("The agent has been shut down.", retryable=True)
        if not self.limit or (self.busy < self.limit and not self._line):
            self.busy += 1
            return
        if len(self._line) >= self.max_waiting:
            raise AgentError(
                f"The model is busy: {len(self._line)} others are waiting for it.",
                hint="Please try again in a moment.",
                retryable=True,
            )
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line[turn] = None
        try:
            await turn
        except BaseException:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.release()
            else:
                self._line.pop(turn, None)
            raise

    def release(self) -> None:
        """Give the slot to the first in line, or back."""
        while self._line:
            turn, _ = self._line.popitem(last=False)
            # A cancelled one is still in line until its task has run.
            if not turn.done():
                turn.set_result(None)
                return
        self.busy -= 1

    def close(self) -> None:
        """Refuse new ones, and tell those in line."""
        self._closed = True
        while self._line:
            turn, _ = self._line.popitem(last=False)
            if not turn.done():
                turn.set_exception(AgentError("The agent has been shut down.", retryable=True))
