"""JSON Schema and TypeScript types of the wire protocol, both made from the message classes.

The page in `web/` compiles against the TypeScript file, so a field renamed here breaks the page's build and
not its visitors. Output is deterministic: the same classes give the same bytes.

    python -m greenroom.protocol.schema --typescript web/src/protocol.generated.ts
    python -m greenroom.protocol.schema --check web/src/protocol.generated.ts
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

import msgspec
from msgspec import inspect as shapes

from greenroom.protocol.client_messages import ClientMessage
from greenroom.protocol.server_messages import ServerMessage

__all__ = ["interfaces", "json_schema", "main", "typescript", "write_or_check"]

_CLIENT: tuple[type[msgspec.Struct], ...] = get_args(ClientMessage)
_SERVER: tuple[type[msgspec.Struct], ...] = get_args(ServerMessage)

NAMES = {"typescript": "TypeScript types", "json": "JSON Schema"}

_HEADER = """\
// The wire protocol's message types. Generated from src/greenroom/protocol: do not edit.
// Make it anew with: python -m greenroom.protocol.schema --typescript web/src/protocol.generated.ts
"""


def json_schema() -> dict[str, Any]:
    """Return a JSON Schema (2020-12); its `$defs` hold every message and the two unions."""
    _, components = msgspec.json.schema_components([*_CLIENT, *_SERVER])
    definitions: dict[str, Any] = {}
    for cls in [*_CLIENT, *_SERVER, *_parts(_CLIENT + _SERVER)]:
        definition = components[cls.__name__]
        always = [f.encode_name for f in _fields(cls) if _is_always_there(cls, f)]
        tag = ["type"] if cls.__struct_config__.tag else []
        if tag:
            definition["properties"]["type"] = {"const": cls.__struct_config__.tag}
        definition["required"] = tag + always
        definitions[cls.__name__] = definition
    for name, classes in (("ClientMessage", _CLIENT), ("ServerMessage", _SERVER)):
        definitions[name] = {
            "title": name,
            "oneOf": [{"$ref": f"#/$defs/{cls.__name__}"} for cls in classes],
        }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Greenroom wire protocol",
        "oneOf": [{"$ref": "#/$defs/ClientMessage"}, {"$ref": "#/$defs/ServerMessage"}],
        "$defs": definitions,
    }


def typescript() -> str:
    """Return a TypeScript module with one interface per message and the two unions, told apart by `type`."""
    sections = [_HEADER]
    sections += [_interface(cls) for cls in _parts(_CLIENT + _SERVER)]
    sections += [_interface(cls) for cls in _CLIENT]
    sections.append(_union("ClientMessage", "Any message a client may send.", _CLIENT))
    sections += [_interface(cls) for cls in _SERVER]
    sections.append(_union("ServerMessage", "Any message the server sends.", _SERVER))
    sections.append(_picker("ClientMessageOf", "ClientMessage"))
    sections.append(_picker("ServerMessageOf", "ServerMessage"))
    return "\n".join(sections)


def interfaces(
    classes: Iterable[type[msgspec.Struct]], descriptions: Mapping[str, Mapping[str, str]]
) -> list[str]:
    """Return the TypeScript interfaces of other records that only the server sends, and all they are made of.

    Args:
        classes: structs without a tag that leave no field out.
        descriptions: what is to be said about the fields, by class name and field name.
    """
    return [
        _interface(cls, always=lambda _: True, descriptions=descriptions.get(cls.__name__, {}))
        for cls in _parts(tuple(classes))
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the generated files; return the exit status (1: a checked file is stale)."""
    as_json = lambda: json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"  # noqa: E731
    return write_or_check("greenroom.protocol.schema", {"typescript": typescript, "json": as_json}, arguments)


def write_or_check(
    module: str, kinds: Mapping[str, Callable[[], str]], arguments: Sequence[str] | None
) -> int:
    """The command line of a generator: write what `kinds` make, or check a file; return the exit status.

    A checked file is JSON if it is called so, else of the first kind.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m {module}", description="Write or check the generated types."
    )
    what = parser.add_mutually_exclusive_group(required=True)
    for kind in kinds:
        what.add_argument(f"--{kind}", metavar="PATH", type=Path, help=f"write the {NAMES[kind]}")
    what.add_argument("--check", metavar="PATH", type=Path, help="fail if the file is stale")
    options = vars(parser.parse_args(arguments))
    checked: Path | None = options.pop("check")
    if checked is None:
        kind, path = next((kind, path) for kind, path in options.items() if path is not None)
        path.write_text(kinds[kind](), encoding="utf-8", newline="\n")
        return 0
    kind = "json" if checked.suffix == ".json" and "json" in kinds else next(iter(kinds))
    if checked.is_file() and checked.read_text(encoding="utf-8") == kinds[kind]():
        return 0
    state = "is stale" if checked.is_file() else "is missing"
    print(f"{checked} {state}. Make it anew: python -m {module} --{kind} {checked}", file=sys.stderr)
    return 1


# --- what the classes tell ---


def _fields(cls: type[msgspec.Struct]) -> tuple[shapes.Field, ...]:
    info = shapes.type_info(cls)
    assert isinstance(info, shapes.StructType)
    return info.fields


def _is_always_there(cls: type[msgspec.Struct], field: shapes.Field) -> bool:
    """Whether a receiver may count on the field: clients may omit any default, the server says which."""
    from_server = cls in _SERVER or cls in _parts(_SERVER)
    return field.required or (from_server and not cls.__struct_config__.omit_defaults)


@cache
def _parts(messages: tuple[type[msgspec.Struct], ...]) -> list[type[msgspec.Struct]]:
    """Return the records used inside these messages, each after the records it is made of."""
    found: list[type[msgspec.Struct]] = []

    def visit(shape: shapes.Type) -> None:
        if isinstance(shape, shapes.Metadata):
            visit(shape.type)
        elif isinstance(shape, shapes.UnionType):
            for member in shape.types:
                visit(member)
        elif isinstance(shape, shapes.ListType):
            visit(shape.item_type)
        elif isinstance(shape, shapes.DictType):
            visit(shape.value_type)
        elif isinstance(shape, shapes.StructType):
            for field in shape.fields:
                visit(field.type)
            if shape.tag is None and shape.cls not in found:
                found.append(shape.cls)

    for cls in messages:
        visit(shapes.type_info(cls))
    return found


# --- TypeScript ---


def _interface_name(cls: type[msgspec.Struct]) -> str:
    # Without the suffix, Error and Audio would shadow what browsers call so.
    name = cls.__name__
    return f"{name}Message" if cls.__struct_config__.tag and not name.endswith("Message") else name


def _interface(
    cls: type[msgspec.Struct],
    always: Callable[[shapes.Field], bool] | None = None,
    descriptions: Mapping[str, str] = MappingProxyType({}),
) -> str:
    lines = [_comment(cls.__doc__ or "", ""), f"export interface {_interface_name(cls)} {{"]
    if cls.__struct_config__.tag:
        lines.append(f"  type: {json.dumps(cls.__struct_config__.tag)};")
    for field in _fields(cls):
        shape, description = _unwrapped(field.type)
        description = description or descriptions.get(field.name, "")
        if description:
            lines.append(_comment(description, "  "))
        there = always(field) if always is not None else _is_always_there(cls, field)
        if not there and isinstance(shape, shapes.UnionType):  # left out rather than null
            shape = shapes.UnionType(tuple(t for t in shape.types if not isinstance(t, shapes.NoneType)))
        lines.append(f"  {field.encode_name}{'' if there else '?'}: {_typescript_type(shape)};")
    lines.append("}\n")
    return "\n".join(lines)


def _union(name: str, comment: str, classes: Iterable[type[msgspec.Struct]]) -> str:
    members = "\n".join(f"  | {_interface_name(cls)}" for cls in classes)
    return f"{_comment(comment, '')}\nexport type {name} =\n{members};\n"


def _picker(name: str, union: str) -> str:
    comment = _comment(f"The {union} with this `type`.", "")
    return f'{comment}\nexport type {name}<T extends {union}["type"]> = Extract<{union}, {{ type: T }}>;\n'


def _comment(text: str, indent: str) -> str:
    words = " ".join(text.split()).replace("*/", "* /")
    return f"{indent}/** {words} */"


def _unwrapped(shape: shapes.Type) -> tuple[shapes.Type, str]:
    """Split a field's type from its description."""
    description = ""
    while isinstance(shape, shapes.Metadata):
        description = (shape.extra_json_schema or {}).get("description", description)
        shape = shape.type
    return shape, description


_PLAIN: dict[type[shapes.Type], str] = {
    shapes.AnyType: "unknown",
    shapes.BoolType: "boolean",
    shapes.FloatType: "number",
    shapes.IntType: "number",
    shapes.NoneType: "null",
    shapes.StrType: "string",
}


def _typescript_type(shape: shapes.Type) -> str:
    shape, _ = _unwrapped(shape)
    if isinstance(shape, shapes.StructType):
        return _interface_name(shape.cls)
    if isinstance(shape, shapes.LiteralType):
        return " | ".join(json.dumps(value) for value in shape.values)
    if isinstance(shape, shapes.UnionType):
        return " | ".join(_typescript_type(member) for member in shape.types)
    if isinstance(shape, shapes.ListType):
        item = _typescript_type(shape.item_type)
        return f"({item})[]" if "|" in item else f"{item}[]"
    if isinstance(shape, shapes.TupleType):
        return f"[{', '.join(map(_typescript_type, shape.item_types))}]"
    if isinstance(shape, shapes.DictType):
        return f"Record<string, {_typescript_type(shape.value_type)}>"
    try:
        return _PLAIN[type(shape)]
    except KeyError:
        raise TypeError(f"no TypeScript type is known for {shape!r}; add it to {__name__}") from None


if __name__ == "__main__":
    sys.exit(main())
