"""Tests of reading a provider's list of models."""

from __future__ import annotations

import pytest

from greenroom.agents.models import chat_models, parse_models, without_user


def test_parse_models() -> None:
    """Names come in order; anything else is no list."""
    assert parse_models(b'{"object":"list","data":[{"id":"b"},{"id":"a","x":1}]}') == ["b", "a"]
    for body in (b"", b"[]", b"{}", b'{"data":null}', b'{"data":[{"name":"x"}]}', b"<html>", b"\xff"):
        assert parse_models(body) is None


@pytest.mark.parametrize(
    "name",
    [
        "llama3",
        "qwen2.5:7b",
        "gpt-4o-mini",
        "mistral-nemo",
        "deepseek-r1",
        "TinyLlama/x",
        "hermes-3",
        "phi-3.5-vision",
    ],
)
def test_chat_names(name: str) -> None:
    """Chat models are taken."""
    assert chat_models([name]) == [name]


@pytest.mark.parametrize(
    "name",
    ["nomic-embed-text", "text-embedding-3-small", "BAAI/bge-m3", "whisper-1", "tts-1-hd",
     "omni-moderation-latest", "dall-e-3", "gpt-image-1", "jina-reranker",
     "all-minilm:33m", "stable-diffusion-xl", "gpt-4o-transcribe",
     ""],
)  # fmt: skip
def test_other_names(name: str) -> None:
    """Embeddings, speech and image models are not."""
    assert chat_models([name]) == []


def test_without_user() -> None:
    """A user and password in a URL are not shown."""
    assert without_user("http://me:secret@host:80/v1") == "http://host:80/v1"
    assert without_user("http://host/v1@x") == "http://host/v1@x"
