"""Why a frame is not a message, in words a client's author can act on.

msgspec says what is wrong in one line meant for Python programmers. Here that line becomes a sentence that
names the field, what belongs there, what came instead, and the fix. Nothing a stranger sent is repeated at
length: error texts go to logs and screens.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Collection, Mapping
from functools import cache
from typing import Any, ClassVar

import msgspec
from msgspec import inspect as shapes

__all__ = ["MAX_ECHO", "InvalidMessage", "UnknownType", "explain"]

MAX_ECHO = 40
"""The most characters of a client's own text that an error repeats."""


class InvalidMessage(ValueError):
    """A frame that is not a message of the protocol.

    `message` is the sentence for the client, `field` the path of the wrong field, such as `images[0].data`,
    and `type` the message's type, as far as they are known.
    """

    code: ClassVar[str] = "invalid-message"

    def __init__(self, message: str, field: str | None = None, type: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.type = type


class UnknownType(InvalidMessage):
    """A well-formed object whose `type` the protocol does not have.

    `type` is cut to 40 characters. `known` are the types to choose from; `theirs` the types that exist but
    travel the other way.
    """

    code: ClassVar[str] = "unknown-type"

    def __init__(self, type: str, known: Collection[str] = (), theirs: Collection[str] = ()) -> None:
        name = _shortened(type)
        quoted = json.dumps(name, ensure_ascii=False)
        near = difflib.get_close_matches(name, known, n=1) if len(type) <= MAX_ECHO else []
        if type in theirs:
            message = f"Messages of type {quoted} are only sent by the other side. Do not send them here."
        elif near:
            message = f'There is no message type {quoted}. Did you mean "{near[0]}"?'
        else:
            message = f'There is no message type {quoted}. Use one of the protocol, such as "text-input".'
        super().__init__(message, field="type", type=name)


class _Head(msgspec.Struct):
    type: Any = msgspec.UNSET


_HEAD = msgspec.json.Decoder(_Head)

_WORDS = {
    "str": "a string",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
_PYTHON_WORDS = {str: "str", int: "int", float: "float", bool: "bool", list: "array", dict: "object"}

_PLACE = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")
_MISSING = re.compile(r"Object missing required field `(?P<name>\w+)`")
_WRONG = re.compile(r"Expected `(?P<wanted>[^`]+)`, got `(?P<got>\w+)`")
_LENGTH = re.compile(r"Expected `\w+` of length (?P<sign>[<>])= (?P<bound>\d+)")
_BOUND = re.compile(r"Expected `\w+` (?P<sign>[<>])= (?P<bound>-?\d+)")
_NOT_ALLOWED = re.compile(r"Invalid enum value ")
_OUT_OF_RANGE = re.compile(r"(?:Number|Integer value) out of range")


def explain(
    data: str | bytes,
    error: Exception,
    types: Mapping[str, type[msgspec.Struct]],
    theirs: Collection[str] = (),
) -> InvalidMessage:
    """Return the error to raise for a frame that could not be decoded.

    `error` is what the decoder raised, `types` the message types that may come from there, `theirs` those of
    the other direction.
    """
    if isinstance(error, RecursionError):
        return InvalidMessage("The message is nested too deeply. Send only the fields of the protocol.")
    if isinstance(error, UnicodeError):
        return InvalidMessage("The message is not valid UTF-8 text. Send JSON in a text frame.")
    if not isinstance(error, msgspec.ValidationError):
        reason = (
            str(error)
            .removeprefix("JSON is malformed: ")
            .replace("Input data was truncated", "it breaks off")
        )
        return InvalidMessage(f"This is not valid JSON: {reason}. Send one JSON object per message.")
    text = str(error)
    place = _PLACE.search(text)
    path = place["path"] if place else ""
    if (
        (not path and not _MISSING.match(text))
        or path == "type"
        or text == "Object missing required field `type`"
    ):
        return _explain_type(data, text, types, theirs)
    head = _head(data)
    return _explain_field(text, path, head if isinstance(head, str) and head in types else None, types)


def _explain_type(
    data: str | bytes, text: str, types: Mapping[str, type[msgspec.Struct]], theirs: Collection[str]
) -> InvalidMessage:
    wrong = _WRONG.match(text)
    if wrong:
        got = _WORDS.get(wrong["got"], "something else")
        return InvalidMessage(f"A message must be one JSON object with the field `type`, but {got} was sent.")
    head = _head(data)
    if head is msgspec.UNSET:
        message = 'The field `type` is missing. Add it: a string such as "text-input".'
    elif isinstance(head, str) and head not in types:
        return UnknownType(head, types.keys(), theirs)
    elif isinstance(head, str):
        message = "The field `type` is there twice, with different values. Send it once."
    else:
        got = _WORDS[_PYTHON_WORDS.get(type(head), "null")]
        message = f'The field `type` must be a string such as "text-input", but {got} was sent.'
    return InvalidMessage(message, field="type")


def _explain_field(
    text: str, path: str, kind: str | None, types: Mapping[str, type[msgspec.Struct]]
) -> InvalidMessage:
    intro = f"{kind}: the" if kind else "The"
    missing = _MISSING.match(text)
    if missing:
        name = missing["name"]
        path = f"{path}.{name}" if path else name
        wanted = _required(tuple(types.values())).get(name)
        what = f": {wanted}" if wanted else ""
        return InvalidMessage(f"{intro} field `{path}` is missing or null. Add it{what}.", path, kind)
    if wrong := _WRONG.match(text):
        names = [name for name in wrong["wanted"].split(" | ") if name != "null"]
        wanted = " or ".join(_WORDS.get(name, name) for name in names)
        got = wrong["got"]
        if got == "str" and names[0] in ("int", "float"):
            fix = "Send it without quotes."
        elif "str" in names and got in ("int", "float", "bool"):
            fix = "Put the value in quotes."
        else:
            fix = f"Send {wanted}."
        problem = f"must be {wanted}, but {_WORDS.get(got, 'something else')} was sent. {fix}"
    elif length := _LENGTH.match(text):
        if length["sign"] == "<":
            problem = f"must have at most {length['bound']} characters. Shorten it."
        else:
            problem = f"is too short: its length must be at least {length['bound']}. Fill it in."
    elif bound := _BOUND.match(text):
        many = bound["sign"] == "<"
        limit = f"{'at most' if many else 'at least'} {bound['bound']}"
        problem = f"must be {limit}. Send a {'smaller' if many else 'larger'} number."
    elif _OUT_OF_RANGE.match(text):
        problem = "holds a number that is too large. Send a number in the usual range."
    elif _NOT_ALLOWED.match(text):
        problem = "has a value that is not allowed there. Use one that the protocol names."
    else:
        problem = "is not as the protocol has it. Compare it with the schema."
    return InvalidMessage(f"{intro} field `{path}` {problem}", path, kind)


def _head(data: str | bytes) -> Any:
    """Return the value of `type`, or UNSET; the frame is already known to be readable up to its error."""
    try:
        return _HEAD.decode(data).type
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return msgspec.UNSET  # what follows the field at fault is damaged, too


@cache
def _required(classes: tuple[type[msgspec.Struct], ...]) -> dict[str, str]:
    """Return, for each field that some message requires, what belongs there."""
    found: dict[str, str] = {}

    def visit(shape: shapes.Type) -> str:
        if isinstance(shape, shapes.Metadata):
            return visit(shape.type)
        if isinstance(shape, shapes.UnionType):
            return " or ".join(visit(member) for member in shape.types)
        if isinstance(shape, shapes.StructType):
            for field in shape.fields:
                words = visit(field.type)
                if field.required:
                    found[field.encode_name] = words
            return _WORDS["object"]
        if isinstance(shape, shapes.ListType):
            visit(shape.item_type)
            return _WORDS["array"]
        return _SHAPE_WORDS.get(type(shape), "a value")

    for shape in shapes.multi_type_info(classes):
        visit(shape)
    return found


_SHAPE_WORDS: dict[type[shapes.Type], str] = {
    shapes.BoolType: _WORDS["bool"],
    shapes.DictType: _WORDS["object"],
    shapes.FloatType: _WORDS["float"],
    shapes.IntType: _WORDS["int"],
    shapes.LiteralType: _WORDS["str"],
    shapes.NoneType: _WORDS["null"],
    shapes.StrType: _WORDS["str"],
}


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_ECHO else text[: MAX_ECHO - 1] + "…"
