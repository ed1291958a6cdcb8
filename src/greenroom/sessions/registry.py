"""The registry: who is connected. One entry per connected client, none for those who have gone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from greenroom.sessions.service_context import ServiceContext


class Registry:
    """Connected clients by uid, and how many there are per address.

    Args:
        home: what counts as one address; by default each does.
    """

    def __init__(self, home: Callable[[str], str] = str) -> None:
        self._home = home
        self._clients: dict[str, ServiceContext] = {}
        self._addresses: Counter[str] = Counter()
        self.opened = 0
        self.closed = 0

    def __len__(self) -> int:
        return len(self._clients)

    def __iter__(self) -> Iterator[ServiceContext]:
        return iter(tuple(self._clients.values()))

    def from_address(self, address: str) -> int:
        """How many clients are connected from there."""
        return self._addresses.get(self._home(address), 0)

    def add(self, context: ServiceContext) -> None:
        self._clients[context.client_uid] = context
        self._addresses[self._home(context.address)] += 1
        self.opened += 1

    def remove(self, context: ServiceContext) -> None:
        """Forget a client. Idempotent."""
        if self._clients.pop(context.client_uid, None) is None:
            return
        self.closed += 1
        home = self._home(context.address)
        self._addresses[home] -= 1
        if self._addresses[home] <= 0:
            del self._addresses[home]
