"""Tests of the OpenAI-compatible engine against a provider that fails as told."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from time import monotonic
from typing import Any

import pytest

from greenroom.agents import openai_http
from greenroom.agents.base import AgentError, ChatMessage, ChatRequest
from greenroom.agents.openai_compatible import OpenAICompatibleEngine
from greenroom.config.settings import OpenAISettings

from .fault_provider import (
    FaultProvider,
    Script,
    cut_after,
    delta,
    error_object,
    finish,
    garbage,
    ok,
    slowly,
    stall_after,
    stall_first,
    status,
)
from .helpers import wait_until

SECRET = "sk-very-secret-key"
WORDS = "my private words"


def request(*messages: ChatMessage) -> ChatRequest:
    return ChatRequest("You are kind.", messages or (ChatMessage("user", WORDS),))


class Naps:
    """Takes the place of `sleep` between attempts: remembers, does not wait."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await asyncio.sleep(0)


@asynccontextmanager
async def engine_for(
    provider: FaultProvider, naps: Naps | None = None, **settings: Any
) -> AsyncIterator[OpenAICompatibleEngine]:
    values: dict[str, Any] = {"base_url": provider.base_url, "model": "test-model"} | settings
    engine = OpenAICompatibleEngine(
        OpenAISettings(**values),
        environ={"OPENAI_API_KEY": SECRET},
        sleep=naps or Naps(),
        jitter=lambda: 0.5,
    )
    await engine.start()
    try:
        yield engine
    finally:
        await engine.aclose()


async def text_of(engine: OpenAICompatibleEngine, asked: ChatRequest | None = None) -> str:
    return "".join([piece async for piece in engine.stream(asked or request())])


async def fails(engine: OpenAICompatibleEngine, into: list[str] | None = None) -> AgentError:
    pieces = [] if into is None else into
    with pytest.raises(AgentError) as caught:
        async for piece in engine.stream(request()):
            pieces.append(piece)
    assert SECRET not in str(caught.value)
    assert WORDS not in str(caught.value)
    return caught.value


async def test_reply_is_streamed() -> None:
    """A reply arrives in pieces, from a request that carries persona, talk, model and key."""
    async with FaultProvider(slowly(ok("Hel", "lo", " you."), 0.001)) as provider:
        async with engine_for(provider, temperature=0.5, max_tokens=9) as engine:
            pieces = [piece async for piece in engine.stream(request())]
            assert "".join(pieces) == "Hello you."
            assert len(pieces) > 1
            assert engine.statistics().finished == 1
        seen = provider.requests[0]
        assert seen.path == "/v1/chat/completions"
        assert seen.headers["authorization"] == f"Bearer {SECRET}"
        assert seen.json == {
            "model": "test-model",
            "messages": [{"role": "system", "content": "You are kind."}, {"role": "user", "content": WORDS}],
            "stream": True,
            "temperature": 0.5,
            "max_tokens": 9,
        }


async def test_connection_is_kept() -> None:
    """Finished replies leave their connection to the next one."""
    async with FaultProvider(ok("One.")) as provider, engine_for(provider) as engine:
        for _ in range(5):
            assert await text_of(engine) == "One."
        assert provider.connections == 1


@pytest.mark.parametrize(
    ("script", "text"),
    [
        (Script(events=("Hi", finish()), end="no-done"), "Hi"),
        (Script(events=("Hi", finish()), end="close"), "Hi"),
        (Script(events=("Hi", finish()), end="stall"), "Hi"),
        (Script(events=("Hi",), end="no-done"), "Hi"),
        (Script(events=("Hi", finish()), end="cut"), "Hi"),
        (ok("Hi", newline="\r\n"), "Hi"),
        (
            Script(
                events=(delta(""), {"choices": [{"delta": {"content": None, "role": "assistant"}}]}, "Hi")
            ),
            "Hi",
        ),
        (Script(events=({"choices": [{"delta": {"reasoning_content": "hm"}}]}, "Hi")), "Hi"),
        (Script(events=("Hi", {"choices": [], "usage": {"total_tokens": 3}})), "Hi"),
        (Script(events=({"choices": [], "usage": None}, "Hi", {"id": "x"})), "Hi"),
        (Script(events=(b": ping", b"event: message", "Hi", b"data:", b"id: 4")), "Hi"),
        (Script(events=(b'data:{"choices":[{"delta":{"content":"Hi"}}]}',)), "Hi"),
        (Script(events=({"choices": [{"index": 1, "delta": {"content": "No"}}]}, "Hi")), "Hi"),
        (Script(events=({"choices": [{"delta": {"content": [{"type": "text", "text": "Hi"}]}}]},)), "Hi"),
        (Script(body=b'{"choices":[{"message":{"role":"assistant","content":"Hi"}}]}'), "Hi"),
    ],
)
async def test_shapes_of_good_answers(script: Script, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers differ in how they stream and end; a complete text is a complete text."""
    monkeypatch.setattr(openai_http, "GRACE", 0.02)
    async with FaultProvider(script) as provider, engine_for(provider) as engine:
        assert await text_of(engine) == text


@pytest.mark.parametrize("head", [True, False])
async def test_stall_before_first_token(head: bool) -> None:
    """A provider that never begins is given up on after `first_token_seconds`, and sees it."""
    async with FaultProvider(stall_first(head=head)) as provider:
        async with engine_for(provider, first_token_seconds=0.05) as engine:
            error = await fails(engine)
            assert "did not begin" in error.message
            assert "first_token_seconds" in error.hint
            assert error.retryable
            await asyncio.wait_for(provider.requests[0].aborted.wait(), 1)
        assert len(provider.requests) == 1


async def test_stall_in_the_middle() -> None:
    """Silence inside a reply ends it with an error, after the text so far."""
    async with (
        FaultProvider(stall_after("One,", " two")) as provider,
        engine_for(provider, silence_seconds=0.05) as engine,
    ):
        pieces: list[str] = []
        error = await fails(engine, pieces)
        assert "".join(pieces) == "One, two"
        assert "fell silent" in error.message
        assert engine.statistics().failed == 1
        assert engine.statistics().generating == 0


async def test_thinking_is_not_a_stall() -> None:
    """A model that thinks aloud for longer than `first_token_seconds` is alive, and none of it is said."""
    thought = {"choices": [{"delta": {"reasoning_content": "hm"}}]}
    script = Script(events=(*[thought] * 8, "Yes."), gap=0.02)
    async with (
        FaultProvider(script) as provider,
        engine_for(provider, first_token_seconds=0.1, silence_seconds=1) as engine,
    ):
        assert await text_of(engine) == "Yes."


async def test_cut_in_the_middle() -> None:
    """A broken connection raises after the text so far, and is not tried again."""
    async with FaultProvider(cut_after("One,")) as provider, engine_for(provider) as engine:
        pieces: list[str] = []
        error = await fails(engine, pieces)
        assert pieces == ["One,"]
        assert "in the middle" in error.message
        assert len(provider.requests) == 1


async def test_cut_of_a_body_without_length() -> None:
    """Where the end of the body is the end of the connection, an end without a finish reason is a cut."""
    async with (
        FaultProvider(Script(events=("One,",), end="close")) as provider,
        engine_for(provider) as engine,
    ):
        assert "closed the connection" in (await fails(engine)).message


@pytest.mark.parametrize(
    "first", [cut_after(), status(500), status(503), status(429), status(429, retry_after="1")]
)
async def test_retry_before_first_token(first: Script) -> None:
    """What fails before the first text is tried again; the user sees nothing of it."""
    naps = Naps()
    async with FaultProvider(first, ok("Fine.")) as provider, engine_for(provider, naps) as engine:
        assert await text_of(engine) == "Fine."
        assert len(provider.requests) == 2
        assert len(naps.seconds) == 1
        if dict(first.headers).get("retry-after"):
            assert naps.seconds[0] >= 1
        assert engine.statistics().finished == 1


async def test_retries_end() -> None:
    """After `retries` more attempts, ever further apart, the error is raised."""
    naps = Naps()
    async with (
        FaultProvider(status(500, "boom")) as provider,
        engine_for(provider, naps, retries=3) as engine,
    ):
        error = await fails(engine)
        assert "HTTP 500" in error.message
        assert "boom" in error.message
        assert error.retryable
        assert len(provider.requests) == 4
        assert naps.seconds == sorted(set(naps.seconds))


async def test_long_retry_after_is_told() -> None:
    """A provider that asks to wait for minutes is not waited for: the user is told."""
    naps = Naps()
    async with (
        FaultProvider(status(429, retry_after="600")) as provider,
        engine_for(provider, naps) as engine,
    ):
        error = await fails(engine)
        assert "600 s" in error.hint
        assert not naps.seconds


@pytest.mark.parametrize("code", [401, 403])
async def test_refused_key(code: int) -> None:
    """A refused key is named by its environment variable, never by itself, and not tried again."""
    script = status(code, f"Incorrect API key provided: {SECRET}")
    async with FaultProvider(script) as provider, engine_for(provider) as engine:
        error = await fails(engine)
        assert "OPENAI_API_KEY" in error.hint
        assert len(provider.requests) == 1


async def test_provider_repeats_key() -> None:
    """A key inside the provider's own words is cut out of them."""
    async with FaultProvider(status(400, f"bad {SECRET} thing")) as provider, engine_for(provider) as engine:
        error = await fails(engine)
        assert "bad … thing" in error.message
        assert not error.retryable


async def test_unknown_model_lists_what_is_there() -> None:
    """404 names the model and up to ten that the provider has."""
    names = tuple(f"model-{i}" for i in range(14))
    async with FaultProvider(status(404), models=names) as provider, engine_for(provider) as engine:
        error = await fails(engine)
        assert "'test-model'" in error.message
        assert "model-0, model-1" in error.hint
        assert "model-9 and 4 more" in error.hint


async def test_404_without_a_list() -> None:
    """404 from something that lists no models points at the address."""
    async with FaultProvider(status(404), models=None) as provider, engine_for(provider) as engine:
        assert "/v1" in (await fails(engine)).hint


@pytest.mark.parametrize(
    "script",
    [
        garbage(),
        garbage(b"", "text/plain"),
        garbage(b"not json", "application/json"),
        Script(events=(b"data: {broken",)),
        Script(events=(b'data: {"choices": 5}',)),
        Script(events=(b"\xff\xfe\xfd",)),
    ],
)
async def test_garbage(script: Script) -> None:
    """What is no chat API is called that, and not tried again."""
    async with FaultProvider(script) as provider, engine_for(provider) as engine:
        assert "does not speak the OpenAI chat API" in (await fails(engine)).message
        assert len(provider.requests) == 1


async def test_error_object_in_stream() -> None:
    """An error object inside the stream raises with its words, after the text so far."""
    async with (
        FaultProvider(error_object("One", message="out of memory")) as provider,
        engine_for(provider) as engine,
    ):
        pieces: list[str] = []
        error = await fails(engine, pieces)
        assert "out of memory" in error.message
        assert pieces in (["One"], [])


async def test_empty_reply() -> None:
    """An answer without text is an error that says why, if it can."""
    thought = {"choices": [{"delta": {"reasoning_content": "hm"}}]}
    async with (
        FaultProvider(Script(events=(thought, finish("length")))) as provider,
        engine_for(provider) as engine,
    ):
        error = await fails(engine)
        assert "empty" in error.message
        assert "max_tokens" in error.hint


async def test_nobody_listens() -> None:
    """A refused connection is tried again, then says which address."""
    async with FaultProvider() as provider:
        url = provider.base_url
    naps = Naps()
    engine = OpenAICompatibleEngine(
        OpenAISettings(base_url=url, model="m", retries=2), environ={}, sleep=naps
    )
    await engine.start()
    error = await fails(engine)
    assert url in error.message
    assert error.retryable
    assert len(naps.seconds) == 2
    await engine.aclose()


@pytest.mark.parametrize("script", [stall_first(head=True), stall_first(), stall_after("One,")])
async def test_cancel_aborts_at_the_provider(script: Script) -> None:
    """Cancelling the consumer closes the connection: the provider sees it within 100 ms."""
    async with (
        FaultProvider(script, ok("Next.")) as provider,
        engine_for(provider, max_concurrent=1) as engine,
    ):
        task = asyncio.get_running_loop().create_task(text_of(engine))
        await wait_until(lambda: bool(provider.requests))
        await asyncio.sleep(0.01)
        cancelled_at = monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        seen = provider.requests[0]
        await asyncio.wait_for(seen.aborted.wait(), 1)
        assert seen.aborted_at is not None
        assert seen.aborted_at - cancelled_at < 0.1
        assert engine.statistics().aborted == 1
        assert await text_of(engine) == "Next."


async def test_aclose_aborts_at_the_provider() -> None:
    """Closing the stream between two pieces does the same, and leaves no task or generator behind."""
    made: list[str] = []

    def factory(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> asyncio.Task[Any]:
        made.append(str(getattr(coro, "__qualname__", coro)))
        return asyncio.Task(coro, loop=loop, **options)

    async with FaultProvider(stall_after("One,")) as provider, engine_for(provider) as engine:
        loop = asyncio.get_running_loop()
        stream = engine.stream(request())
        assert await anext(stream) == "One,"
        loop.set_task_factory(factory)
        try:
            closed_at = monotonic()
            await stream.aclose()
            assert engine.statistics().generating == 0
            del stream
            await asyncio.wait_for(provider.requests[0].aborted.wait(), 1)
        finally:
            loop.set_task_factory(None)
        assert (provider.requests[0].aborted_at or 0) - closed_at < 0.1
        assert not [name for name in made if "generator" in name]
        assert engine.statistics().aborted == 1


async def test_random_aborts_leave_nothing() -> None:
    """After many replies aborted at random moments the engine is as new: no slot, no connection is lost."""
    chance = random.Random(7)
    async with (
        FaultProvider(slowly(ok(*"abcdefgh"), 0.001)) as provider,
        engine_for(provider, max_concurrent=3) as engine,
    ):
        loop = asyncio.get_running_loop()

        async def one(stop_after: int) -> None:
            async with aclosing(engine.stream(request())) as stream:
                count = 0
                async for _ in stream:
                    count += 1
                    if count > stop_after:
                        return

        for _ in range(6):
            tasks = [loop.create_task(one(chance.randrange(9))) for _ in range(8)]
            for task in tasks:
                loop.call_later(chance.random() * 0.02, task.cancel)
            await asyncio.wait(tasks)
        numbers = engine.statistics()
        assert numbers.generating == numbers.waiting == 0
        assert numbers.started == numbers.finished + numbers.aborted
        assert provider.most_streaming <= 4  # The provider may see an abort a tick after the next request.
        await wait_until(lambda: provider.streaming == 0)
        assert await text_of(engine) == "abcdefgh"


async def test_slots_wait_in_line() -> None:
    """With `max_concurrent` 1 the provider never sees two replies at once."""
    async with (
        FaultProvider(slowly(ok("a", "b"), 0.002)) as provider,
        engine_for(provider, max_concurrent=1) as engine,
    ):
        loop = asyncio.get_running_loop()
        tasks = [loop.create_task(text_of(engine)) for _ in range(4)]
        await wait_until(lambda: provider.streaming == 1)
        assert engine.statistics().waiting == 3
        await asyncio.wait(tasks)
        assert [task.result() for task in tasks] == ["ab"] * 4
        assert provider.most_streaming == 1


async def test_model_is_chosen() -> None:
    """Without a model in the settings, `start` takes the first listed one that can chat."""
    async with FaultProvider(models=("nomic-embed-text", "llama3", "other")) as provider:
        async with engine_for(provider, model=None) as engine:
            assert engine.model == "llama3"
            assert engine.description == f"llama3 at {provider.base_url}"
            await text_of(engine)
        assert provider.requests[0].json["model"] == "llama3"


@pytest.mark.parametrize(
    ("models", "words"),
    [((), "no model that can chat"), (("bge-m3",), "no model that can chat"), (None, "no chat API")],
)
async def test_no_model_to_choose(models: tuple[str, ...] | None, words: str) -> None:
    """A start that finds no model says so."""
    async with FaultProvider(models=models) as provider:
        engine = OpenAICompatibleEngine(OpenAISettings(base_url=provider.base_url), environ={})
        with pytest.raises(AgentError, match=words):
            await engine.start()
        await engine.aclose()


async def test_start_where_nobody_listens() -> None:
    """A start without a server raises and can be tried again."""
    async with FaultProvider() as provider:
        url = provider.base_url
    engine = OpenAICompatibleEngine(OpenAISettings(base_url=url), environ={})
    for _ in range(2):
        with pytest.raises(AgentError, match="cannot be reached"):
            await engine.start()
    await engine.aclose()


async def test_images_travel_as_parts() -> None:
    """Data URLs become image parts; any other URL is left out."""
    image = "data:image/png;base64,AAAA"
    message = ChatMessage("user", "Look", (image, "http://10.0.0.1/secret.png"))
    async with FaultProvider() as provider:
        async with engine_for(provider) as engine:
            await text_of(engine, request(message))
        assert provider.requests[0].json["messages"][1]["content"] == [
            {"type": "text", "text": "Look"},
            {"type": "image_url", "image_url": {"url": image}},
        ]


async def test_closed_and_unstarted() -> None:
    """A stream of an engine that is closed, or has not started, raises."""
    async with FaultProvider(stall_after("One,")) as provider:
        engine = OpenAICompatibleEngine(OpenAISettings(base_url=provider.base_url, model="m"), environ={})
        assert "not started" in (await fails(engine)).message
        await engine.start()
        stream = engine.stream(request())
        assert await anext(stream) == "One,"
        await engine.aclose()
        with pytest.raises(AgentError):
            await anext(stream)
        assert "shut down" in (await fails(engine)).message
        await engine.aclose()


async def test_nothing_private_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Neither the key nor anybody's words get into the log, retries and failures included."""
    caplog.set_level(logging.DEBUG, logger="greenroom")
    async with (
        FaultProvider(status(500, f"cannot do {WORDS}"), ok("Fine.")) as provider,
        engine_for(provider) as engine,
    ):
        assert await text_of(engine) == "Fine."
    logged = " ".join(record.getMessage() for record in caplog.records if record.name.startswith("greenroom"))
    assert "HTTP 500" in logged
    assert SECRET not in logged
    assert WORDS not in logged
