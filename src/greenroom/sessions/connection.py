"""The socket of a client, as far as its context needs it."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from greenroom.sessions.outbox import Sink


class Connection(Protocol):
    """The socket, as far as a context needs it."""

    async def send_text(self, text: str) -> None: ...
    def drop(self, code: int, reason: str) -> None: ...


@runtime_checkable
class Piecewise(Protocol):
    """A connection that may be able to take several frames in one piece."""

    def sink(self) -> Sink | None: ...
