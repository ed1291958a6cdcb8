"""A YAML reader that remembers the line of every value and refuses what could hurt the server.

PyYAML's own loader forgets positions, expands aliases without limit, takes the last of two equal keys without
a word, reads `12:30` as 750 and a key `no` as false. So the values are built here from its event stream: one
pass, with a bound on depth and on the number of values after aliases are expanded. Keys are always text.

`${NAME}` and `${NAME:-default}` are replaced inside values, after the structure is known, so that a
variable's content can never add fields. `$${NAME}` stays as `${NAME}`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from greenroom.config.errors import ConfigError, Problem
from greenroom.config.files import read_text

__all__ = ["MAX_BYTES", "Document", "KeyPath", "dotted", "parse_document", "read_document"]

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 32
MAX_VALUES = 20_000

KeyPath = tuple[str | int, ...]
"""Where a value is: field names and list positions from the top."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_VARIABLE = re.compile(r"\$?\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_TAG = "tag:yaml.org,2002:"
_PLAIN_TAGS = {_TAG + name for name in ("str", "int", "float", "bool", "null", "map", "seq")}


@dataclass(frozen=True)
class Document:
    """A parsed file: its data, and for each value the line it stands on.

    `warnings` are oddities that do not spoil the meaning (a key given twice). `missing` are variables that
    the environment does not have, with the path of the value that names them; the caller decides how bad that
    is. `substituted` are the paths whose value came from the environment and must not show up in messages.
    """

    file: str
    data: dict[str, Any]
    lines: Mapping[KeyPath, int]
    warnings: tuple[Problem, ...] = ()
    missing: tuple[tuple[KeyPath, Problem], ...] = ()
    substituted: frozenset[KeyPath] = field(default_factory=frozenset)

    def line(self, path: KeyPath) -> int | None:
        """Return the line of a value, or of the nearest section around it that has one."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.lines:
                return self.lines[path[:end]]
        return None

    def hides(self, path: KeyPath) -> bool:
        """Say whether a value, or the section around it, came from the environment."""
        return any(path[:end] in self.substituted for end in range(1, len(path) + 1))


def dotted(path: KeyPath) -> str:
    """Return `agent.wake[2]` for `("agent", "wake", 2)`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{step}" if text else step
    return text


def read_document(
    path: Path, environ: Mapping[str, str], *, name: str | None = None, max_bytes: int = MAX_BYTES
) -> Document:
    """Read and parse one file; `name` is what messages call it. Raises ConfigError."""
    name = name or str(path)
    text, encoding = read_text(path, name=name, max_bytes=max_bytes)
    document = parse_document(text, name, environ)
    if encoding == "utf-8":
        return document
    odd = Problem(name, None, "", f"is not UTF-8; it was read as {encoding}", "save it as UTF-8")
    return Document(
        name, document.data, document.lines, (odd, *document.warnings), document.missing, document.substituted
    )


def parse_document(text: str, name: str, environ: Mapping[str, str]) -> Document:
    """Parse one YAML text whose top level is a mapping (or nothing at all). Raises ConfigError."""
    if len(text) > MAX_BYTES:
        raise ConfigError([Problem(name, None, "", "is too large", f"keep it under {MAX_BYTES // 1024} KiB")])
    builder = _Builder(name, environ)
    try:
        data = builder.document(yaml.parse(text, Loader=_LOADER))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = error.problem or error.context or "is not YAML"
        fix = "check the indentation, colons and quotes around this line"
        problem = Problem(name, mark.line + 1 if mark else None, "", f"is not valid YAML: {what}", fix)
        raise ConfigError([problem]) from error
    except yaml.YAMLError as error:
        problem = Problem(
            name, None, "", "holds a character that YAML does not allow", "remove control characters"
        )
        raise ConfigError([problem]) from error
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise ConfigError([Problem(name, 1, "", "is not a list of fields", 'write "name: value" lines')])
    return Document(
        name,
        data,
        builder.lines,
        tuple(builder.warnings),
        tuple(builder.missing),
        frozenset(builder.substituted),
    )


class _Builder:
    """Turns YAML events into plain values, writing down lines on the way."""

    def __init__(self, name: str, environ: Mapping[str, str]) -> None:
        self.lines: dict[KeyPath, int] = {}
        self.warnings: list[Problem] = []
        self.missing: list[tuple[KeyPath, Problem]] = []
        self.substituted: set[KeyPath] = set()
        self._name = name
        self._environ = environ
        self._values = 0
        self._anchors: dict[str, tuple[Any, int, bool]] = {}
        self._scalars: Any = yaml.SafeLoader("")  # for its rules of what a plain word means; it reads nothing
        self._events: Iterator[Any] = iter(())

    def document(self, events: Iterator[Any]) -> Any:
        self._events = events
        value: Any = None
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._refusal(event, (), "holds a second document", 'remove the "---" line')
                value = self._value(next(events), ())
        return value

    def _value(self, event: Any, path: KeyPath) -> Any:
        before = self._values
        self._count(event, path, 1)
        seen = len(self.substituted)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, path)
        if event.tag not in (None, "!") and event.tag not in _PLAIN_TAGS:
            fix = "remove the tag; only plain text, numbers, lists and sections are read"
            raise self._refusal(event, path, f"the YAML tag {event.tag[:60]} is not allowed", fix)
        if len(path) > MAX_DEPTH:
            raise self._refusal(event, path[:3], f"is nested deeper than {MAX_DEPTH} levels", "flatten it")
        if isinstance(event, yaml.MappingStartEvent):
            value: Any = self._mapping(path)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(path)
        else:
            value = self._scalar(event, path)
        if event.anchor:
            self._anchors[event.anchor] = (value, self._values - before, len(self.substituted) > seen)
        return value

    def _alias(self, event: Any, path: KeyPath) -> Any:
        if event.anchor not in self._anchors:
            fix = f"define &{event.anchor} above it"
            raise self._refusal(event, path, f"*{event.anchor} refers to nothing that is complete", fix)
        value, size, hidden = self._anchors[event.anchor]
        self._count(event, path, size)
        if hidden:
            self.substituted.add(path)
        return value

    def _mapping(self, path: KeyPath) -> dict[str, Any]:
        values: dict[str, Any] = {}
        inherited: list[tuple[int, Any]] = []
        for key in self._events:
            if isinstance(key, yaml.MappingEndEvent):
                break
            if not isinstance(key, yaml.ScalarEvent):
                raise self._refusal(key, path, "a field's name is not plain text", "use a word as the name")
            name: str = key.value
            line = _line(key)
            here = (*path, name)
            if name == "<<" and key.implicit[0]:
                inherited.append((line, self._value(next(self._events), here)))
                continue
            if name in values:
                message = f"is given twice; the first time in line {self.lines[here]}"
                self.warnings.append(Problem(self._name, line, dotted(here), message, "keep one of them"))
            self.lines[here] = line
            values[name] = self._value(next(self._events), here)
        for line, other in inherited:
            for source in other if isinstance(other, list) else [other]:
                if not isinstance(source, dict):
                    problem = Problem(
                        self._name, line, dotted(path), '"<<" needs a section', "give it an alias"
                    )
                    raise ConfigError([problem])
                for name, value in source.items():
                    if name not in values:
                        values[name] = value
                        self.lines[(*path, name)] = line
                        if (*path, "<<") in self.substituted:
                            self.substituted.add((*path, name))
        return values

    def _sequence(self, path: KeyPath) -> list[Any]:
        values: list[Any] = []
        for event in self._events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            here = (*path, len(values))
            self.lines[here] = _line(event)
            values.append(self._value(event, here))
        return values

    def _scalar(self, event: Any, path: KeyPath) -> Any:
        text = self._with_variables(event, path)
        if event.tag in _PLAIN_TAGS:
            tag = event.tag
        elif event.implicit[0]:
            tag = self._scalars.resolve(yaml.ScalarNode, text, (True, False))
        else:
            return text
        if tag not in _PLAIN_TAGS or tag == _TAG + "str" or (":" in text and tag != _TAG + "null"):
            return text  # dates and 12:30 stay text
        node = yaml.ScalarNode(tag, text)
        try:
            if tag == _TAG + "int":
                return self._scalars.construct_yaml_int(node)
            if tag == _TAG + "float":
                return self._scalars.construct_yaml_float(node)
            if tag == _TAG + "bool":
                return self._scalars.construct_yaml_bool(node)
        except (ValueError, KeyError) as error:
            raise self._refusal(
                event, path, "is not a number that can be read", "quote it if it is text"
            ) from error
        return None

    def _with_variables(self, event: Any, path: KeyPath) -> str:
        text: str = event.value
        if "${" not in text:
            return text

        def put(match: re.Match[str]) -> str:
            whole, (variable, default) = match.group(0), match.groups()
            if whole.startswith("$$"):
                return whole[1:]
            value = self._environ.get(variable, "")
            if value or (variable in self._environ and default is None):
                self.substituted.add(path)
                return value
            if default is not None:
                return default
            line = _line(event)
            message = f"the environment variable {variable} is not set"
            fix = f"set it, or write ${{{variable}:-default}}"
            self.missing.append((path, Problem(self._name, line, dotted(path), message, fix)))
            return whole

        return _VARIABLE.sub(put, text)

    def _count(self, event: Any, path: KeyPath, more: int) -> None:
        self._values += more
        if self._values > MAX_VALUES:
            message = f"holds more than {MAX_VALUES} values once its aliases are expanded"
            raise self._refusal(event, path[:3], message, "write it without aliases, or split it")

    def _refusal(self, event: Any, path: KeyPath, message: str, fix: str) -> ConfigError:
        return ConfigError([Problem(self._name, _line(event), dotted(path), message, fix)])


def _line(event: Any) -> int:
    line: int = event.start_mark.line
    return line + 1
