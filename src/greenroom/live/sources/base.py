"""What every source of live chat is, and what it delivers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Literal

__all__ = ["EVERYBODY", "OWNER", "PAID", "ChatMessage", "ChatSource", "Priority", "SourceError"]

Priority = Literal[0, 1, 2]
EVERYBODY: Priority = 0
PAID: Priority = 1
OWNER: Priority = 2

MAX_TEXT = 2000
"""Characters of one message that are kept; no platform allows more than 500 or so."""
MAX_NAME = 100


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of a viewer.

    Args:
        source: the address it came from (`twitch://channel`).
        id: the platform's id of the message; equal ids are one message.
        sender_id: who sent it, stable while names change.
        priority: 0 everybody, 1 paid, 2 the channel's owner and moderators.
        paid: what was paid, as the platform shows it (`100 bits`, `¥30`).
        at: when it was sent, seconds since 1970.
    """

    source: str
    id: str
    sender_id: str
    sender_name: str
    text: str
    priority: Priority
    paid: str | None
    at: float


class SourceError(Exception):
    """Why a source does not deliver.

    Args:
        message: what happened, with the name of the source's part that said so.
        hint: what the user can do; empty if it is to wait.
        retryable: whether another attempt can succeed without the user's doing.
        retry_after: seconds to wait at least before it; None leaves that to the runner.
    """

    def __init__(
        self, message: str, hint: str = "", *, retryable: bool = True, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.retryable = retryable
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


class ChatSource(ABC):
    """One live chat. It holds nothing between connections but what spares a question or a message twice.

    Args:
        url: its address, as shown to people.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.on_connected: Callable[[], None] = lambda: None
        """Called once per connection, when messages can arrive from now on."""

    @abstractmethod
    def messages(self) -> AsyncGenerator[ChatMessage, None]:
        """Connect and give messages as they come, oldest first; an async generator.

        One connection: it ends when the stream has ended, and raises `SourceError` when it is lost or
        refused. Everything it holds is released when the generator is closed or its task is cancelled.
        """

    @abstractmethod
    def describe(self) -> str:
        """A few words for people: which chat of which platform."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.url}>"


def clipped(text: str, most: int) -> str:
    """`text`, cut to `most` characters."""
    return text if len(text) <= most else text[:most]
