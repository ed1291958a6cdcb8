"""Tests of the codec: round trips of everything, and any bytes a stranger may send."""

from __future__ import annotations

import json
import sys
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import inspect as shapes

from greenroom.protocol.client_messages import ClientMessage, Heartbeat, TextInput
from greenroom.protocol.codec import (
    SERVER_TYPES,
    TYPES,
    InvalidMessage,
    UnknownType,
    decode,
    decode_server,
    encode,
)
from greenroom.protocol.server_messages import (
    Audio,
    DisplayText,
    FullText,
    InterruptNotice,
    ServerMessage,
    SetModelAndConf,
)

# --- strategies, made from the classes themselves ---

ints = st.integers(-(2**63), 2**63 - 1)
finite = st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | ints | finite | st.text(max_size=20)
plain = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)


def values(shape: shapes.Type) -> st.SearchStrategy[Any]:
    """Return a strategy for every value that a field of this shape may hold."""
    if isinstance(shape, shapes.Metadata):
        return values(shape.type)
    if isinstance(shape, shapes.UnionType):
        return st.one_of(*map(values, shape.types))
    if isinstance(shape, shapes.ListType):
        return st.lists(values(shape.item_type), max_size=4)
    if isinstance(shape, shapes.TupleType):
        return st.tuples(*map(values, shape.item_types))
    if isinstance(shape, shapes.DictType):
        return st.dictionaries(st.text(max_size=8), values(shape.value_type), max_size=3)
    if isinstance(shape, shapes.LiteralType):
        return st.sampled_from(shape.values)
    if isinstance(shape, shapes.StrType):
        return st.text(min_size=shape.min_length or 0, max_size=min(shape.max_length or 30, 30))
    if isinstance(shape, shapes.IntType):
        low, high = shape.ge, shape.le
        return st.integers(-(2**63) if low is None else low, 2**63 - 1 if high is None else high)
    if isinstance(shape, shapes.FloatType):
        return finite
    if isinstance(shape, shapes.BoolType):
        return st.booleans()
    if isinstance(shape, shapes.NoneType):
        return st.none()
    if isinstance(shape, shapes.AnyType):
        return plain
    assert isinstance(shape, shapes.StructType), shape
    return st.builds(shape.cls, **{field.name: values(field.type) for field in shape.fields})


def messages(union: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for every message of one direction."""
    return st.one_of(*(values(shapes.type_info(cls)) for cls in get_args(union)))


client_messages = messages(ClientMessage)
server_messages = messages(ServerMessage)


# --- round trips ---


@given(client_messages)
@settings(deadline=None)
def test_client_round_trip(message: Any) -> None:
    """Every client message comes back from its frame as itself, from text and from bytes."""
    frame = encode(message)
    assert decode(frame) == message
    assert decode(frame.encode()) == message
    assert json.loads(frame)["type"] in TYPES


@given(server_messages)
@settings(deadline=None)
def test_server_round_trip(message: Any) -> None:
    """Every server message comes back from its frame as itself, in standard JSON."""
    frame = encode(message)
    assert decode_server(frame) == message
    assert json.loads(frame)["type"] in SERVER_TYPES


def test_types_map_both_ways() -> None:
    """The type tables hold every class of their direction and cannot be changed."""
    assert set(TYPES.values()) == set(get_args(ClientMessage))
    assert set(SERVER_TYPES.values()) == set(get_args(ServerMessage))
    with pytest.raises(TypeError):
        TYPES["x"] = Heartbeat  # type: ignore[index]


def test_same_type_in_both_directions() -> None:
    """interrupt-signal means one thing from a client and another from the server."""
    frame = encode(InterruptNotice())
    assert decode_server(frame) == InterruptNotice()
    assert decode(frame) == TYPES["interrupt-signal"](text="conversation-interrupted")


# --- what strangers send ---


def refusals(data: Any) -> list[InvalidMessage]:
    """Decode in both directions; return the errors, checked to be fit to send. Other exceptions escape."""
    errors: list[InvalidMessage] = []
    for read in (decode, decode_server):
        try:
            read(data)
        except InvalidMessage as error:
            errors.append(error)
    for error in errors:
        assert error.message == str(error)
        assert len(error.message) < 300
        assert error.__suppress_context__
        assert error.message.encode()  # no half characters in it
    return errors


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_any_bytes(data: bytes) -> None:
    """Random bytes raise InvalidMessage and nothing else."""
    assert len(refusals(data)) == 2


@given(st.text(st.characters(), max_size=200) | st.text('{}[]":,\\utdDe08+- \ud83d\ude00', max_size=60))
@settings(deadline=None)
def test_any_text(data: str) -> None:
    """Random text, also with lone surrogates, raises InvalidMessage and nothing else."""
    assert len(refusals(data)) == 2


@given(plain)
@settings(deadline=None)
def test_any_json(value: Any) -> None:
    """Any JSON that is not a message raises InvalidMessage and nothing else."""
    if not (isinstance(value, dict) and value.get("type") in {*TYPES, *SERVER_TYPES}):
        assert len(refusals(json.dumps(value))) == 2


@given(client_messages | server_messages, st.data())
@settings(max_examples=300, deadline=None)
def test_damaged_message(message: Any, data: st.DataObject) -> None:
    """A real message with fields replaced, or bytes cut, added or changed, never raises anything else."""
    frame = json.loads(encode(message))
    for key in data.draw(st.sets(st.sampled_from(sorted(frame)))):
        frame[key] = data.draw(plain | st.just(10**400) | st.just(float("nan")) | st.just("\ud83d"))
    frame |= data.draw(st.dictionaries(st.sampled_from(["images", "text", "zz"]), plain, max_size=2))
    raw = json.dumps(frame).encode()
    cut = data.draw(st.integers(0, len(raw)))
    refusals(raw)
    refusals(raw[:cut])
    refusals(raw[:cut] + data.draw(st.binary(max_size=4)) + raw[cut + 1 :])


LIMIT = sys.getrecursionlimit()


@pytest.mark.parametrize("depth", [10, 100, *range(LIMIT - 120, LIMIT + 30, 10), 10 * LIMIT, 1_000_000])
@pytest.mark.parametrize("opening", ["[", '{"a":'])
@pytest.mark.parametrize(
    "head",
    [
        "",
        '{"type":"heartbeat","q":',
        '{"q":',
        '{"type":',
        '{"type":"mic-audio-data","audio":',
        '{"type":"mic-audio-end","images":null,"q":',
        '{"type":"text-input","text":5,"q":',
        r'{"type":"text-input","text":"\ud83d","q":',
        '{"type":"set-model-and-conf","model_info":',
    ],
)
def test_deep_nesting(head: str, opening: str, depth: int) -> None:
    """Nesting of any depth is refused politely, closed or not."""
    closing = "]" if opening == "[" else "0}"
    refusals(head + opening * depth)
    refusals(head + opening * depth + closing * depth + "}")


@pytest.mark.parametrize(
    "frame",
    [
        '{"type":"ai-speak-signal","idle_time":NaN}',
        '{"type":"ai-speak-signal","idle_time":-Infinity}',
        '{"type":"ai-speak-signal","idle_time":' + "9" * 400 + "}",
        '{"type":"ai-speak-signal","images":null,"idle_time":' + "9" * 400 + "}",
        '{"type":"fetch-history-list","limit":' + "9" * 5000 + "}",
        '{"type":"fetch-history-list","before":null,"limit":' + "9" * 5000 + "}",
        '{"type":"text-input","images":null,"q":' + "9" * 5000 + "}",
        '{"type":"heartbeat","type":"text-input","text":"x"}',
        '{"type":"heartbeat"}{"type":"heartbeat"}',
        '\ufeff{"type":"heartbeat"}',
        '{"type":"text-input","text":"\ud800"}',
        '{"type":"text-input","text":"a\nb"}',
        b'{"type":"text-input","text":"\xff"}',
        b'{"type":"text-input","text":"\\ud83d \xff"}',
        b"\x00\x01\x02",
        b"",
    ],
)
def test_hostile_frame(frame: str | bytes) -> None:
    """Numbers without end, doubled types, and broken text are refused."""
    with pytest.raises(InvalidMessage):
        decode(frame)
    refusals(frame)


def test_numbers_stay_finite() -> None:
    """No decoded number is infinite or NaN, so nothing downstream has to look for it."""
    for number in ("1e308", "-1e-400", "0.1"):
        message = decode('{"type":"ai-speak-signal","idle_time":' + number + "}")
        assert json.dumps(msgspec.to_builtins(message), allow_nan=False)


def test_damage_later_in_the_frame() -> None:
    """An error is told also when what follows it cannot be read."""
    with pytest.raises(InvalidMessage, match="`text` must be a string") as caught:
        decode('{"type":"text-input","text":4')
    assert caught.value.type is None


def test_unknown_type_is_an_invalid_message() -> None:
    """A caller that catches InvalidMessage also catches unknown types, and can tell them apart."""
    with pytest.raises(UnknownType) as caught:
        decode('{"type":"mcp-tool-call","tool_name":"x"}')
    assert isinstance(caught.value, InvalidMessage)
    assert (caught.value.type, caught.value.field, caught.value.code) == (
        "mcp-tool-call",
        "type",
        "unknown-type",
    )


# --- encode ---


def test_encode_keeps_unicode() -> None:
    """Text is sent as UTF-8, not as escapes, and control characters are escaped."""
    frame = encode(TextInput("你好 😀\n"))
    assert frame.startswith('{"type":"text-input","text":"你好 😀\\n","images":[],"name":null')


def test_encode_half_characters() -> None:
    """Halves of an emoji that a provider streamed apart are joined or replaced; the rest is untouched."""
    assert json.loads(encode(FullText("a\ud83d\ude00b\ude00c\ud83d")))["text"] == "a😀b\ufffdc\ufffd"
    model = {"url": "/m", "tags\ud83d": ["\ud83d", 1, None, {"k": ("\ude00",)}]}
    frame = json.loads(encode(SetModelAndConf(model, "n", "u")))
    assert frame == {
        "type": "set-model-and-conf",
        "model_info": {"url": "/m", "tags\ufffd": ["\ufffd", 1, None, {"k": ["\ufffd"]}]},
        "conf_name": "n",
        "conf_uid": "u",
    }


def test_encode_half_characters_in_a_sentence() -> None:
    """The slow way leaves out and keeps the same fields as the fast one."""
    whole = json.loads(encode(Audio(None, display_text=DisplayText("x"))))
    broken = json.loads(encode(Audio(None, display_text=DisplayText("\ud83d"))))
    assert broken == {**whole, "display_text": {"text": "\ufffd", "name": None, "avatar": None}}


@given(st.text(st.characters(), max_size=30))
@settings(deadline=None)
def test_encode_any_text(text: str) -> None:
    """No text makes encode fail, and what it makes is valid UTF-8."""
    frame = encode(FullText(text))
    assert decode_server(frame.encode("utf-8"))


def test_encode_numbers_json_lacks() -> None:
    """NaN and infinity become null: valid JSON, which clients that look at `volumes` must not choke on."""
    frame = json.loads(encode(Audio(None, [float("nan"), float("inf"), 0.5])))
    assert frame["volumes"] == [None, None, 0.5]
