"""What clients have sent and the server has not dealt with: messages that are not whole yet, and large ones that wait.

One connection may hold a large message, a thousand may not at the same time. When all together hold too much, one is
dropped at once: of the address that holds most, the connection that has held much for long (bytes × seconds). An
honest picture is there for moments, what is sent in order to be held is not. Sans-I/O.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Protocol

__all__ = ["Inbox"]


class Holder(Protocol):
    """A connection. `home` is what counts as one address."""

    home: str

    def turn_out(self, code: int, reason: str) -> None: ...


@dataclass(slots=True)
class _Held:
    home: str
    size: int
    since: float


class Inbox:
    """Bounds what all connections hold together.

    Args:
        most: bytes of all together.
        seconds: how long one message may take to arrive; the connections look to it.
        refused: counts those dropped, by reason.
        warn: logs that one was dropped, with its address and the reason.
    """

    def __init__(
        self,
        most: int,
        seconds: float,
        refused: Callable[[str], None],
        warn: Callable[[str, str, str], None],
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.seconds = seconds
        self.total = 0
        self._most = most
        self._refused = refused
        self._warn = warn
        self._clock = clock
        self._held: dict[Holder, _Held] = {}
        self._homes: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._held)

    def hold(self, holder: Holder, size: int) -> None:
        """Say how much a connection holds now; one, perhaps this one, is dropped if it is too much in all."""
        found = self._held.get(holder)
        if found is None:
            if not size:
                return
            found = self._held[holder] = _Held(holder.home, 0, self._clock())
        change = size - found.size
        found.size = size
        self.total += change
        self._homes[found.home] += change
        if not size:
            del self._held[holder]
            if not self._homes[found.home]:
                del self._homes[found.home]
        while self.total > self._most:
            self._turn_out(self._worst())

    def late(self, holder: Holder) -> None:
        """A connection's message has taken too long to arrive."""
        reason = f"a message took longer than {self.seconds:g} s to arrive"
        self._drop(holder, 1008, "slow message", reason)

    def _worst(self) -> Holder:
        home = max(self._homes, key=self._homes.__getitem__)
        now = self._clock()
        of_home = ((holder, held) for holder, held in self._held.items() if held.home == home)
        # A millisecond more for each: in the very moment in which all came, the largest goes.
        return max(of_home, key=lambda pair: pair[1].size * (now - pair[1].since + 0.001))[0]

    def _turn_out(self, holder: Holder) -> None:
        reason = (
            f"{self._most} bytes of unread messages are the limit of all clients together; try again later"
        )
        self._drop(holder, 1013, "inbox full", reason)

    def _drop(self, holder: Holder, code: int, what: str, reason: str) -> None:
        self.hold(holder, 0)
        self._refused(what)
        self._warn(what, holder.home, reason)
        holder.turn_out(code, reason)
