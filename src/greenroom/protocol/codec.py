"""Text frames to messages and back.

`decode` tries the fast way first: one pass, straight into the message's class. Only a frame that fails is
looked at twice, for two kinds of sloppiness that real clients show: `null` for a field they could have left
out, and half an emoji (JavaScript cuts strings in the middle of a surrogate pair). What fails then raises
`InvalidMessage` and nothing else, whatever bytes a stranger sends.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any, Generic, TypeVar, get_args

import msgspec

from greenroom.protocol.client_messages import ClientMessage
from greenroom.protocol.parts import Message, wire_type
from greenroom.protocol.problems import InvalidMessage, UnknownType, explain
from greenroom.protocol.server_messages import ServerMessage

__all__ = ["SERVER_TYPES", "TYPES", "InvalidMessage", "UnknownType", "decode", "decode_server", "encode"]

TYPES: Mapping[str, type[Message]] = MappingProxyType(
    {wire_type(cls): cls for cls in get_args(ClientMessage)}
)
"""Wire type to class, for messages that clients send."""

SERVER_TYPES: Mapping[str, type[Message]] = MappingProxyType(
    {wire_type(cls): cls for cls in get_args(ServerMessage)}
)
"""Wire type to class, for messages that the server sends."""

M = TypeVar("M")

_UNREADABLE = (msgspec.DecodeError, UnicodeError, RecursionError, OverflowError)

_NULL_DEPTH = 3
"""How deep optional fields can lie: message, list, record."""

_ESCAPE = re.compile(
    r"""\\(?: u[dD][89abAB][0-9a-fA-F]{2} \\u[dD][c-fC-F][0-9a-fA-F]{2}   # a whole surrogate pair
          | (?P<half> u[dD][89a-fA-F][0-9a-fA-F]{2} )
          | . )""",
    re.VERBOSE | re.DOTALL,
)


class _Reader(Generic[M]):
    """Decodes the frames of one direction."""

    def __init__(self, union: Any, types: Mapping[str, type[Message]], theirs: Collection[str]) -> None:
        self._union = union
        self._types = types
        self._theirs = theirs
        self.decode_strictly: Callable[[str | bytes], M] = msgspec.json.Decoder(union).decode

    def decode_leniently(self, data: str | bytes, error: Exception) -> M:
        """Decode a frame that failed with `error`; raise InvalidMessage if it is beyond repair."""
        try:
            repaired = _without_half_characters(data)
            if repaired is not None:
                data = repaired
                return self.decode_strictly(data)
        except _UNREADABLE as second:
            error = second
        if isinstance(error, msgspec.ValidationError) and "got `null`" in str(error):
            try:
                plain = msgspec.json.decode(data)
            except _UNREADABLE:
                pass  # it has more faults than its nulls: the one found first is told
            else:
                try:
                    message: M = msgspec.convert(_without_nulls(plain, _NULL_DEPTH), self._union)
                    return message
                except _UNREADABLE as second:
                    error = second
        raise explain(data, error, self._types, self._theirs) from None


_from_client: _Reader[ClientMessage] = _Reader(ClientMessage, TYPES, SERVER_TYPES.keys())
_from_server: _Reader[ServerMessage] = _Reader(ServerMessage, SERVER_TYPES, TYPES.keys())
_decode_from_client = _from_client.decode_strictly
_decode_from_server = _from_server.decode_strictly
_encode = msgspec.json.Encoder().encode


def decode(data: str | bytes) -> ClientMessage:
    """Return the client's message in this frame.

    Raises UnknownType for an object with a type the protocol does not have, InvalidMessage for anything else
    that is not a message. Costs are linear in the frame's size, so bound the size before.
    """
    try:
        return _decode_from_client(data)
    except _UNREADABLE as error:
        return _from_client.decode_leniently(data, error)


def decode_server(data: str | bytes) -> ServerMessage:
    """Return the server's message in this frame, for bots and measuring clients; raises like `decode`."""
    try:
        return _decode_from_server(data)
    except _UNREADABLE as error:
        return _from_server.decode_leniently(data, error)


def encode(message: Message) -> str:
    """Return the text frame of a message.

    A number that JSON cannot express (NaN, infinity) becomes `null`. Half a surrogate pair, as left by a
    provider that streams an emoji in two pieces, becomes U+FFFD: a reply must not fail for it.
    """
    try:
        return _encode(message).decode()
    except UnicodeEncodeError:
        return _encode(_cleaned(msgspec.to_builtins(message))).decode()


def _without_half_characters(data: str | bytes) -> str | None:
    """Replace escaped halves of surrogate pairs in a JSON text; None if there are none."""
    text = data if isinstance(data, str) else bytes(data).decode("utf-8", "surrogateescape")
    if r"\ud" not in text and r"\uD" not in text:
        return None
    repaired = _ESCAPE.sub(lambda match: match[0] if match["half"] is None else r"\ufffd", text)
    return repaired if repaired != text else None


def _without_nulls(value: Any, depth: int) -> Any:
    """Drop the null fields of objects, down to `depth`: in this protocol null and absent mean the same."""
    if depth == 0:
        return value
    if isinstance(value, dict):
        return {key: _without_nulls(item, depth - 1) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item, depth - 1) for item in value]
    return value


def _cleaned(value: Any) -> Any:
    """Return plain data whose strings are all valid Unicode."""
    if isinstance(value, str):
        # UTF-16 joins two halves that meet and replaces those that do not.
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, dict):
        return {_cleaned(key): _cleaned(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(item) for item in value]
    return value
