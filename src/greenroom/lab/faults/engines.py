"""What the fault server's pages share: a provider with few slots, a serial speech engine, a model loader."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from greenroom.lab.faults.catalog import Pace

SILENCE = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAgD4AAAB9AAACABAAZGF0YQAAAAA="
"""An empty 16-bit mono WAV file."""
TOKENS = 2
"""Tokens a sentence comes in: what a stream is made of, and what wakes the server."""
MOST_SENTENCES = 60


class Provider:
    """A language model behind a fixed number of slots; first come, first served."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._slots = asyncio.Semaphore(pace.provider_slots)

    async def stream(self, turns_in_prompt: int) -> AsyncGenerator[str, None]:
        """Yield the reply's sentences; a longer prompt takes longer and is answered at greater length."""
        pace = self._pace
        extra = int(turns_in_prompt / pace.turns_per_sentence)
        async with self._slots:
            await asyncio.sleep(pace.first_token + pace.per_turn * turns_in_prompt)
            for number in range(min(MOST_SENTENCES, pace.sentences + extra)):
                for _ in range(TOKENS):
                    await asyncio.sleep(pace.sentence / TOKENS)
                yield f"This is sentence number {number + 1}."


class Speech:
    """Speaks one sentence at a time for the whole server."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._lock = asyncio.Lock()

    async def say(self, text: str) -> str:
        """The sound of one sentence, as base64."""
        async with self._lock:
            await asyncio.sleep(self._pace.speech)
        return SILENCE


class Loader:
    """Loads the model of a character, one at a time."""

    STEPS = 10

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._lock = asyncio.Lock()

    async def load(self) -> bytearray:
        """The loaded model."""
        async with self._lock:
            model = bytearray(0)
            for _ in range(self.STEPS):
                await asyncio.sleep(self._pace.init / self.STEPS)
                model += bytes(20_000)
            return model
