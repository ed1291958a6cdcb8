"""What a provider lists: which of its models can chat, judged by their names, for the list says no more."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from msgspec import DecodeError, Struct, json

_NOT_CHAT = re.compile(
    r"embed|(?:^|[/_-])(?:bge|gte|e5|minilm|clip|siglip|tts|stt|asr|whisper|kokoro|piper|flux|sd|sdxl|sora|dall-e)"
    r"(?:$|[/_:.-]|\d)|rerank|moderation|transcribe|stable-diffusion|-image|realtime|^babbage|^davinci|colbert",
    re.IGNORECASE,
)

MAX_MODELS = 1000
"""Names of a list that are looked at."""


class _Model(Struct):
    id: str


class _ModelList(Struct):
    data: list[_Model]


_decoder = json.Decoder(_ModelList)


def parse_models(body: bytes) -> list[str] | None:
    """The names in the answer to `GET /models`; None if it is not such an answer."""
    try:
        return [model.id for model in _decoder.decode(body).data[:MAX_MODELS]]
    except (DecodeError, ValueError):
        return None


def chat_models(names: Iterable[str]) -> list[str]:
    """Those that can chat, in the provider's order; embeddings, speech and image models are left out."""
    return [name for name in names if name and not _NOT_CHAT.search(name)]


def without_user(url: str) -> str:
    """The URL without a user and password in it, fit to be shown."""
    parts = urlsplit(url)
    return url.replace(f"{parts.netloc.rpartition('@')[0]}@", "", 1) if "@" in parts.netloc else url
