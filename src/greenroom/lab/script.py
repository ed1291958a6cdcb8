"""Scripts: how to visit a server that speaks JSON over WebSocket, but not OLV's protocol.

    name: my chat server
    url: ws://127.0.0.1:9000/ws          # the command line's address wins
    open:                                # what a page does when it opens
      - expect: {type: welcome}
    ask:                                 # one question, and its answer
      - send: {type: say, text: hello, id: "${uuid}"}
      - expect: {type: token}
        measure: first_reply
      - expect: {type: done}
        measure: whole_reply
    heartbeat:                           # optional; else the protocol's own ping is used
      send: {type: ping}
      expect: {type: pong}

An expectation matches a message that has at least these fields with these values; other messages are
passed over. `"*"` matches anything, `"~…"` a regular expression, a list what begins like it. `before` and
`after` hold HTTP requests around each visit. `save: {name: path.to.field}` keeps a value for `${name}`
later on.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
import yaml

MAX_STEPS = 1000
FIELD = re.compile(r"\$\{(\w+)\}")


class BadScript(ValueError):
    """A script that cannot be used; the text names the file, the field and the fix."""


class Http(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One HTTP request. `url` may be a path on the WebSocket's own host."""

    url: str
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    json: Any = None
    headers: dict[str, str] = {}
    save: dict[str, str] = {}
    status: int | None = None
    """What must come back; any below 400 by default."""


class Step(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Send something, then wait for something, then measure; each part is optional."""

    send: Any = None
    expect: Any = None
    measure: Literal["first_reply", "whole_reply"] | None = None
    save: dict[str, str] = {}
    pause: float = 0.0
    """Seconds, after the rest."""
    times: int = 1


class Heartbeat(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    send: Any
    expect: Any


class Script(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A whole script."""

    name: str
    ask: list[Step]
    url: str = ""
    headers: dict[str, str] = {}
    subprotocols: list[str] = []
    variables: dict[str, Any] = {}
    before: list[Http] = []
    open: list[Step] = []
    after: list[Http] = []
    heartbeat: Heartbeat | None = None


def read_script(path: Path) -> Script:
    """Read and check a script. Raises BadScript."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadScript(f"{path}: cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        raise BadScript(f"{path}: is not UTF-8") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark is not None else ""
        raise BadScript(f"{path}{line}: is no YAML ({getattr(error, 'problem', error)})") from error
    try:
        script = msgspec.convert(document, Script)
    except msgspec.ValidationError as error:
        raise BadScript(f"{path}: {_in_words(str(error))}") from error
    measured = [step.measure for step in script.ask if step.measure]
    if "first_reply" not in measured:
        raise BadScript(
            f"{path}: ask: no step has `measure: first_reply`; mark the one that the user waits for"
        )
    if not any(step.send is not None for step in script.ask):
        raise BadScript(f"{path}: ask: nothing is sent; the first step usually has a `send`")
    if any(not 1 <= step.times <= MAX_STEPS for step in (*script.open, *script.ask)):
        raise BadScript(f"{path}: times: must be between 1 and {MAX_STEPS}")
    return script


def _in_words(message: str) -> str:
    """`Object contains unknown field `sned` - at `$.ask[0]`` with the place first."""
    text, _, place = message.partition(" - at ")
    where = place.strip("`").removeprefix("$").removeprefix(".")
    return f"{where}: {text}" if where else text


def fill(template: Any, variables: Mapping[str, Any]) -> Any:
    """Put variables into a message; a text that is one variable becomes its value. Raises KeyError."""
    if isinstance(template, str):
        whole = FIELD.fullmatch(template)
        if whole:
            return _value(whole[1], variables)
        return FIELD.sub(lambda found: str(_value(found[1], variables)), template)
    if isinstance(template, Mapping):
        return {key: fill(value, variables) for key, value in template.items()}
    if isinstance(template, list):
        return [fill(value, variables) for value in template]
    return template


def _value(name: str, variables: Mapping[str, Any]) -> Any:
    if name == "uuid":
        return uuid.uuid4().hex
    if name not in variables:
        raise KeyError(name)
    return variables[name]


def matches(pattern: Any, value: Any) -> bool:
    """Whether a message has at least what the pattern says."""
    if pattern == "*":
        return True
    if isinstance(pattern, Mapping):
        return isinstance(value, Mapping) and all(
            key in value and matches(wanted, value[key]) for key, wanted in pattern.items()
        )
    if isinstance(pattern, list):
        return (
            isinstance(value, list)
            and len(pattern) <= len(value)
            and all(matches(wanted, found) for wanted, found in zip(pattern, value, strict=False))
        )
    if isinstance(pattern, str) and pattern.startswith("~"):
        return isinstance(value, str) and re.search(pattern[1:], value) is not None
    return bool(pattern == value) and isinstance(pattern, bool) == isinstance(value, bool)


def pick(document: Any, path: str) -> Any:
    """The value at `a.b.0.c`. Raises KeyError with the path."""
    found = document
    for part in path.split("."):
        try:
            found = found[int(part)] if isinstance(found, list) else found[part]
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise KeyError(path) from error
    return found
