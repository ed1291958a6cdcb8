"""The registry: who is connected. One entry per connected client, none for those who have gone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from greenroom.sessions.service_context import ServiceContext


class Registry:
    """Connected clients by uid, and rooms, which are one each."""

    def __init__(self) -> None:
        self._clients: dict[str, ServiceContext] = {}
        self.opened = 0
        self.closed = 0

    def __len__(self) -> int:
        return len(self._clients)

    def __iter__(self) -> Iterator[ServiceContext]:
        return iter(tuple(self._clients.values()))

    def add(self, context: ServiceContext) -> None:
        self._clients[context.client_uid] = context
        self.opened += 1

    def remove(self, context: ServiceContext) -> None:
        """Forget a client. Idempotent."""
        if self._clients.pop(context.client_uid, None) is None:
            return
        self.closed += 1
