"""The sections of the server's settings: names, defaults, ranges. Nothing here reads a file.

Every section is frozen and hashable, so that an engine can be shared by all clients whose settings are equal.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr
from pydantic.dataclasses import dataclass

from greenroom.config.explain import Noun
from greenroom.config.source_urls import parse_source_url

__all__ = [
    "AgentSettings",
    "BuiltinSettings",
    "HistorySettings",
    "LimitSettings",
    "LogSettings",
    "ModerationSettings",
    "OpenAISettings",
    "OpsSettings",
    "QueueSettings",
    "RoomSettings",
    "Section",
    "ServerSettings",
    "SourceSettings",
    "TtsSettings",
    "VoiceSettings",
    "WakeWordSettings",
]

DAY = 86_400
MIB = 1024 * 1024
MAX_BYTES = 1024 * MIB


class Section(BaseModel):
    """A group of fields: unknown ones are errors, nothing changes after it is made."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


Seconds = Annotated[float, Field(gt=0, le=DAY, allow_inf_nan=False)]
SecondsOrZero = Annotated[float, Field(ge=0, le=DAY, allow_inf_nan=False)]
"""Seconds where 0 means "at once" or "never", as the field says."""
Bytes = Annotated[int, Field(ge=1024, le=MAX_BYTES)]
Port = Annotated[int, Field(ge=0, le=65_535), Noun("a port", "use 1..65535, or 0 for any free port")]


def _host(text: str) -> str:
    if not text or any(letter.isspace() or letter == "/" for letter in text):
        raise ValueError('is not a host; use a name or an address such as "127.0.0.1"')
    return text


def _base_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or any(letter.isspace() for letter in text):
        raise ValueError('is not a base URL; use one such as "http://127.0.0.1:11434/v1"')
    return text.rstrip("/")


def _variable(text: str) -> str:
    if text and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text):
        raise ValueError(
            "is not the name of an environment variable; put the key into one and the variable's name here"
        )
    return text


def _source_url(text: str) -> str:
    parse_source_url(text)
    return text.strip()


def _room_name(text: str) -> str:
    if not re.fullmatch(r"[\w.-]{1,64}", text):
        raise ValueError('is not a room\'s name; use up to 64 letters, digits, "-", "_" or "."')
    return text


class ServerSettings(Section):
    """Where the server listens, and what page it shows."""

    host: Annotated[str, AfterValidator(_host)] = "127.0.0.1"
    port: Port = 12393
    page_dir: Path | None = None
    """Another client's built page to serve instead of the one in the package."""
    tls_cert: Path | None = None
    """A certificate with its chain, in PEM. With it the server speaks https and wss only."""
    tls_key: Path | None = None
    """Its private key, in PEM; None: it is in the certificate's file."""


class LimitSettings(Section):
    """The bounds on everything a client can make the server hold or do."""

    max_connections: int = Field(default=2500, ge=1, le=1_000_000)
    """Pages and rooms' viewers together: a full room, and some pages beside it."""
    max_connections_per_address: int = Field(default=50, ge=1, le=1_000_000)
    """Loopback addresses are exempt."""
    max_text_bytes: Bytes = 64 * 1024
    max_audio_bytes: Bytes = 256 * 1024
    max_image_bytes: Bytes = 5 * 1024 * 1024
    max_images: int = Field(default=8, ge=0, le=100)
    max_image_pixels: int = Field(default=40_000_000, ge=1, le=1_000_000_000)
    """Width by height: a file of some kilobytes can unfold to gigabytes wherever it is decoded."""
    audio_buffer_seconds: Seconds = 60
    """The most speech kept for one utterance."""
    max_message_bytes: int = Field(default=16 * MIB, ge=64 * 1024, le=MAX_BYTES)
    """One message of any kind, as it comes; a larger one closes its connection (1009)."""
    inbox_bytes_total: int = Field(default=128 * MIB, ge=64 * 1024, le=64 * MAX_BYTES)
    """Of all clients together: messages that are not whole yet, and large ones that wait to be read."""
    messages_per_second: float = Field(default=50, gt=0, le=100_000, allow_inf_nan=False)
    message_burst: int = Field(default=100, ge=1, le=100_000)
    bytes_per_second: Bytes = 1024 * 1024
    """Of one client, sound and pictures included; the rest waits."""
    byte_burst: Bytes = 64 * 1024 * 1024
    """As much at once: minutes of speech, as pages send it after an utterance."""
    turns_waiting: int = Field(default=3, ge=0, le=1000)
    turn_seconds: Seconds = 120
    init_seconds: Seconds = 60
    """For loading a character's agent."""
    speech_jobs: int = Field(default=2, ge=1, le=64)
    """Sentences of one turn that are spoken at the same time."""
    memory_tokens: int = Field(default=8000, ge=100, le=10_000_000)
    outbox_messages: int = Field(default=256, ge=8, le=100_000)
    outbox_bytes: Bytes = 16 * 1024 * 1024
    outbox_drain_seconds: Seconds = 10
    close_seconds: Seconds = 5
    playback_grace_seconds: Seconds = 30
    """Waited beyond the length of the sound that was sent."""
    history_page: int = Field(default=100, ge=1, le=10_000)
    history_undo_seconds: SecondsOrZero = 600
    """How long the deletion of a conversation can be undone; 0: it cannot."""
    handshake_seconds: Seconds = 10
    """From connecting to the end of the request's head, TLS on its own."""
    upload_seconds: Seconds = 60
    """For the body of one request, and for one message of a client."""
    max_half_open: int = Field(default=2000, ge=10, le=1_000_000)
    """Connections without a request, at the same time; the oldest goes."""
    ping_seconds: Seconds = 20
    shutdown_seconds: Seconds = 5
    engines_idle_seconds: SecondsOrZero = 300
    """How long an engine that no client uses is kept."""
    max_rss_mb: int = Field(default=0, ge=0, le=1024 * 1024)
    """Resident memory of the process in MiB above which new pages are refused; 0: no limit."""


class HistorySettings(Section):
    """Where conversations are kept."""

    on_unusable: Literal["fail", "memory"] = "fail"
    """The data folder cannot be written, or the database is damaged, locked or newer: `fail` does not start;
    `memory` starts, says so, leaves the files alone and keeps conversations only until the server stops."""
    max_mb: int = Field(default=4096, ge=0, le=1024 * 1024)
    """Size in MiB that the file of conversations may grow to; after that talk goes on and is not kept. 0: no limit."""
    max_per_character: int = Field(default=1_000_000, ge=0, le=1_000_000_000)
    """Conversations of one character; after that new ones are not kept. 0: no limit."""


class BuiltinSettings(Section):
    """The agent in the package: it needs no model, and its pace can be set to that of any."""

    first_token_seconds: SecondsOrZero = 0.25
    tokens_per_second: float = Field(default=40.0, ge=0, le=1_000_000, allow_inf_nan=False)
    """0: as fast as possible."""
    slots: int = Field(default=0, ge=0, le=10_000)
    """Replies made at once over all clients that share the engine; 0: no limit."""
    init_seconds: SecondsOrZero = 0.0
    """A slow model load, modelled."""
    words: int = Field(default=0, ge=0, le=100_000)
    """A fixed length of reply; 0: its natural length."""


class OpenAISettings(Section):
    """A server that speaks the OpenAI chat API."""

    base_url: Annotated[str, AfterValidator(_base_url)] | None = None
    model: str | None = Field(default=None, min_length=1, max_length=500)
    api_key_env: Annotated[str, AfterValidator(_variable)] = Field(default="OPENAI_API_KEY", max_length=200)
    """The name of the environment variable that holds the key; empty: send none."""
    api_key: SecretStr | None = Field(default=None, repr=False)
    """A key from a file made for another server. Better keep keys in the environment."""
    temperature: float | None = Field(default=None, ge=0, le=2)
    max_tokens: int | None = Field(default=None, ge=1, le=10_000_000)
    connect_seconds: Seconds = 5
    first_token_seconds: Seconds = 60
    silence_seconds: Seconds = 30
    """The longest pause between two parts of a reply."""
    retries: int = Field(default=2, ge=0, le=10)
    max_concurrent: int = Field(default=0, ge=0, le=100_000)
    """Requests at once over all clients that share the engine; 0: no limit."""

    def key(self, environ: Mapping[str, str]) -> str | None:
        """Return the key to send, if there is one."""
        if self.api_key is not None:
            return self.api_key.get_secret_value() or None
        return environ.get(self.api_key_env, "").strip() or None if self.api_key_env else None


class AgentSettings(Section):
    """Who makes the replies. `auto`: the OpenAI API where it is set up, else the built-in agent."""

    kind: Literal["auto", "builtin", "openai"] = "auto"
    builtin: BuiltinSettings = BuiltinSettings()
    openai: OpenAISettings = OpenAISettings()


class TtsSettings(Section):
    """Text to speech."""

    engine: Literal["none", "tone"] = "none"
    seconds_per_sentence: SecondsOrZero = 1.0
    slots: int = Field(default=1, ge=1, le=64)


class VoiceSettings(Section):
    """What is heard and said."""

    tts: TtsSettings = TtsSettings()


class QueueSettings(Section):
    """The queue of each room."""

    max_waiting: int = Field(default=100, ge=1, le=100_000)
    per_sender: int = Field(default=3, ge=1, le=10_000)
    max_age_seconds: Seconds = 120
    merge_seconds: SecondsOrZero = 5
    """The same text of the same sender within it counts once; 0 merges nothing."""
    drop: Literal["reject-new", "drop-oldest"] = "reject-new"
    durable: bool = False
    """Keep accepted messages over a crash of the server."""


class RoomSettings(Section):
    """Conversations that many viewers share."""

    enabled: bool = True
    max_rooms: int = Field(default=100, ge=1, le=100_000)
    max_viewers: int = Field(default=2000, ge=1, le=1_000_000)
    """Per room; those of all rooms count towards `limits.max_connections`, too."""
    grace_seconds: SecondsOrZero = 30
    """An empty room is kept this long."""
    max_concurrent_forwards: int = Field(default=5, ge=1, le=1000)
    """Conversations at once, over all rooms."""
    conversation_seconds: Seconds = 240


class OpsSettings(Section):
    """The ops room: what `/ops` and `greenroom top` show."""

    enabled: bool = True
    max_subscribers: int = Field(default=200, ge=1, le=10_000)
    """Pages and terminals that watch at the same time."""
    subscriber_bytes: Bytes = 4 * 1024 * 1024
    """One that leaves more than this unread is dropped."""
    subscriber_seconds: Seconds = 30
    """One that reads nothing for so long, although there is something to read, is dropped."""
    history_seconds: int = Field(default=900, ge=60, le=7200)
    """How long each second is kept."""
    history_hours: int = Field(default=12, ge=1, le=168)
    """How long each half minute is kept."""
    visits: int = Field(default=2000, ge=100, le=20_000)
    """The latest visits that are kept."""
    closes: int = Field(default=100, ge=1, le=1000)
    """The latest closes that are kept."""
    tree_nodes: int = Field(default=2000, ge=50, le=10_000)
    """Owners and tasks on one page of the tree."""
    soak: bool = True
    """Whether a soak may be started from the page."""
    soak_visits: int = Field(default=200, ge=1, le=10_000)
    """The most visits of such a soak."""
    soak_seconds: Seconds = 900
    """Such a soak is ended after this long."""


Word = Annotated[str, Field(min_length=1, max_length=100)]
PerMinute = Annotated[int, Field(ge=0, le=100_000)]
"""Messages in any 60 seconds; 0: no limit."""


class ModerationSettings(Section):
    """Which messages of a live chat reach the character; its owner and moderators are exempt."""

    max_length: int = Field(default=300, ge=0, le=2000)
    """In characters; longer messages are refused. 0: no limit."""
    links: bool = False
    """Whether messages with links pass."""
    blocked_words: tuple[Word, ...] = Field(default=(), max_length=5000)
    """Refused as whole words, in any case; in Chinese and Japanese anywhere in the text."""
    max_repeats: int = Field(default=20, ge=0, le=2000)
    """The same character more often in a row is spam. 0: no limit."""
    sender_per_minute: PerMinute = 10
    per_minute: PerMinute = 600
    """All senders of the source together."""
    ignore_commands: bool = True
    """Whether messages such as "!uptime", which are meant for bots, are passed over."""


class SourceSettings(Section):
    """A live chat whose messages go to a room."""

    url: Annotated[str, AfterValidator(_source_url)] = Field(max_length=500)
    room: Annotated[str, AfterValidator(_room_name)] = "main"
    key_env: Annotated[str, AfterValidator(_variable)] = Field(default="", max_length=200)
    """The variable that holds the key or cookie; empty: YOUTUBE_API_KEY or BILIBILI_SESSDATA."""
    poll_seconds: float = Field(default=5.0, ge=1, le=3600, allow_inf_nan=False)
    """YouTube only: the shortest pause between two questions, each of which costs quota."""
    moderation: ModerationSettings = ModerationSettings()


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class LogSettings:
    """What is logged. A dataclass, because a model cannot have a field called `json`."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    json: bool = False
    """One JSON object a line, for machines."""


Words = Annotated[list[Annotated[str, Field(min_length=1, max_length=100)]], Field(max_length=50)]


class WakeWordSettings(Section):
    """Words that begin and end a spoken conversation, by language."""

    enabled: bool = False
    wake: dict[str, Words] = Field(default_factory=dict, max_length=20)
    end: dict[str, Words] = Field(default_factory=dict, max_length=20)
    idle_seconds: Seconds = 60
    """Back to listening for the wake word after this long without speech."""
