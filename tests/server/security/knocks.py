"""Requests at the door, made by hand."""

from __future__ import annotations

from typing import Any

from greenroom.config.security import SecuritySettings
from greenroom.config.settings import Settings
from greenroom.config.tokens import load_tokens
from greenroom.server.security.admission import Admission, Entry, Knock, Refusal

TOKEN = "visitors-token-0123456789"
OPS_TOKEN = "operators-token-9876543210"
BOT_TOKEN = "bot-token-abcdefghijklmnop"


def knock(
    path: str = "/client-ws",
    *,
    kind: str = "websocket",
    method: str = "GET",
    query: str = "",
    address: str = "127.0.0.1",
    secure: bool = False,
    now: float = 0.0,
    **headers: str,
) -> Knock:
    """A request; header names with `_` for `-`. The host is the one that a page on this machine would use."""
    headers = {"host": "127.0.0.1:12393", **headers}
    raw = {
        name.replace("_", "-").lower().encode(): value.encode("latin-1") for name, value in headers.items()
    }
    return Knock(kind, method, path, query, raw, address, secure, 12393, now)


def admission(connected: frozenset[str] = frozenset(), **security: Any) -> Admission:
    """The rules for a `security` section."""
    section = SecuritySettings.model_validate(security)
    tokens = load_tokens(Settings(security=section))
    return Admission(section, tokens, is_connected=connected.__contains__)


def judged(rules: Admission, one: Knock) -> Entry | Refusal:
    return rules.judge(one, rules.peer(one))


def answer(rules: Admission, one: Knock) -> str:
    """The refusal's code, or the words for what the visitor may do."""
    found = judged(rules, one)
    if isinstance(found, Refusal):
        return found.code
    visitor = found.visitor
    return " ".join(
        word
        for word, holds in (("visit", visitor.may_visit), ("ops", visitor.may_ops), ("here", visitor.here))
        if holds
    )
