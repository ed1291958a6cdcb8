"""Tests of the chat API on the wire."""

from __future__ import annotations

import json
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.agents.base import ChatMessage, ChatRequest
from greenroom.agents.openai_wire import (
    MAX_LINE,
    GarbageError,
    ProviderError,
    Reply,
    encode_request,
    error_message,
)

from .fault_provider import delta

IMAGE = "data:image/png;base64,AAAA"


def test_neighbours_of_one_role_become_one() -> None:
    """User and assistant take turns on the wire, whatever the memory holds; system messages stay apart."""
    talk = [
        ChatMessage("user", "a"),
        ChatMessage("user", "b"),
        ChatMessage("assistant", "c"),
        ChatMessage("system", "d"),
        ChatMessage("system", "e"),
        ChatMessage("user", "f", (IMAGE,)),
        ChatMessage("user", "g"),
    ]
    sent = json.loads(encode_request(ChatRequest("", talk), "m"))["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "system", "system", "user"]
    assert sent[0]["content"] == "a\nb"
    assert [part["type"] for part in sent[-1]["content"]] == ["text", "image_url", "text"]


def test_optional_fields() -> None:
    """What is not set is not sent; the name of the token bound can differ."""
    body = json.loads(encode_request(ChatRequest("s", [ChatMessage("user", "a")]), "m"))
    assert set(body) == {"model", "messages", "stream"}
    body = json.loads(
        encode_request(ChatRequest("s", []), "m", temperature=0.0, max_tokens=5, max_tokens_field="max_x")
    )
    assert (body["temperature"], body["max_x"]) == (0.0, 5)


@pytest.mark.usefixtures("no_garbage_collection")
def test_big_prompts_are_cheap() -> None:
    """A prompt of a megabyte is encoded in a few milliseconds."""
    request = ChatRequest(
        "", [ChatMessage("user" if i % 2 else "assistant", "word " * 100) for i in range(2000)]
    )
    began = perf_counter()
    assert len(encode_request(request, "m")) > 1_000_000
    assert perf_counter() - began < 0.1


@given(
    st.lists(st.text(min_size=1), max_size=8), st.lists(st.integers(1, 40), min_size=1), st.sampled_from("nr")
)
def test_any_cut_gives_the_same_text(texts: list[str], cuts: list[int], newline: str) -> None:
    """However the bytes are cut into reads, the text is the same."""
    end = "\n\n" if newline == "n" else "\r\n\r\n"
    stream = "".join(f"data: {json.dumps(delta(text))}{end}" for text in texts).encode() + b"data: [DONE]"
    reply, text, at, i = Reply(), "", 0, 0
    while at < len(stream):
        size = cuts[i % len(cuts)]
        text += reply.feed(stream[at : at + size])
        at, i = at + size, i + 1
    text += reply.end()
    assert text == "".join(texts)
    assert reply.done
    assert reply.events == len(texts)


@given(st.binary(max_size=300))
def test_any_bytes_are_survived(data: bytes) -> None:
    """Bytes of any kind give text or one of the two errors, nothing else."""
    reply = Reply()
    try:
        reply.feed(b"data:" + data + b"\n" + data)
        reply.end()
    except (GarbageError, ProviderError):
        pass


def test_endless_line_is_refused() -> None:
    """A line that never ends does not fill the memory."""
    reply = Reply()
    reply.feed(b"x" * (MAX_LINE // 2))
    reply.feed(b"x" * (MAX_LINE // 2))
    with pytest.raises(GarbageError):
        reply.feed(b"x")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b'data: {"error":{"message":"too hot","code":500}}\n', "too hot"),
        (b'data: {"error":"too hot"}\n', "too hot"),
        (b'error: {"code":500,"message":"too hot"}\n', "too hot"),
        (b'data: {"object":"error","message":"too hot"}\n', "too hot"),
        (b'data: {"error":{"code":"E7"}}\n', "E7"),
    ],
)
def test_error_shapes(line: bytes, words: str) -> None:
    """Errors inside the stream are found in each shape that servers use."""
    with pytest.raises(ProviderError, match=words):
        Reply().feed(line)


def test_error_message() -> None:
    """The provider's own words are found in its refusal; a web page has none."""
    assert error_message(b'{"error":{"message":"no"}}') == "no"
    assert error_message(b'{"detail":"Not Found"}') == "Not Found"
    assert error_message(b"plain words") == "plain words"
    assert error_message(b"<html>500</html>") == error_message(b"[]") == error_message(b"{}") == ""


@pytest.mark.usefixtures("no_garbage_collection")
def test_chunks_are_cheap() -> None:
    """Reading a token's event takes a few microseconds."""
    event = f"data: {json.dumps(delta('word'))}\n\n".encode()
    reply = Reply()
    best = min(_seconds(reply, event) for _ in range(5))
    assert best / 1000 < 50e-6


def _seconds(reply: Reply, event: bytes) -> float:
    began = perf_counter()
    for _ in range(1000):
        reply.feed(event)
    return perf_counter() - began
