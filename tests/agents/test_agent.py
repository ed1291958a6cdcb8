"""Tests of one client's agent."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import pytest

from greenroom.agents.agent import Agent
from greenroom.agents.base import (
    INTERRUPTED,
    AgentEngine,
    AgentError,
    ChatMessage,
    ChatRequest,
    EngineStatistics,
)
from greenroom.agents.memory import ChatMemory
from greenroom.agents.pool import EnginePool
from greenroom.config.settings import AgentSettings
from greenroom.tasks import TaskScope


class Recorder(AgentEngine):
    """Answers "Yes." and keeps the requests."""

    def __init__(self) -> None:
        self.requests: list[ChatRequest] = []

    async def start(self) -> None: ...

    async def stream(self, request: ChatRequest) -> AsyncGenerator[str, None]:
        self.requests.append(request)
        yield "Yes."

    async def aclose(self) -> None: ...

    def statistics(self) -> EngineStatistics:
        return EngineStatistics()


@asynccontextmanager
async def two_agents() -> AsyncIterator[tuple[Agent, Agent, Recorder, EnginePool]]:
    engine = Recorder()
    settings = AgentSettings(kind="builtin")
    async with TaskScope("test") as scope:
        pool = EnginePool(scope, lambda _: engine)
        one = Agent(await pool.acquire(settings), ChatMemory(), "Be kind.", "ja", "Sakura", "Bob")
        two = Agent(await pool.acquire(settings), ChatMemory(), "Be kind.")
        yield one, two, engine, pool
        one.close()
        two.close()
        await pool.aclose()


async def talk(agent: Agent, text: str, *, remember_user: bool = True) -> str:
    return "".join([piece async for piece in agent.reply(text, remember_user=remember_user)])


async def test_request_has_everything() -> None:
    """The engine is asked with persona, language, names, and the talk with the new message last."""
    async with two_agents() as (one, _, engine, _):
        assert await talk(one, "Hi") == "Yes."
        one.remember("Yes.")
        await talk(one, "Again")
        asked = engine.requests[-1]
        assert (asked.system, asked.language, asked.character_name, asked.human_name) == (
            "Be kind.", "ja", "Sakura", "Bob",
        )  # fmt: skip
        assert [message.content for message in asked.messages] == ["Hi", "Yes.", "Again"]


async def test_memories_do_not_mix() -> None:
    """Two agents on one engine know nothing of each other."""
    async with two_agents() as (one, two, engine, _):
        assert one.engine is two.engine
        await talk(one, "My secret")
        await talk(two, "Hi")
        assert [message.content for message in engine.requests[-1].messages] == ["Hi"]


async def test_question_without_a_trace() -> None:
    """With `remember_user=False` the question is asked but not remembered; images come along."""
    async with two_agents() as (one, _, engine, _):
        stream = one.reply("Say something.", ["data:image/png;base64,AA"], remember_user=False)
        assert [piece async for piece in stream] == ["Yes."]
        assert engine.requests[-1].messages == (
            ChatMessage("user", "Say something.", ("data:image/png;base64,AA",)),
        )
        assert one.memory.messages() == ()


async def test_interrupted_replaces_only_its_own_reply() -> None:
    """An interruption shortens the reply it belongs to, never an earlier one or one of a loaded history."""
    async with two_agents() as (one, _, _, _):
        await talk(one, "Hi")
        one.remember("One. Two.")
        one.interrupted("One.")
        contents = [message.content for message in one.memory.messages()]
        assert contents == ["Hi", "One.", INTERRUPTED]

        await talk(one, "More")
        one.remember("Three.")
        await talk(one, "speak", remember_user=False)
        one.interrupted("Four.", "system")
        contents = [message.content for message in one.memory.messages()]
        assert contents[-4:] == ["More", "Three.", "Four.", INTERRUPTED]

        await talk(one, "And")
        one.remember("Five.")
        one.memory.load([ChatMessage("user", "old"), ChatMessage("assistant", "older")])
        one.interrupted("")
        assert [message.content for message in one.memory.messages()] == ["old", "older", INTERRUPTED]


async def test_close_gives_the_engine_back_once() -> None:
    """Closing releases the lease, twice is as good as once, and a closed agent says so."""
    async with two_agents() as (one, two, _, pool):
        one.close()
        one.close()
        assert pool.statistics().leased == 1
        with pytest.raises(AgentError, match="closed"):
            one.reply("Hi")
        assert one.engine is None
        two.close()
        assert pool.statistics().idle == 1
