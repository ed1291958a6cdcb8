"""From settings to an engine that has not started yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .base import AgentEngine, AgentError
from .builtin import BuiltinEngine

if TYPE_CHECKING:
    from greenroom.config.settings import AgentSettings


def create_engine(settings: AgentSettings) -> AgentEngine:
    """The engine these settings ask for; `start` it before use. Takes no time and opens nothing.

    Raises `AgentError` for kind `auto`: that is for `discovery.choose` to settle.
    """
    if settings.kind == "builtin":
        return BuiltinEngine(settings.builtin)
    if settings.kind == "openai":
        from .openai_compatible import OpenAICompatibleEngine

        return OpenAICompatibleEngine(settings.openai)
    raise AgentError(
        f"agent.kind is {settings.kind!r}: no engine can be made of it.",
        hint="Use `builtin` or `openai`, or let `choose` settle `auto`.",
    )
