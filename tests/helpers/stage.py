"""A stage for tests: a real `ServiceContext` whose every neighbour the test holds in its hands.

The connection records what is sent and can refuse to take it, the agent says a token when the test says so,
the voice is serial and speaks on demand, histories are kept in memory, the clock moves only by `advance`.

    @staged
    async def test_something(stage: Stage) -> None:
        client = await stage.open()
        await client.say("Hello?")
        reply = await stage.engine().next_stream()
        reply.token("Hi. ")
        await stage.settle()
        assert client.kinds() == ["control", "full-text", "audio"]

A test that leaves a task, a waiter, a lease, a thread or a registry entry behind, or logs an error it did not
announce (`stage.expect_errors`), fails.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
import logging
import tempfile
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from structlog.testing import capture_logs
from tests.helpers.loop import ManualLoop, advance, settle

from greenroom.agents.base import AgentEngine, AgentError, ChatRequest, EngineStatistics
from greenroom.agents.pool import EnginePool
from greenroom.config.character import Character
from greenroom.config.characters import CharacterEntry, CharacterStore
from greenroom.config.settings import AgentSettings, Settings, VoiceSettings
from greenroom.history import HistoryStore, StoredMessage
from greenroom.protocol import decode_server, encode
from greenroom.sessions.outbox import OutboxClosed
from greenroom.sessions.router import Router
from greenroom.sessions.service_context import ServiceContext
from greenroom.sessions.services import NoMeter, Services, TurnEnd, VoicePool
from greenroom.tasks import TaskScope
from greenroom.voice import Speech, SpeechEngine, SpeechError, SpeechStatistics

Json = dict[str, Any]

CHARACTER = """\
conf_name: {name}
conf_uid: uid_{low}
character_name: {name}
persona_prompt: You are {name}.
proactive_prompt: Say something, {name}.
avatar: {low}.png
emotion_map: {{joy: 3, sad: gloom}}
agent: {{kind: openai, openai: {{base_url: "http://127.0.0.1:9/v1", model: {low}}}}}
voice: {{tts: {{engine: {voice}}}}}
"""
WAKE_WORDS = """\
wake_words:
  enabled: true
  wake: {en: [hey gamma, AI], zh: [小白], ja: [ホワイト]}
  end: {en: [goodbye, end], zh: [再见], ja: [またね]}
  idle_seconds: 60
"""
OPENING = ["fetch-backgrounds", "fetch-configs", "fetch-history-list", "create-new-history"]
"""What the real page sends as soon as its socket is open."""


@lru_cache(maxsize=1)
def _character_store() -> CharacterStore:
    """Alpha and Beta are silent, Gamma wants to be called by name, Delta speaks. Read once for all tests."""
    folder = tempfile.TemporaryDirectory(prefix="greenroom-stage-")
    for name, voice, more in (
        ("Alpha", "none", ""),
        ("Beta", "none", ""),
        ("Gamma", "none", WAKE_WORDS),
        ("Delta", "tone", ""),
    ):
        text = CHARACTER.format(name=name, low=name.lower(), voice=voice) + more
        Path(folder.name, f"{name.lower()}.yaml").write_text(text, encoding="utf-8")
    settings = Settings(data_dir=Path(folder.name), character="alpha.yaml")
    store = CharacterStore([Path(folder.name)], settings, environ={}, clock=lambda: 0.0)
    assert len(store.entries()) == 4
    folder.cleanup()
    return store


class Characters:
    """What a `CharacterStore` offers, with characters that a test can change."""

    def __init__(self) -> None:
        self.default = "alpha.yaml"
        self._changed: dict[str, Character] = {}

    def entries(self) -> tuple[CharacterEntry, ...]:
        return _character_store().entries()

    def load(self, filename: str) -> Character:
        return self._changed.get(filename) or _character_store().load(filename)

    def change(self, filename: str, **fields: Any) -> None:
        self._changed[filename] = replace(self.load(filename), **fields)


class ScriptedStream:
    """One reply of a `ScriptedEngine`; `ended` tells how it ended, None while it runs."""

    def __init__(self, request: ChatRequest) -> None:
        self.request = request
        self.ended: str | None = None
        self._steps: deque[str | BaseException | None] = deque()
        self._wake: asyncio.Event = asyncio.Event()

    @property
    def talk(self) -> list[tuple[str, str]]:
        """The messages it was asked with."""
        return [(message.role, message.content) for message in self.request.messages]

    def token(self, *texts: str) -> ScriptedStream:
        """Release tokens."""
        self._steps.extend(texts)
        self._wake.set()
        return self

    def end(self) -> None:
        """The reply is over."""
        self._steps.append(None)
        self._wake.set()

    def fail(self, error: BaseException | None = None) -> None:
        """The reply breaks off; with an `AgentError` unless told otherwise."""
        self._steps.append(error or AgentError("The model fell over.", hint="Try again."))
        self._wake.set()

    async def run(self) -> AsyncGenerator[str, None]:
        try:
            while True:
                while not self._steps:
                    self._wake.clear()
                    await self._wake.wait()
                step = self._steps.popleft()
                if step is None:
                    self.ended = "finished"
                    return
                if isinstance(step, BaseException):
                    self.ended = "failed"
                    raise step
                yield step
        finally:
            self.ended = self.ended or "aborted"


class ScriptedEngine(AgentEngine):
    """An agent that does nothing of its own accord.

    Args:
        ready: `start` returns at once; otherwise the test lets it (`start_ends`).
    """

    def __init__(self, model: str, ready: bool) -> None:
        self.model = model
        self.description = f"scripted {model}"
        self.streams: list[ScriptedStream] = []
        self.state = "new"
        self._taken = 0
        self._more = asyncio.Event()
        self._start: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if ready:
            self._start.set_result(None)

    async def start(self) -> None:
        self.state = "starting"
        try:
            await self._start
        except asyncio.CancelledError:
            self.state = "cancelled"
            raise
        except AgentError:
            self.state = "failed"
            raise
        self.state = "ready"

    def start_ends(self, error: AgentError | None = None) -> None:
        """Let `start` return, or fail."""
        if error is None:
            self._start.set_result(None)
        else:
            self._start.set_exception(error)

    def stream(self, request: ChatRequest) -> AsyncGenerator[str, None]:
        stream = ScriptedStream(request)
        self.streams.append(stream)
        self._more.set()
        return stream.run()

    async def next_stream(self) -> ScriptedStream:
        """The next reply somebody asked for; those given up meanwhile are passed over."""
        while len(self.streams) <= self._taken:
            self._more.clear()
            await self._more.wait()
        while self._taken < len(self.streams) - 1 and self.streams[self._taken].ended:
            self._taken += 1
        self._taken += 1
        return self.streams[self._taken - 1]

    async def aclose(self) -> None:
        # What came of its start stays to be seen.
        if self.state not in ("cancelled", "failed"):
            self.state = "closed"

    def statistics(self) -> EngineStatistics:
        ended = [stream.ended for stream in self.streams]
        return EngineStatistics(
            generating=ended.count(None),
            started=len(ended),
            finished=ended.count("finished"),
            aborted=ended.count("aborted"),
            failed=ended.count("failed"),
        )


class ScriptedVoice(SpeechEngine):
    """Speaks one sentence at a time, each until the test says that it is done; `auto` does so at once."""

    description = "scripted voice"

    def __init__(self) -> None:
        self.auto = False
        self.asked: list[str] = []
        self.spoken: list[str] = []
        self.cancelled: list[str] = []
        self._free = asyncio.Semaphore(1)
        self._now: tuple[str, asyncio.Future[Speech]] | None = None

    @property
    def speaking(self) -> str | None:
        """The sentence it is at."""
        return self._now[0] if self._now is not None and not self._now[1].done() else None

    async def synthesize(self, text: str) -> Speech:
        self.asked.append(text)
        try:
            async with self._free:
                if not self.auto:
                    future: asyncio.Future[Speech] = asyncio.get_running_loop().create_future()
                    self._now = (text, future)
                    try:
                        speech = await future
                    finally:
                        self._now = None
                else:
                    speech = sound(text)
        except asyncio.CancelledError:
            self.cancelled.append(text)
            raise
        self.spoken.append(text)
        return speech

    def done(self, seconds: float = 1.0) -> None:
        """The sentence it is at has been spoken."""
        assert self._now is not None, "it speaks nothing"
        self._now[1].set_result(sound(self._now[0], seconds))

    def fail(self, error: Exception | None = None) -> None:
        assert self._now is not None, "it speaks nothing"
        self._now[1].set_exception(error or SpeechError("hoarse"))

    async def aclose(self) -> None:
        pass

    def statistics(self) -> SpeechStatistics:
        waiting = len(self.asked) - len(self.spoken) - len(self.cancelled) - (self._now is not None)
        return SpeechStatistics(int(self._now is not None), waiting, len(self.spoken), 0, len(self.cancelled))


def sound(text: str, seconds: float = 1.0) -> Speech:
    """Sound that holds its sentence, so that a test can see which one it is."""
    return Speech(f"WAV:{text}".encode(), seconds, (0.5, 1.0))


class Voices(VoicePool):
    """Gives every character that speaks the stage's one voice."""

    def __init__(self, scope: TaskScope, voice: ScriptedVoice) -> None:
        super().__init__(scope)
        self._voice = voice

    def get(self, settings: VoiceSettings) -> SpeechEngine | None:
        return None if settings.tts.engine == "none" else self._voice


class FakeConnection:
    """Records what is written; `block` makes the socket take nothing."""

    def __init__(self) -> None:
        self.messages: list[Json] = []
        self.dropped: list[tuple[int, str]] = []
        self.error: Exception | None = None
        self._room = asyncio.Event()
        self._room.set()

    def block(self) -> None:
        self._room.clear()

    def unblock(self) -> None:
        self._room.set()

    async def send_text(self, text: str) -> None:
        await self._room.wait()
        if self.error is not None:
            raise self.error
        # What the server sends must be a message of the protocol.
        assert encode(decode_server(text)) == text
        self.messages.append(json.loads(text))

    def drop(self, code: int, reason: str) -> None:
        self.dropped.append((code, reason))


class Meter(NoMeter):
    """Remembers what was counted."""

    def __init__(self) -> None:
        self.turns: list[str] = []
        self.visits: list[bool] = []
        self.running = 0
        self.closed: list[bool] = []
        self.refusals: list[str] = []

    def turn_began(self) -> None:
        self.running += 1

    def turn_ended(self, turn: TurnEnd) -> None:
        self.running -= 1
        self.turns.append(turn.how)
        self.visits.append(turn.visit)

    def client_closed(self, seconds: float, clean: bool) -> None:
        self.closed.append(clean)

    def refused(self, what: str) -> None:
        self.refusals.append(what)


class Client:
    """One visitor: its context, its router and its end of the wire."""

    def __init__(self, stage: Stage, context: ServiceContext, connection: FakeConnection) -> None:
        self.stage = stage
        self.context = context
        self.connection = connection
        self.router = Router(context)
        self._seen = 0
        self._readers = 0

    # -- what it sends -------------------------------------------------------------------------------------

    async def send(self, kind: str, **fields: Any) -> None:
        """One message, handled to its end; then everything settles."""
        await self.raw(json.dumps({"type": kind, **fields}))

    async def raw(self, frame: str | bytes) -> None:
        await self.router.receive(frame)
        await self.stage.settle()

    async def say(self, text: str, **fields: Any) -> None:
        await self.send("text-input", text=text, **fields)

    def send_soon(self, *messages: Json) -> asyncio.Task[None]:
        """Handle messages one after the other in the background, as the read loop does, without a pause."""
        self._readers += 1

        async def read() -> None:
            for message in messages:
                await self.router.receive(json.dumps(message))

        return self.stage.start(read())

    # -- what it sees --------------------------------------------------------------------------------------

    def new(self) -> list[Json]:
        """The messages since the last look."""
        messages = self.connection.messages[self._seen :]
        self._seen = len(self.connection.messages)
        return messages

    def kinds(self) -> list[str]:
        """The new messages in short: `control end`, `audio Hello.`, `error busy`."""
        return [short(message) for message in self.new()]

    def errors(self) -> list[Json]:
        return [message for message in self.connection.messages if message["type"] == "error"]

    # -- what it knows -------------------------------------------------------------------------------------

    @property
    def memory(self) -> list[tuple[str, str]]:
        """Role and text of what its agent remembers."""
        agent = self.context.agent
        assert agent is not None
        return [(message.role, message.content) for message in agent.memory.messages()]

    async def history(self, uid: str | None = None, conf_uid: str | None = None) -> list[tuple[str, str]]:
        """Role and text of what is stored of its conversation."""
        uid = uid or self.context.history_uid
        conf_uid = conf_uid or self.context.character.conf_uid
        return [] if uid is None else await self.stage.history(uid, conf_uid)

    async def close(self, reason: str = "the page was closed") -> None:
        await self.context.close(reason)
        await self.stage.settle()


def short(message: Json) -> str:
    """A message in a few words."""
    kind = message["type"]
    match kind:
        case "control":
            return "control " + message["text"].removeprefix("conversation-chain-")
        case "audio":
            return f"audio {message['display_text']['text']}"
        case "error":
            return f"error {message.get('code')}"
        case "set-model-and-conf":
            return f"model {message['conf_name']}"
        case "full-text":
            return f"full-text {message['text']}"
        case "wake-word-state":
            return f"wake {message['action']}"
    return str(kind)


class Stage:
    """All a server shares, and the clients a test opens."""

    def __init__(self, histories: HistoryStore, limits: Json) -> None:
        # The clock stands still, so the pace of messages is for the tests that are about it.
        limits = {"message_burst": 100_000, **limits}
        settings = Settings.model_validate({"limits": limits, "character": "alpha.yaml"})
        self.root = TaskScope("server")
        self.histories = histories
        self.characters = Characters()
        self.voice = ScriptedVoice()
        self.meter = Meter()
        self.engines: list[ScriptedEngine] = []
        self.ready = True
        """Whether engines made from now on start at once."""
        self.errors: list[logging.LogRecord] = []
        self.log: list[Json] = []
        """What the sessions logged, as events with their fields."""
        self.expected_errors: set[str] = set()
        self._helpers = TaskScope("the test itself")
        self._beside: list[Coroutine[Any, Any, None]] = []
        self.pool = EnginePool(self.root.child("engines"), self._create, idle_seconds=1e6, max_idle=100)
        self.services = Services(
            settings=settings,
            scope=self.root.child("clients"),
            characters=self.characters,  # type: ignore[arg-type]
            engines=self.pool,
            voices=Voices(self.root, self.voice),
            histories=histories,
            backgrounds=lambda: ["room.jpeg"],
            agent=AgentSettings(kind="builtin"),
            meter=self.meter,
        )
        self.clients: list[Client] = []
        self._asked: set[asyncio.Future[Any]] = set()
        crew = histories._crew
        for name in ("write", "ask"):
            setattr(crew, name, self._noted(getattr(crew, name)))

    def _noted(self, ask: Callable[..., asyncio.Future[Any]]) -> Callable[..., asyncio.Future[Any]]:
        """The store's counts fall in its threads, before the loop has the answer: `settle` waits for that."""

        def asked(*args: Any, **options: Any) -> asyncio.Future[Any]:
            answer = ask(*args, **options)
            self._asked.add(answer)
            answer.add_done_callback(self._asked.discard)
            return answer

        return asked

    def _create(self, settings: AgentSettings) -> ScriptedEngine:
        engine = ScriptedEngine(settings.openai.model or "", self.ready)
        self.engines.append(engine)
        return engine

    # -- cast ----------------------------------------------------------------------------------------------

    def connect(self, address: str = "10.0.0.1") -> Client:
        """A client that has not been greeted yet."""
        connection = FakeConnection()
        context = ServiceContext(self.services, connection, f"client-{len(self.clients)}", address)
        self.services.registry.add(context)
        client = Client(self, context, connection)
        self.clients.append(client)
        return client

    async def open(self, character: str | None = None, *, page: bool = True) -> Client:
        """A greeted client, as a page (with a history) or a bot; what it was sent so far counts as seen."""
        if character is not None:
            self.characters.default = character
        client = self.connect()
        await client.context.open()
        if page:
            for kind in OPENING:
                await client.send(kind)
        await self.settle()
        client.new()
        return client

    def engine(self, model: str | None = None) -> ScriptedEngine:
        """The newest engine (of a model)."""
        found = [engine for engine in self.engines if model in (None, engine.model)]
        assert found, f"nobody has asked for an agent {model or ''}"
        return found[-1]

    async def stream(self, model: str | None = None) -> ScriptedStream:
        """The next reply that is asked of the newest engine (of a model)."""
        await self.settle()
        engine = self.engine(model)
        assert len(engine.streams) > engine._taken, "nobody has asked for a reply"
        return await engine.next_stream()

    # -- time ----------------------------------------------------------------------------------------------

    async def settle(self) -> None:
        """Let everything run until all tasks are blocked, and what was handed to the store is stored."""
        await settle()
        while self._asked:
            await asyncio.wait(tuple(self._asked))
            await settle()

    async def advance(self, seconds: float) -> None:
        """Move the clock."""
        await self.settle()
        await advance(seconds)
        await self.settle()

    def start(self, coro: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something beside the test."""
        self._beside.append(coro)

        async def quietly() -> None:
            with suppress(OutboxClosed):
                await coro

        job = self._helpers.start(quietly, name="test helper")
        assert isinstance(job, asyncio.Task)
        return job

    # -- what is left --------------------------------------------------------------------------------------

    async def history(self, uid: str, conf_uid: str = "uid_alpha") -> list[tuple[str, str]]:
        await self.settle()
        lines: tuple[StoredMessage, ...] = await self.histories.messages(conf_uid, uid)
        return [(line.role, line.content) for line in lines]

    def expect_errors(self, *texts: str) -> None:
        """Error log lines that contain one of these are part of the test."""
        self.expected_errors.update(texts)

    def assert_nothing_left(self) -> None:
        """No client has left anything behind."""
        for client in self.clients:
            if client.context._report is None:
                continue
            assert not client.context.scope.open
            assert len(client.context.message_handler) == 0
            assert len(client.context.outbox) == 0
            assert client.context not in list(self.services.registry)
        clients = self.services.scope.statistics()
        still = sum(1 for client in self.clients if client.context._report is None)
        assert len(self.services.registry) == still
        assert clients.scopes == 1 + 2 * still + sum(
            len(scope.children) for client in self.clients for scope in client.context.scope.children
        )
        assert clients.abandoned == 0
        if not still:
            assert (clients.running, clients.waiting, clients.submitters) == (0, 0, 0)
            assert self.pool.statistics().leased == 0
            assert self.pool.statistics().starting == 0
            assert self.voice.speaking is None
            assert all(stream.ended for engine in self.engines for stream in engine.streams)

    async def clear(self) -> None:
        """End everything after a test that failed, so that it does not disturb the next."""
        await self._helpers.close(1)
        await self.root.close(1)
        await self.pool.aclose()
        for coro in self._beside:
            coro.close()

    async def aclose(self) -> None:
        """Close all clients, look at what is left, close the rest."""
        for client in self.clients:
            client.connection.unblock()
            await client.context.close("the test is over")
        await self.settle()
        self.assert_nothing_left()
        await self._helpers.close()
        await self.pool.aclose()
        await self.root.close()
        told = [
            record.getMessage() + (f"\n{record.exc_info[1]!r}" if record.exc_info else "")
            for record in self.errors
        ]
        told += [str(entry) for entry in self.log if entry["log_level"] in ("error", "critical")]
        unexpected = [text for text in told if not any(known in text for known in self.expected_errors)]
        assert not unexpected, f"errors were logged: {unexpected}"


class _Errors(logging.Handler):
    def __init__(self, records: list[logging.LogRecord]) -> None:
        super().__init__(logging.ERROR)
        self.emit = records.append  # type: ignore[method-assign]


def staged(
    test: Callable[..., Coroutine[Any, Any, None]] | None = None, /, **limits: Any
) -> Callable[..., Any]:
    """Run an async test with a `Stage` as its first argument; `limits` differ from the settings' defaults."""
    if test is None:
        return functools.partial(staged, **limits)
    wanted: Callable[..., Coroutine[Any, Any, None]] = test

    async def play(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        histories = await HistoryStore.open(None)
        stage = Stage(histories, limits)
        handler = _Errors(stage.errors)
        logging.getLogger().addHandler(handler)
        unheard: list[Json] = []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: unheard.append(context))
        try:
            with capture_logs() as stage.log:
                try:
                    await wanted(stage, *args, **kwargs)
                    await stage.aclose()
                except BaseException:
                    await stage.clear()
                    raise
        finally:
            logging.getLogger().removeHandler(handler)
            await histories.aclose()
        assert not unheard, f"nobody handled: {unheard}"
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"tasks were left: {left}"

    @functools.wraps(wanted)
    def run(*args: Any, **kwargs: Any) -> None:
        with asyncio.Runner(loop_factory=ManualLoop) as runner:
            runner.run(play(args, kwargs))
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("history-")]

    signature = inspect.signature(wanted)
    run.__signature__ = signature.replace(parameters=list(signature.parameters.values())[1:])  # type: ignore[attr-defined]
    return run
