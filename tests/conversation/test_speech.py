"""Tests of speech.py."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.helpers.loop import ManualLoop, settle
from tests.helpers.stage import sound

from greenroom.conversation.speech import MAX_LINES, Line, SpeechLine
from greenroom.tasks import TaskScope
from greenroom.voice import Speech, SpeechEngine, SpeechError, SpeechStatistics


class Choir(SpeechEngine):
    """Speaks any number of sentences at once; each ends when told."""

    description = "choir"

    def __init__(self) -> None:
        self.now: dict[str, asyncio.Future[Speech]] = {}
        self.most = 0

    async def synthesize(self, text: str) -> Speech:
        self.now[text] = asyncio.get_running_loop().create_future()
        self.most = max(self.most, len(self.now))
        try:
            return await self.now[text]
        finally:
            del self.now[text]

    async def aclose(self) -> None:
        pass

    def statistics(self) -> SpeechStatistics:
        return SpeechStatistics(len(self.now), 0, 0, 0, 0)


class Scene:
    """A line, what it delivered, and a gate in front of the client."""

    def __init__(self, scope: TaskScope, jobs: int = 2, *, mute: bool = False) -> None:
        self.choir = Choir()
        self.scope = scope
        self.delivered: list[Line] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None
        self.line = SpeechLine(scope, None if mute else self.choir, self._deliver, jobs)

    async def _deliver(self, line: Line) -> None:
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        self.delivered.append(line)

    @property
    def texts(self) -> list[str]:
        return [line.display + ("" if line.speech else "~") for line in self.delivered]

    def say_all(self, *texts: str) -> asyncio.Task[None]:
        """A trailing `~` marks a line that is not spoken."""

        async def speak() -> None:
            for text in texts:
                await self.line.say(Line(text.rstrip("~"), "" if text.endswith("~") else text, {}))
            await self.line.drained()

        job = self.scope.start(speak, name="reply")
        assert isinstance(job, asyncio.Task)
        return job


async def test_lines_are_delivered_in_the_order_they_were_said() -> None:
    """Also when later ones are spoken sooner, and silent ones are ready at once."""
    async with TaskScope("test") as scope:
        scene = Scene(scope, jobs=3)
        job = scene.say_all("a", "b", "~", "c", "d~")
        await asyncio.sleep(0.001)
        assert set(scene.choir.now) == {"a", "b", "c"}
        scene.choir.now["c"].set_result(sound("c"))
        scene.choir.now["b"].set_result(sound("b", 2))
        await asyncio.sleep(0.001)
        assert scene.texts == []
        scene.choir.now["a"].set_result(sound("a"))
        await job
        assert scene.texts == ["a", "b", "~", "c", "d~"]
        assert scene.line.seconds == 4
        await scene.line.close()


async def test_no_more_lines_are_spoken_at_once_than_jobs() -> None:
    """The reader of the reply waits, so that a long reply does not pile up in front of the engine."""
    async with TaskScope("test") as scope:
        scene = Scene(scope, jobs=2)
        job = scene.say_all(*"abcdefg")
        for text in "abcdefg":
            await asyncio.sleep(0.001)
            scene.choir.now[text].set_result(sound(text))
        await job
        assert scene.texts == list("abcdefg")
        assert scene.choir.most == 2
        await scene.line.close()


async def test_without_a_voice_everything_goes_straight_through() -> None:
    """A silent character's lines wait for nothing."""
    async with TaskScope("test") as scope:
        scene = Scene(scope, mute=True)
        await scene.say_all("a", "b")
        assert scene.texts == ["a~", "b~"]
        assert scene.line.seconds == 0
        await scene.line.close()


async def test_a_sentence_that_fails_is_shown_silently(caplog: pytest.LogCaptureFixture) -> None:
    """In its place, and the others are spoken; the log says why."""
    async with TaskScope("test") as scope:
        scene = Scene(scope, jobs=3)
        job = scene.say_all("a", "b", "c")
        await asyncio.sleep(0.001)
        scene.choir.now["b"].set_exception(SpeechError("hoarse"))
        scene.choir.now["c"].set_exception(ZeroDivisionError("a bug in the engine"))
        scene.choir.now["a"].set_result(sound("a"))
        await job
        assert scene.texts == ["a", "b~", "c~"]
        assert scene.line.seconds == 1
        assert "hoarse" in caplog.text
        await scene.line.close()


async def test_sound_with_nothing_to_hear_is_silence() -> None:
    """Clients stumble over all-zero audio, so it is not sent."""
    async with TaskScope("test") as scope:
        scene = Scene(scope)
        job = scene.say_all("a")
        await asyncio.sleep(0.001)
        scene.choir.now["a"].set_result(Speech(b"RIFF", 1.0, (0.0, 0.0)))
        await job
        assert scene.texts == ["a~"]
        assert scene.line.seconds == 0
        await scene.line.close()


async def test_closing_gives_up_the_engine_at_once() -> None:
    """What is being spoken and what waits is cancelled; nothing is delivered afterwards."""
    async with TaskScope("test") as scope:
        scene = Scene(scope)
        job = scene.say_all("a", "b", "c")
        await asyncio.sleep(0.001)
        job.cancel()
        await scene.line.close()
        await scene.line.close()
        assert scene.choir.now == {}
        assert scene.texts == []
        assert scope.statistics().running == 0


async def test_a_line_that_cannot_be_delivered_stops_the_reply() -> None:
    """Whoever reads the reply hears of it: with the error itself, once more lines or the end come."""
    async with TaskScope("test") as scope:
        scene = Scene(scope)
        scene.error = ConnectionError("gone")
        job = scene.say_all("a", "b")
        await asyncio.sleep(0.001)
        scene.choir.now["a"].set_result(sound("a"))
        with pytest.raises(ConnectionError, match="gone"):
            await job
        with pytest.raises(ConnectionError, match="gone"):
            await scene.line.say(Line("c", "c", {}))
        await scene.line.close()
        assert scope.statistics().failed == 1  # the reader's own job


async def test_the_rest_can_be_shown_without_sound() -> None:
    """When there is no time left to speak, the text still arrives, in order."""
    async with TaskScope("test") as scope:
        scene = Scene(scope)
        job = scene.say_all("a", "b", "c")
        await asyncio.sleep(0.001)
        scene.choir.now["a"].set_result(sound("a"))
        await asyncio.sleep(0.001)
        job.cancel()
        await asyncio.wait([job])
        await scene.line.finish_silently()
        assert scene.texts == ["a", "b~"] or scene.texts == ["a", "b~", "c~"]
        assert scene.choir.now == {}


async def test_silent_lines_behind_a_spoken_one_are_bounded() -> None:
    """A model that thinks aloud without end waits for the voice like everybody."""
    async with TaskScope("test") as scope:
        scene = Scene(scope)
        job = scene.say_all("a", *["b~"] * 3 * MAX_LINES)
        await asyncio.sleep(0.001)
        assert len(scene.line._lines) == MAX_LINES
        scene.choir.now["a"].set_result(sound("a"))
        await job
        assert len(scene.texts) == 1 + 3 * MAX_LINES
        await scene.line.close()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(["speak", "silent", "fail"]), max_size=12),
    st.integers(1, 4),
    st.randoms(use_true_random=False),
)
def test_any_mixture_arrives_in_order(kinds: list[str], jobs: int, dice: random.Random) -> None:
    """Each line once and in its place, whatever is spoken, fails, or is slow to be taken."""

    async def play() -> None:
        async with TaskScope("test") as scope:
            scene = Scene(scope, jobs)
            job = scene.say_all(*(f"{i}{'~' if kind == 'silent' else ''}" for i, kind in enumerate(kinds)))
            await settle()
            while not job.done():
                if dice.random() < 0.3:
                    scene.gate.clear()
                if scene.choir.now:
                    text = dice.choice(sorted(scene.choir.now))
                    if kinds[int(text)] == "fail":
                        scene.choir.now[text].set_exception(SpeechError("hoarse"))
                    else:
                        scene.choir.now[text].set_result(sound(text))
                    await settle()
                scene.gate.set()
                await settle()
            assert scene.texts == [f"{i}{'' if kind == 'speak' else '~'}" for i, kind in enumerate(kinds)]
            assert scene.choir.most <= jobs
            await scene.line.close()

    with asyncio.Runner(loop_factory=ManualLoop) as runner:
        runner.run(play())
