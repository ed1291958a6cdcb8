"""Tests of redaction.py."""

from __future__ import annotations

import json
import logging

import pytest

from greenroom.server.security.redaction import REDACTED, ScrubbingFormatter, Secrets


@pytest.mark.parametrize(
    "text",
    [
        "GET /client-ws?token=CANARY&room=main HTTP/1.1",
        "ws://host/client-ws?room=a&token=CANARY",
        "query: token=CANARY",
        '{"headers": {"authorization": "Bearer CANARY"}}',
        "[(b'authorization', b'Bearer CANARY')]".replace("', b'", "': b'"),
        "Authorization: Bearer CANARY",
        "authorization=Basic CANARY",
        "cookie: a=b; greenroom_12393=CANARY; c=d",
        "tried bearer CANARY",
    ],
)
def test_what_looks_like_a_secret_by_its_place(text: str) -> None:
    """Is taken out although nobody said that it is one."""
    clean = Secrets().scrub(text.replace("CANARY", "s3cr3t-value"))
    assert "s3cr3t-value" not in clean
    assert REDACTED in clean


@pytest.mark.parametrize("value", ["plain-secret", 'with"quote\\and', "mit ümlaut", "a&b c=d/e"])
def test_what_is_known_to_be_secret(value: str) -> None:
    """Is taken out wherever it stands, however it was written there."""
    known = Secrets()
    known.add(value, None, "", "short")
    for text in (f"x{value}y", json.dumps({"a": value}), repr([value]), json.dumps({"a": [value, "short"]})):
        assert REDACTED in known.scrub(text)
        assert value not in known.scrub(text)
    assert known.scrub("short") == "short"


def test_a_longer_secret_hides_before_a_shorter_one_inside_it() -> None:
    """No rest of it stays."""
    known = Secrets()
    known.add("secret-one")
    known.add("secret-one-and-more")
    assert known.scrub("secret-one-and-more") == REDACTED


def test_ordinary_lines_stay() -> None:
    """Names of tokens, numbers of tokens and the word itself are no secrets."""
    for line in (
        "token_name=kiosk tokens=12",
        "memory_tokens: 8000",
        "This server needs a token.",
        '{"token_name": "bot"}',
    ):
        assert Secrets().scrub(line) == line


def test_the_formatter_scrubs_tracebacks_too() -> None:
    """What an exception carries is scrubbed with the line it ends in."""
    known = Secrets()
    known.add("canary-secret")
    formatter = ScrubbingFormatter(logging.Formatter("%(message)s"), known)
    try:
        raise ValueError("no such thing: canary-secret")
    except ValueError as error:
        record = logging.LogRecord("x", logging.ERROR, "", 0, "failed with %s", ("canary-secret",), None)
        record.exc_info = (type(error), error, error.__traceback__)
    text = formatter.format(record)
    assert "Traceback" in text
    assert "canary" not in text
