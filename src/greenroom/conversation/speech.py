"""Sentences on their way to the visitor: spoken side by side, delivered in order."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from greenroom.tasks import TaskScope
from greenroom.voice import Speech, SpeechEngine

log = logging.getLogger("greenroom.conversation")

MAX_LINES = 100
"""Silent lines that may wait behind one that is being spoken."""


@dataclass(slots=True)
class Line:
    """One piece of the reply: what is shown, what is spoken (empty: nothing), and its sound once there."""

    display: str
    spoken: str
    actions: dict[str, object]
    before: str = ""
    """The white space between it and the line before."""
    speech: Speech | None = None
    ready: bool = False


class SpeechLine:
    """Synthesises at most `jobs` lines at once and hands them on in the order they came.

    Args:
        scope: owns the synthesis jobs; closing it gives up the engine and the places in its line.
        engine: None for a character without a voice: every line goes straight through.
        deliver: sends one line; may wait (a client that reads slowly).
    """

    def __init__(
        self,
        scope: TaskScope,
        engine: SpeechEngine | None,
        deliver: Callable[[Line], Awaitable[None]],
        jobs: int,
    ) -> None:
        self._engine = engine
        self._deliver = deliver
        self._lines: deque[Line] = deque()
        self._delivering = False
        self._drained: asyncio.Future[None] | None = None
        self._error: BaseException | None = None
        self._jobs = scope.child("speech", max_running=jobs) if engine is not None else None
        self.seconds = 0.0
        """How long the delivered sound plays."""

    async def say(self, line: Line) -> None:
        """Take the next line; waits while enough are being spoken."""
        self._raise_error()
        if len(self._lines) >= MAX_LINES:
            await self.drained()
        if self._engine is None or not line.spoken:
            line.ready = True
            self._lines.append(line)
            await self._hand_on()
            return
        assert self._jobs is not None
        self._lines.append(line)
        await self._jobs.submit(self._speak, self._engine, line, name="speech")

    async def _speak(self, engine: SpeechEngine, line: Line) -> None:
        try:
            speech = await engine.synthesize(line.spoken)
            # Sound in which there is nothing to hear makes clients stumble (olv-protocol §12).
            line.speech = speech if any(speech.volumes) else None
        except Exception as error:  # noqa: BLE001 - a voice that fails must not silence the text
            log.warning("a sentence could not be spoken: %s: %s", type(error).__name__, error)
        line.ready = True
        try:
            await self._hand_on()
        except Exception as error:  # noqa: BLE001 - it is kept, and raised in the turn, to which it belongs
            log.debug("a line could not be delivered: %s", type(error).__name__)

    async def _hand_on(self) -> None:
        """Deliver what is ready at the head; one at a time, whoever comes first does it for all."""
        if self._delivering:
            return
        self._delivering = True
        try:
            while self._lines and self._lines[0].ready:
                line = self._lines.popleft()
                if line.speech is not None:
                    self.seconds += line.speech.seconds
                await self._deliver(line)
        except BaseException as error:
            self._error = error
            raise
        finally:
            self._delivering = False
            if self._drained is not None and not self._drained.done() and (not self._lines or self._error):
                self._drained.set_result(None)

    async def drained(self) -> None:
        """Wait until everything said so far is delivered. Raises what delivering a line raised."""
        self._raise_error()
        while self._lines or self._delivering:
            self._drained = asyncio.get_running_loop().create_future()
            await self._drained
            self._raise_error()

    def _raise_error(self) -> None:
        if isinstance(self._error, Exception):
            raise self._error
        if self._error is not None:
            raise RuntimeError("the delivery of a line was cancelled") from self._error

    async def finish_silently(self) -> None:
        """Stop speaking, and deliver what is left without sound: the text is known, nobody need miss it."""
        await self.close()
        for line in self._lines:
            line.ready = True
        await self._hand_on()

    async def close(self) -> None:
        """Give up what is not delivered. Idempotent."""
        if self._jobs is not None:
            await self._jobs.close(reason="the turn is over")
