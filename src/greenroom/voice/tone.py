"""The tone voice: hums for as long as a real engine would take. For demos, tests and the lab.

A real engine is often serial: one sentence at a time, for all pages together. This one models that, so that
one can see that the sentences of a closed page leave its line at once.
"""

from __future__ import annotations

import asyncio
import math
from array import array
from functools import lru_cache

from greenroom.tasks import JobCancelled, ScopeClosed, ScopeFull, TaskScope
from greenroom.voice.base import Speech, SpeechEngine, SpeechError, SpeechStatistics
from greenroom.voice.wav import volumes, wav_file

RATE = 16_000
MAX_WAITING = 1000


class ToneVoice(SpeechEngine):
    """Takes `seconds_per_sentence` for each sentence, and speaks `slots` of them at once."""

    def __init__(self, scope: TaskScope, seconds_per_sentence: float = 1.0, slots: int = 1) -> None:
        self._seconds = seconds_per_sentence
        self._slots = max(1, slots)
        self._scope = scope.child("tone voice", max_running=self._slots, max_waiting=MAX_WAITING)
        self.description = f"tone voice ({seconds_per_sentence:g} s a sentence, {slots} at once)"

    async def synthesize(self, text: str) -> Speech:
        try:
            return await self._scope.run(self._hum, name="sentence")
        except (JobCancelled, ScopeClosed, ScopeFull) as error:
            raise SpeechError(str(error)) from error

    async def _hum(self) -> Speech:
        await asyncio.sleep(self._seconds)
        return hum(round(max(0.1, min(self._seconds, 30.0)), 1))

    async def aclose(self) -> None:
        await self._scope.close(reason="the voice was closed")

    def statistics(self) -> SpeechStatistics:
        counts = self._scope.statistics()
        return SpeechStatistics(
            speaking=counts.running,
            waiting=counts.waiting + counts.submitters,
            finished=counts.finished,
            failed=counts.failed,
            cancelled=counts.cancelled + counts.dropped,
            slots=self._slots,
        )


@lru_cache(maxsize=8)
def hum(seconds: float) -> Speech:
    """A soft tone that swells and fades four times a second, like syllables."""
    count = round(RATE * seconds)
    # Both waves fit a whole number of times into a quarter of a second: long sounds cost hardly more.
    quarter = array(
        "h",
        (
            int(
                6000
                * math.sin(2 * math.pi * 220 * i / RATE)
                * (0.55 - 0.45 * math.cos(2 * math.pi * 4 * i / RATE))
            )
            for i in range(RATE // 4)
        ),
    )
    samples = (quarter * (count // len(quarter) + 1))[:count]
    return Speech(wav_file(samples, RATE), count / RATE, volumes(samples, RATE))
