"""`MessageHandler`: those who wait for an answer of the client, each with a deadline.

The real page repeats `frontend-playback-complete` up to ten times a turn, also late; what nobody waits for is
ignored, and a type nobody waits for has no entry: the table is empty whenever no turn waits.
"""

from __future__ import annotations

import asyncio


class Waiter:
    """One who waits for one answer; registered when made, so make it before asking."""

    __slots__ = ("_answer", "_handler", "_request_id", "_type")

    def __init__(self, handler: MessageHandler, kind: str, request_id: str | int | None) -> None:
        self._handler = handler
        self._type = kind
        self._request_id = request_id
        self._answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    async def wait(self, seconds: float) -> bool:
        """True if the answer came within `seconds`, False on time-out or when the client has gone."""
        timer = asyncio.get_running_loop().call_later(seconds, self._resolve, False)
        try:
            return await self._answer
        finally:
            timer.cancel()
            self.cancel()

    def cancel(self) -> None:
        """Wait no longer: whoever still waits is told False. Idempotent."""
        self._handler.remove(self)
        self._resolve(False)

    def _resolve(self, answered: bool) -> None:
        if not self._answer.done():
            self._answer.set_result(answered)

    def offer(self, request_id: str | int | None) -> None:
        """An answer came: it is ours unless both sides name a request and the names differ."""
        if self._request_id is None or request_id is None or self._request_id == request_id:
            self._resolve(True)

    def give_up(self) -> None:
        self._resolve(False)

    @property
    def kind(self) -> str:
        return self._type


class MessageHandler:
    """Matches answers with those who wait; several may wait for one type, at most `limit` in all."""

    def __init__(self, limit: int = 64) -> None:
        self._limit = limit
        self._waiters: dict[str, list[Waiter]] = {}
        self._count = 0
        self._closed = False

    def __len__(self) -> int:
        return self._count

    def expect(self, kind: str, request_id: str | int | None = None) -> Waiter:
        """Wait for the next message of this type. The caller must `wait` or `cancel`.

        Raises `RuntimeError` when too many wait already: somebody forgets to cancel.
        """
        if self._count >= self._limit:
            raise RuntimeError(f"{self._count} wait for answers of one client; one of them never lets go")
        waiter = Waiter(self, kind, request_id)
        if self._closed:
            waiter.give_up()
            return waiter
        self._waiters.setdefault(kind, []).append(waiter)
        self._count += 1
        return waiter

    def handle(self, kind: str, request_id: str | int | None = None) -> bool:
        """An answer came; True if somebody waited for this type."""
        waiters = self._waiters.get(kind)
        if not waiters:
            return False
        for waiter in tuple(waiters):
            waiter.offer(request_id)
        return True

    def remove(self, waiter: Waiter) -> None:
        waiters = self._waiters.get(waiter.kind)
        if waiters is not None and waiter in waiters:
            waiters.remove(waiter)
            self._count -= 1
            if not waiters:
                del self._waiters[waiter.kind]

    def close(self) -> int:
        """Send everybody home; returns how many waited."""
        self._closed = True
        waiting = [waiter for waiters in self._waiters.values() for waiter in waiters]
        for waiter in waiting:
            waiter.give_up()
        self._waiters.clear()
        self._count = 0
        return len(waiting)
