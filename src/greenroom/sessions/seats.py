"""Connections of all kinds, pages and rooms' viewers alike: how many there are, in all and by address."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from greenroom.config.settings import LimitSettings

__all__ = ["Seats"]


class Seats:
    """Who comes in takes one, and gives it back when it has gone.

    Args:
        home: what counts as one address; by default each does.
    """

    def __init__(self, home: Callable[[str], str] = str) -> None:
        self._home = home
        self._homes: Counter[str] = Counter()
        self._taken = 0

    def __len__(self) -> int:
        return self._taken

    def from_address(self, address: str) -> int:
        """How many connections come from there."""
        return self._homes.get(self._home(address), 0)

    def refusal(self, limits: LimitSettings, address: str, *, exempt: bool) -> tuple[int, str] | None:
        """Close code and reason for whom there is no room; `exempt` ones have no limit by address."""
        most = limits.max_connections
        if self._taken >= most:
            return 1013, f"{most} connections are open, which is the limit; try again later"
        most = limits.max_connections_per_address
        if not exempt and self.from_address(address) >= most:
            return 1008, f"{most} connections from one address are the limit"
        return None

    def take(self, address: str) -> None:
        """Somebody has come in."""
        self._taken += 1
        self._homes[self._home(address)] += 1

    def give_back(self, address: str) -> None:
        """Somebody has gone."""
        self._taken -= 1
        home = self._home(address)
        self._homes[home] -= 1
        if self._homes[home] <= 0:
            del self._homes[home]
