"""The `security` section: who may come in. Names, defaults, ranges; nothing here reads a file."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from greenroom.config.explain import Noun
from greenroom.config.sections import Section

__all__ = ["MIN_TOKEN", "SecuritySettings", "TokenSettings", "token_problem"]

MIN_TOKEN = 16
MAX_TOKEN = 512
MAKE_ONE = "make one with: greenroom token"

_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+")
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,252})|\[[0-9a-f:.]+\]")
_DEFAULT_PORTS = {"http": 80, "https": 443}


def token_problem(value: str) -> str:
    """What is wrong with a token, and the fix; empty if it will do."""
    if len(value) < MIN_TOKEN:
        return f"is shorter than {MIN_TOKEN} characters; {MAKE_ONE}"
    if len(value) > MAX_TOKEN:
        return f"is longer than {MAX_TOKEN} characters; {MAKE_ONE}"
    if not _TOKEN.fullmatch(value):
        return f"has other characters than A-Z, a-z, 0-9 and ._~+/=-; {MAKE_ONE}"
    if len(set(value)) < 6:
        return f"is too easy to guess; {MAKE_ONE}"
    return ""


def _token(secret: SecretStr | None) -> SecretStr | None:
    if secret is not None and (problem := token_problem(secret.get_secret_value())):
        raise ValueError(problem)
    return secret


def _items(value: Any) -> Any:
    """A list, or the text of an environment variable: its items between commas."""
    if isinstance(value, str):
        return tuple(item.strip() for item in value.split(",") if item.strip())
    return value


def _origin(text: str) -> str:
    if text == "null":
        raise ValueError("is no address; set allow_null_origin: true for pages opened from a file")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    rest = parts.path.rstrip("/") or parts.query or parts.fragment or parts.username
    if not parts.scheme or not parts.hostname or rest or "*" in text:
        raise ValueError('is not an origin; write scheme, host and port, such as "https://chat.example.org"')
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    shown = "" if port is None or port == _DEFAULT_PORTS.get(parts.scheme) else f":{port}"
    return f"{parts.scheme}://{host}{shown}"


def _host_name(text: str) -> str:
    name = text.lower().rstrip(".")
    if not _HOST.fullmatch(name):
        raise ValueError(
            'is not a host\'s name; write it without scheme and port, such as "chat.example.org"'
        )
    return name


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        raise ValueError('is no address of a proxy; write one such as "127.0.0.1" or "10.0.0.0/8"') from None


Token = Annotated[SecretStr, AfterValidator(_token)]
Origins = Annotated[
    tuple[Annotated[str, AfterValidator(_origin)], ...], BeforeValidator(_items), Field(max_length=100)
]
Hosts = Annotated[
    tuple[Annotated[str, AfterValidator(_host_name)], ...], BeforeValidator(_items), Field(max_length=100)
]
Networks = Annotated[
    tuple[Annotated[str, AfterValidator(_network)], ...], BeforeValidator(_items), Field(max_length=100)
]


Name = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9_.-]{1,40}$"),
    Noun("a token's name", "use up to 40 letters, digits and ._-"),
]


class TokenSettings(Section):
    """One more token, with a name that logs and metrics show instead of it, and limits of its own."""

    name: Name
    token: Token | None = Field(default=None, repr=False)
    token_file: Path | None = None
    max_connections: int = Field(default=0, ge=0, le=1_000_000)
    """Connections at once with this token; 0: no limit but the general ones."""
    messages_per_second: float = Field(default=0, ge=0, le=100_000, allow_inf_nan=False)
    """Over all connections with this token; 0: no limit but the general ones."""
    trusted: bool = False
    """Whether its word on senders' names and priorities counts in a room, as that of a program on this machine."""


class SecuritySettings(Section):
    """Who may come in. With no token and on loopback: whoever is on this machine."""

    token: Token | None = Field(default=None, repr=False)
    """What visitors must show. Set, it is asked of everybody, on this machine too."""
    token_file: Path | None = None
    ops_token: Token | None = Field(default=None, repr=False)
    """What `/ops`, `/metrics` and details of the status ask for; it opens everything else too."""
    ops_token_file: Path | None = None
    tokens: tuple[TokenSettings, ...] = Field(default=(), max_length=1000)
    insecure_open: bool = False
    """Whether the server may be open to everybody although others can reach it."""
    trust_loopback: bool = False
    """Whether programs and pages on this machine need no token although one is set."""
    allowed_origins: Origins = ()
    """Pages of other origins that may connect."""
    allow_null_origin: bool = False
    """Whether pages opened from a file may connect (`Origin: null` and `file://`), as desktop apps do."""
    allowed_hosts: Hosts = ()
    """Names this server is called by, besides localhost, this machine's name and addresses."""
    trusted_proxies: Networks = ()
    """Reverse proxies whose word on the visitor's address, scheme and host counts."""
    session_hours: float = Field(default=720, gt=0, le=24 * 366, allow_inf_nan=False)
    """How long a log-in lasts; a restart of the server ends it too."""
    max_sessions: int = Field(default=10_000, ge=1, le=1_000_000)
    """Log-ins remembered; the oldest goes first."""
    wrong_tokens_per_minute: int = Field(default=10, ge=1, le=10_000)
    """Different ones, from one address; after that it is not listened to until the minute is over."""
