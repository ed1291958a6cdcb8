"""Tests of the sentences that explain a bad frame."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from greenroom.protocol.codec import TYPES, decode, decode_server
from greenroom.protocol.problems import MAX_ECHO, InvalidMessage, UnknownType

SENTENCES = [
    ("{}", 'The field `type` is missing. Add it: a string such as "text-input".'),
    ("[]", "A message must be one JSON object with the field `type`, but a list was sent."),
    ("5", "A message must be one JSON object with the field `type`, but a whole number was sent."),
    ("null", "A message must be one JSON object with the field `type`, but null was sent."),
    ("", "This is not valid JSON: it breaks off. Send one JSON object per message."),
    ("hello", "This is not valid JSON: invalid character (byte 0). Send one JSON object per message."),
    ('{"type":7}', 'The field `type` must be a string such as "text-input", but a whole number was sent.'),
    ('{"type":null}', 'The field `type` must be a string such as "text-input", but null was sent.'),
    ('{"type":{}}', 'The field `type` must be a string such as "text-input", but an object was sent.'),
    ('{"type":"text_input"}', 'There is no message type "text_input". Did you mean "text-input"?'),
    ('{"type":"qqq"}', 'There is no message type "qqq". Use one of the protocol, such as "text-input".'),
    (
        '{"type":"full-text","text":"x"}',
        'Messages of type "full-text" are only sent by the other side. Do not send them here.',
    ),
    (
        '{"type":"heartbeat","type":"fetch-configs"}',
        "The field `type` is there twice, with different values. Send it once.",
    ),
    ('{"type":"text-input"}', "text-input: the field `text` is missing or null. Add it: a string."),
    ('{"type":"raw-audio-data"}', "raw-audio-data: the field `audio` is missing or null. Add it: a list."),
    (
        '{"type":"mic-audio-end","images":[{}]}',
        "mic-audio-end: the field `images[0].data` is missing or null. Add it: a string.",
    ),
    (
        '{"type":"text-input","text":5}',
        "text-input: the field `text` must be a string, but a whole number was sent. "
        "Put the value in quotes.",
    ),
    (
        '{"type":"ai-speak-signal","idle_time":"5"}',
        "ai-speak-signal: the field `idle_time` must be a number, but a string was sent. "
        "Send it without quotes.",
    ),
    (
        '{"type":"mic-audio-end","images":"x"}',
        "mic-audio-end: the field `images` must be a list, but a string was sent. Send a list.",
    ),
    (
        '{"type":"frontend-playback-complete","request_id":{}}',
        "frontend-playback-complete: the field `request_id` must be a whole number or a string, "
        "but an object was sent. Send a whole number or a string.",
    ),
    (
        '{"type":"delete-history","history_uid":""}',
        "delete-history: the field `history_uid` is too short: its length must be at least 1. Fill it in.",
    ),
    (
        '{"type":"delete-history","history_uid":"' + "x" * 256 + '"}',
        "delete-history: the field `history_uid` must have at most 255 characters. Shorten it.",
    ),
    (
        '{"type":"fetch-history-list","limit":0}',
        "fetch-history-list: the field `limit` must be at least 1. Send a larger number.",
    ),
    (
        '{"type":"fetch-history-list","limit":1001}',
        "fetch-history-list: the field `limit` must be at most 1000. Send a smaller number.",
    ),
    (
        '{"type":"raw-audio-data","audio":[1e999]}',
        "raw-audio-data: the field `audio[0]` holds a number that is too large. "
        "Send a number in the usual range.",
    ),
    (
        '{"type":"heartbeat","q":' + "[" * 100_000,
        "The message is nested too deeply. Send only the fields of the protocol.",
    ),
    (
        b'{"type":"text-input","text":"\xff"}',
        "The message is not valid UTF-8 text. Send JSON in a text frame.",
    ),
]


@pytest.mark.parametrize(("frame", "sentence"), SENTENCES)
def test_sentence(frame: str | bytes, sentence: str) -> None:
    """The error names the field, what belongs there, what came, and the fix."""
    with pytest.raises(InvalidMessage) as caught:
        decode(frame)
    assert str(caught.value) == caught.value.message == sentence


def test_value_that_is_not_allowed() -> None:
    """A word outside the protocol's choices is refused without being repeated."""
    with pytest.raises(InvalidMessage) as caught:
        decode_server('{"type":"control","text":"dance"}')
    assert caught.value.message == (
        "control: the field `text` has a value that is not allowed there. Use one that the protocol names."
    )


@given(st.text(min_size=1, max_size=200))
@settings(deadline=None)
def test_unknown_type_echoes_little(name: str) -> None:
    """However long the unknown type is, the error repeats at most 40 characters of it."""
    if name in TYPES:
        return
    with pytest.raises(UnknownType) as caught:
        decode(json.dumps({"type": name}))
    assert caught.value.type is not None
    assert len(caught.value.type) <= MAX_ECHO
    assert name[: MAX_ECHO - 1].startswith(caught.value.type.removesuffix("…")) or len(name) <= MAX_ECHO
    assert len(name) <= MAX_ECHO or name not in caught.value.message


SECRET = "my password is hunter2"
REQUIRED = ("text", "audio", "history_uid", "invitee_uid", "target_uid")


@pytest.mark.parametrize("kind", sorted(k for k, c in TYPES.items() if c.__struct_fields__))
def test_no_content_in_errors(kind: str) -> None:
    """What a visitor typed into a field is never repeated, be it the wrong value or its neighbour."""
    for name in TYPES[kind].__struct_fields__:
        others = dict.fromkeys(REQUIRED, SECRET)
        frame = {"type": kind, **others, "secret": SECRET, name: {SECRET: [SECRET]}}
        with pytest.raises(InvalidMessage) as caught:
            decode(json.dumps(frame))
        assert SECRET not in caught.value.message
        assert SECRET not in (caught.value.field or "")


def test_unknown_type_alone() -> None:
    """UnknownType can be raised by a router with nothing but the type."""
    error = UnknownType("later-message")
    assert error.type == "later-message"
    assert error.field == "type"
    assert '"later-message"' in error.message
