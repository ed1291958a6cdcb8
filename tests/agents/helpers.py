"""What the tests of the agents share: a clock that only sleeping moves, and ways to make requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from greenroom.agents.base import ChatMessage, ChatRequest


class FakeTime:
    """A clock that stands still but for `sleep`, which returns at once and remembers."""

    def __init__(self, late: float = 0.0) -> None:
        self.now = 1000.0
        self.late = late
        """How much too late each sleep wakes."""
        self.sleeps: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.sleeps.append(seconds)
        self.now += seconds + self.late
        await asyncio.sleep(0)


def ask(*texts: str, language: str = "en", name: str = "Sakura", human: str = "") -> ChatRequest:
    """A talk: what the user says and what was answered, in turn."""
    messages = tuple(ChatMessage("user" if i % 2 == 0 else "assistant", text) for i, text in enumerate(texts))
    return ChatRequest("", messages, language, name, human)


async def ticks(count: int = 10) -> None:
    """Let the loop go round."""
    for _ in range(count):
        await asyncio.sleep(0)


async def wait_until(condition: Callable[[], bool], seconds: float = 2) -> None:
    """Look once a millisecond; fail after `seconds`."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.001)
