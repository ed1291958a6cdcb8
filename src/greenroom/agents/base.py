"""What every engine has in common: the records it is asked with, the error it raises, its interface."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Literal

Role = Literal["system", "user", "assistant"]

INTERRUPTED = "[Interrupted by user]"
"""The message a memory holds after a reply that was cut off; it is nobody's words."""


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of a talk. `images` are `data:image/…` URLs."""

    role: Role
    content: str
    images: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """Everything a reply is made from; the newest message comes last.

    Args:
        system: the character's persona prompt.
        messages: the talk so far, as one client's memory holds it.
        language: what the character speaks, as a language tag (`en`, `zh-CN`, `ja`).
        character_name, human_name: how the two are called; either may be empty.
    """

    system: str
    messages: Sequence[ChatMessage]
    language: str = "en"
    character_name: str = ""
    human_name: str = ""


class AgentError(Exception):
    """A reply, or an engine's start, that failed. The message is fit to be shown to a user.

    Args:
        message: what happened, without secrets and without anybody's words.
        hint: what to do about it; may be empty.
        retryable: whether the same request may succeed a little later.
    """

    def __init__(self, message: str, *, hint: str = "", retryable: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.retryable = retryable

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message


@dataclass(frozen=True, slots=True)
class EngineStatistics:
    """Counts of one engine. `started` = `generating + waiting + finished + aborted + failed`."""

    generating: int = 0
    """Streams that hold a slot now."""
    waiting: int = 0
    """Streams that wait for a slot."""
    started: int = 0
    finished: int = 0
    aborted: int = 0
    """Streams whose consumer was cancelled or closed them before their end."""
    failed: int = 0
    slots: int = 0
    """Streams at once; 0: no limit."""


class AgentEngine(ABC):
    """A model, or the way to one. Shared by many clients; keeps no conversation."""

    description: str = "agent"
    """A few words for logs and the ops page; holds no secret."""

    @abstractmethod
    async def start(self) -> None:
        """Do what takes long, once. May be cancelled, and leaves nothing behind then. Raises `AgentError`."""

    @abstractmethod
    def stream(self, request: ChatRequest) -> AsyncGenerator[str, None]:
        """Yield the reply in pieces, as they come; raises `AgentError`, maybe after some text.

        Cancelling the consumer inside a step aborts at once, and so does `aclose()` between two steps: the
        provider's slot is free when it returns. Whoever stops early must call `aclose()`
        (`contextlib.aclosing`), for nothing else tells the engine.
        """

    @abstractmethod
    async def aclose(self) -> None:
        """Free everything; later streams raise `AgentError`. Idempotent; works without `start`."""

    @abstractmethod
    def statistics(self) -> EngineStatistics:
        """What is going on in this engine now, and what has been since it was made."""
