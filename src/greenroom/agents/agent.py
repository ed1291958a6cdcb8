"""The agent of one client: a leased engine and a memory of its own."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from itertools import islice
from typing import Literal

from .base import AgentEngine, AgentError, ChatMessage, ChatRequest
from .memory import MAX_IMAGES, ChatMemory
from .pool import EngineLease


class Agent:
    """Answers one client. The engine behind the lease is shared, the memory is not.

    After `reply` the caller says how it went: `remember` the whole text, or `interrupted` with what was
    heard.
    """

    __slots__ = (
        "_lease",
        "_remembered",
        "character_name",
        "human_name",
        "language",
        "memory",
        "system_prompt",
    )

    def __init__(
        self,
        lease: EngineLease,
        memory: ChatMemory,
        system_prompt: str,
        language: str = "en",
        character_name: str = "",
        human_name: str = "",
    ) -> None:
        self._lease: EngineLease | None = lease
        self._remembered: ChatMessage | None = None
        self.memory = memory
        self.system_prompt = system_prompt
        self.language = language
        self.character_name = character_name
        self.human_name = human_name

    @property
    def engine(self) -> AgentEngine | None:
        """The engine it answers with; None once it is closed."""
        return self._lease.engine if self._lease is not None else None

    def reply(
        self, text: str, images: Iterable[str] = (), remember_user: bool = True
    ) -> AsyncGenerator[str, None]:
        """Put the message into the memory now, and stream the reply (see `AgentEngine.stream`).

        Args:
            images: data URLs.
            remember_user: False leaves no trace of the question (the character speaks of itself).

        Raises `AgentError` if the agent is closed; so may the stream.
        """
        engine = self.engine
        if engine is None:
            raise AgentError("This character has been closed.")
        self._remembered = None
        if remember_user:
            self.memory.add_user(text, images)
            messages = self.memory.messages()
        else:
            asked = ChatMessage("user", text, tuple(islice(images, MAX_IMAGES)))
            messages = (*self.memory.messages(), asked)
        return engine.stream(
            ChatRequest(self.system_prompt, messages, self.language, self.character_name, self.human_name)
        )

    def remember(self, text: str) -> None:
        """The reply came to its end: this is all of it."""
        self.memory.add_assistant(text)
        self._remembered = self.memory.last if text else None

    def interrupted(self, heard: str, method: Literal["user", "system"] = "user") -> None:
        """The reply, or the playing of it, was cut off after `heard`."""
        # What stands last may be an earlier reply, or one of a history loaded since: never overwrite that.
        whole, self._remembered = self._remembered, None
        self.memory.interrupted(heard, method, replace_last=whole is not None and whole is self.memory.last)

    def close(self) -> None:
        """Give the engine back. Idempotent."""
        lease, self._lease = self._lease, None
        if lease is not None:
            lease.release()
