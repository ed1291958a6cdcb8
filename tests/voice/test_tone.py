"""Tests of tone.py."""

from __future__ import annotations

import asyncio
import io
import time
import wave
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from tests.helpers.loop import ManualLoop, advance, settle

from greenroom.tasks import TaskScope
from greenroom.voice import SpeechError
from greenroom.voice.tone import ToneVoice, hum


def on_stage(test: Callable[[TaskScope], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a test with a scope, on a clock that only the test moves."""

    def run() -> None:
        async def play() -> None:
            async with TaskScope("voices") as scope:
                await test(scope)

        with asyncio.Runner(loop_factory=ManualLoop) as runner:
            runner.run(play())

    run.__name__ = test.__name__
    run.__doc__ = test.__doc__
    return run


@on_stage
async def test_one_sentence_at_a_time_for_all_pages_together(scope: TaskScope) -> None:
    """A serial engine: who comes second waits, in order."""
    voice = ToneVoice(scope, 1.0, slots=1)
    jobs = [scope.start(voice.synthesize, f"{i}") for i in range(3)]
    await settle()
    assert (voice.statistics().speaking, voice.statistics().waiting) == (1, 2)
    for i in range(3):
        await advance(0.99)
        assert not jobs[i].done()
        await advance(0.01)
        assert jobs[i].done()
        assert not any(job.done() for job in jobs[i + 1 :])
    assert voice.statistics().finished == 3


@on_stage
async def test_a_page_that_goes_leaves_the_line_at_once(scope: TaskScope) -> None:
    """Speaking or waiting, its place is free in the same moment for the next page."""
    voice = ToneVoice(scope, 1.0, slots=1)
    gone = [scope.start(voice.synthesize, f"gone {i}") for i in range(5)]
    stays = scope.start(voice.synthesize, "stays")
    await settle()
    for job in gone:
        job.cancel("the page was closed")
    await settle()
    assert (voice.statistics().speaking, voice.statistics().waiting) == (1, 0)
    assert voice.statistics().cancelled == 5
    await advance(1.0)
    assert stays.done()
    assert not stays.cancelled()


@on_stage
async def test_several_slots(scope: TaskScope) -> None:
    """As many at once as there are slots."""
    voice = ToneVoice(scope, 1.0, slots=3)
    jobs = [scope.start(voice.synthesize, f"{i}") for i in range(4)]
    await advance(1.0)
    assert [job.done() for job in jobs] == [True, True, True, False]
    await advance(1.0)


@on_stage
async def test_a_closed_voice_says_so(scope: TaskScope) -> None:
    """Those who speak and wait hear of it as `SpeechError`, and so does who comes later; twice is fine."""
    voice = ToneVoice(scope, 1.0)
    heard: list[str] = []

    async def speak() -> None:
        try:
            await voice.synthesize("x")
        except SpeechError as error:
            heard.append(str(error))

    for _ in range(3):
        scope.start(speak)
    await settle()
    await voice.aclose()
    await voice.aclose()
    await settle()
    assert len(heard) == 3
    with pytest.raises(SpeechError):
        await voice.synthesize("late")


@pytest.mark.parametrize("seconds", [0.1, 0.3, 1.0, 2.5])
def test_the_hum_is_sound_of_its_length(seconds: float) -> None:
    """A valid file, as long as it says, with a loudness for each 20 ms, and something to hear."""
    speech = hum(seconds)
    assert speech.seconds == pytest.approx(seconds)
    with wave.open(io.BytesIO(speech.wav)) as reader:
        assert reader.getnframes() == round(16_000 * seconds)
    assert len(speech.volumes) == round(seconds * 50)
    assert max(speech.volumes) == 1
    assert min(speech.volumes) > 0


def test_a_long_hum_does_not_hold_up_the_loop() -> None:
    """Half a minute of it is made in a moment."""
    hum.cache_clear()
    began = time.process_time()
    hum(30.0)
    assert time.process_time() - began < 0.2
