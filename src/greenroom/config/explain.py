"""Turns pydantic's findings into problems with a place, a plain sentence and a fix.

pydantic says "Input should be less than or equal to 65535" and nothing of where; a user needs
`greenroom.yaml:12: server.port: 99999 is not a port; use 1..65535`.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo

from greenroom.config.document import KeyPath, dotted
from greenroom.config.errors import Problem, did_you_mean, shown
from greenroom.config.layers import Layers, Origin

__all__ = ["Noun", "explain", "fields_of", "item_section", "section_of"]

_SECRET = re.compile(r"(^|_)(key|key_env|secret|password|token)$")
_CHOICE = re.compile(r"'([^']*)'")


class Noun:
    """What a field holds, for its messages: `Annotated[int, Noun("a port", "use 1..65535")]`."""

    def __init__(self, noun: str, fix: str) -> None:
        self.noun = noun
        self.fix = fix


def section_of(annotation: Any) -> type[Any] | None:
    """Return the section (a model or a pydantic dataclass) that an annotation allows, if any."""
    if isinstance(annotation, type) and hasattr(annotation, "__pydantic_fields__"):
        return annotation
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        for choice in typing.get_args(annotation):
            if found := section_of(choice):
                return found
    return None


def item_section(annotation: Any) -> type[Any] | None:
    """Return the section that the items of a list are, if any."""
    return section_of(_item_of(annotation))


def fields_of(section: type[Any]) -> Mapping[str, FieldInfo]:
    """Return the fields of a section by the name that users write."""
    fields: Mapping[str, FieldInfo] = section.__pydantic_fields__
    return fields


def explain(error: ValidationError, model: type[BaseModel], layers: Layers, source: str) -> list[Problem]:
    """Return one problem for each wrong field.

    `source` names the whole when a field's own origin is not known (a missing field, for one).
    """
    problems: dict[str, Problem] = {}
    for found in error.errors(include_url=False):
        path = _path(found["loc"], layers.data)
        section, info = _field(model, path)
        origin = layers.origin(path) or Origin(source)
        hidden = origin.hidden or _is_secret(path, info)
        message, fix = _sentence(found, path, section, info, hidden)
        # A choice of several types yields one finding for each; the first says enough.
        problems.setdefault(dotted(path), Problem(origin.file, origin.line, dotted(path), message, fix))
    return list(problems.values())


def _path(loc: tuple[str | int, ...], data: Any) -> KeyPath:
    """Drop the steps that pydantic adds for the branch of a union it tried."""
    path: list[str | int] = []
    for step in loc:
        if isinstance(data, dict):
            path.append(step)
            data = data.get(str(step))
        elif isinstance(data, list) and isinstance(step, int) and step < len(data):
            path.append(step)
            data = data[step]
        else:
            break
    return tuple(path)


def _field(model: type[Any], path: KeyPath) -> tuple[type[Any] | None, FieldInfo | None]:
    """Return the innermost section on the path and, if it has it, the field the path ends in."""
    section: type[Any] | None = model
    info: FieldInfo | None = None
    items: Any = None
    for index, step in enumerate(path):
        last = index == len(path) - 1
        if isinstance(step, int):
            # An item of a list: of sections, whose fields follow, or of plain values.
            items = _item_of(items)
            section = section_of(items)
            if last or section is None:
                return section, None
            continue
        info = fields_of(section).get(step) if section else None
        if last or info is None:
            return section, info
        items = info.annotation
        section = section_of(items)
    return section, info


def _item_of(annotation: Any) -> Any:
    """Return what a list holds, by its annotation; None for anything else."""
    if typing.get_origin(annotation) is typing.Annotated:
        annotation = typing.get_args(annotation)[0]
    if typing.get_origin(annotation) in (list, tuple):
        item = typing.get_args(annotation)[0]
        return typing.get_args(item)[0] if typing.get_origin(item) is typing.Annotated else item
    return None


def _is_secret(path: KeyPath, info: FieldInfo | None) -> bool:
    if info is not None and (info.annotation is SecretStr or SecretStr in typing.get_args(info.annotation)):
        return True
    return bool(path) and bool(_SECRET.search(str(path[-1]).lower()))


def _sentence(
    found: Any, path: KeyPath, section: type[Any] | None, info: FieldInfo | None, hidden: bool
) -> tuple[str, str]:
    kind: str = found["type"]
    name = str(path[-1]) if path else ""
    given = found.get("input")
    if isinstance(given, str) and "://" in given and "@" in given:
        hidden = True  # an address with a password in it
    value = "the value" if hidden else shown(given)
    context = found.get("ctx", {})
    noun = next((item for item in info.metadata if isinstance(item, Noun)), None) if info else None
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        known = list(fields_of(section)) if section else []
        return "unknown field", did_you_mean(name, known) or f"known here: {', '.join(known)}"
    if kind == "missing":
        return "is missing", "write it"
    if kind == "literal_error":
        choices = _CHOICE.findall(str(context.get("expected", "")))
        near = "" if hidden else did_you_mean(str(given), choices)
        return f"{value} is not a choice", " ".join(filter(None, [near, f"use {_either(choices)}"]))
    if kind == "value_error":
        message, _, fix = str(context.get("error", "is wrong")).partition("; ")
        return f"{value} {message}", fix
    if kind in ("model_type", "model_attributes_type", "dataclass_type", "dict_type"):
        return f"{value} stands where a section belongs", "write its fields on indented lines below it"
    if kind in ("list_type", "tuple_type"):
        return f"{value} is not a list", 'write "- item" lines below it'
    if noun is not None:
        return f"{value} is not {noun.noun}", noun.fix
    if kind in ("greater_than", "greater_than_equal", "less_than", "less_than_equal", "finite_number"):
        return f"{value} is out of range", _range(info)
    if kind.startswith("int_"):
        return f"{value} is not a whole number", _range(info) or "use digits only"
    if kind.startswith("float_"):
        return f"{value} is not a number", _range(info) or "use digits"
    if kind.startswith("bool_"):
        return f"{value} is neither true nor false", "use true or false"
    if kind in ("string_type", "path_type"):
        return f"{value} is not text", "put it in quotes"
    if kind in ("string_too_long", "too_long"):
        return "is too long", f"use at most {context.get('max_length')}"
    if kind in ("string_too_short", "too_short"):
        return "is empty", "write something or remove the line"
    return f"{value} cannot be used: {found['msg']}", ""


def _either(choices: list[str]) -> str:
    quoted = [f'"{choice}"' for choice in choices]
    return quoted[0] if len(quoted) == 1 else ", ".join(quoted[:-1]) + f" or {quoted[-1]}" if quoted else ""


def _range(info: FieldInfo | None) -> str:
    low = high = None
    above = False
    for item in info.metadata if info else ():
        low = getattr(item, "ge", low)
        if getattr(item, "gt", None) is not None:
            low, above = item.gt, True
        high = getattr(item, "le", high)
    if low is not None and high is not None:
        return f"use more than {low}, up to {high}" if above else f"use {low}..{high}"
    if low is not None:
        return f"use {'more than' if above else 'at least'} {low}"
    return f"use at most {high}" if high is not None else ""
