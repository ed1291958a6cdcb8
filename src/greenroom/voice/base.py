"""The interface of a speech engine, and the sound it returns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass


class SpeechError(Exception):
    """A sentence that could not be spoken; it is shown silently instead."""


@dataclass(frozen=True, slots=True)
class Speech:
    """One spoken sentence.

    Args:
        wav: a whole WAV file, 16-bit PCM mono.
        seconds: how long it plays.
        volumes: loudness of each slice of `slice_ms` milliseconds, the loudest being 1.
    """

    wav: bytes
    seconds: float
    volumes: tuple[float, ...]
    slice_ms: int = 20


@dataclass(frozen=True, slots=True)
class SpeechStatistics:
    """`speaking` and `waiting` now, the others since the start; `cancelled` ones were given up."""

    speaking: int
    waiting: int
    finished: int
    failed: int
    cancelled: int
    slots: int = 0
    """Sentences at once; 0: no limit."""


class SpeechEngine(ABC):
    """Turns sentences into sound. Shared by all clients, so it keeps nothing of any of them."""

    description: str

    @abstractmethod
    async def synthesize(self, text: str) -> Speech:
        """Speak one sentence. Cancelling the caller frees the engine, or its place in the line, at once.

        Raises:
            SpeechError: the text could not be spoken.
        """

    @abstractmethod
    async def aclose(self) -> None:
        """Give up everything; nothing can be spoken afterwards. Idempotent."""

    @abstractmethod
    def statistics(self) -> SpeechStatistics: ...
