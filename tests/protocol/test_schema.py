"""Tests of the generated types and of the command that writes them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest

from greenroom.protocol import schema
from greenroom.protocol.client_messages import ClientMessage
from greenroom.protocol.parts import wire_type
from greenroom.protocol.schema import json_schema, main, typescript
from greenroom.protocol.server_messages import ServerMessage

PAGE_TYPES = Path(__file__).parents[2] / "web" / "src" / "protocol.generated.ts"


def interface(name: str) -> str:
    """Return the body of one TypeScript interface."""
    found = re.search(rf"^export interface {name} {{\n(.*?)^}}", typescript(), re.MULTILINE | re.DOTALL)
    assert found, name
    return found[1]


def test_page_types_are_fresh(capsys: pytest.CaptureFixture[str]) -> None:
    """The types the page compiles against are those of the message classes."""
    assert main(["--check", str(PAGE_TYPES)]) == 0, capsys.readouterr().err


def test_typescript_has_every_message() -> None:
    """Each message is an interface told apart by its type, and a member of its union."""
    text = typescript()
    for name, union in (("ClientMessage", ClientMessage), ("ServerMessage", ServerMessage)):
        found = re.search(rf"^export type {name} =\n((?:  \| \w+\n?)+);", text, re.MULTILINE)
        assert found
        members = re.findall(r"\w+", found[1])
        types = [re.search(r'^  type: "(.+)";$', interface(m), re.MULTILINE) for m in members]
        assert [t[1] if t else None for t in types] == [wire_type(cls) for cls in get_args(union)]


def test_typescript_of_optional_fields() -> None:
    """A field is optional where the sender may leave it out, and nullable where it is sent as null."""
    assert "  images?: Image[];" in interface("TextInputMessage")
    assert "  text: string;" in interface("TextInputMessage")
    assert "  request_id?: string | number;" in interface("FrontendPlaybackCompleteMessage")
    assert "  audio: string | null;" in interface("AudioMessage")
    assert "  slice_length: number;" in interface("AudioMessage")
    assert "  avatar: string | null;" in interface("DisplayText")
    assert "  client_uid?: string;" in interface("SetModelAndConfMessage")
    assert "  model_info: Record<string, unknown> | null;" in interface("SetModelAndConfMessage")
    assert '  status: "completed" | "error" | "running";' in interface("ToolCallStatusMessage")


def test_typescript_is_documented() -> None:
    """Each interface and union carries its class's docstring as a comment."""
    text = typescript()
    exported = text.count("\nexport ")
    assert exported > 40
    assert len(re.findall(r"^/\*\* .+ \*/\nexport ", text, re.MULTILINE)) == exported


def test_typescript_shadows_no_browser_name() -> None:
    """No exported message is called like a browser's own Error or Audio."""
    names = re.findall(r"^export (?:interface|type) (\w+)", typescript(), re.MULTILINE)
    assert len(set(names)) == len(names)
    assert {"Error", "Audio", "Control"}.isdisjoint(names)


def test_output_is_the_same_in_every_process() -> None:
    """Hash randomisation does not change a byte."""
    code = (
        "from greenroom.protocol.schema import *; import json; print(json.dumps(json_schema()), typescript())"
    )
    expected = json.dumps(json_schema()) + " " + typescript() + "\n"
    source = str(Path(schema.__file__).parents[2])
    for seed in ("1", "2"):
        environment = {"PYTHONPATH": source, "PYTHONHASHSEED": seed}
        run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
        assert run.stdout.decode() == expected


def references(value: Any) -> set[str]:
    """Return every `$ref` in a JSON Schema."""
    if isinstance(value, dict):
        own = {value["$ref"]} if "$ref" in value else set()
        return own.union(*map(references, value.values()))
    return set().union(*map(references, value)) if isinstance(value, list) else set()


def test_json_schema_is_closed() -> None:
    """Every reference leads to a definition, and every definition is used."""
    whole = json_schema()
    assert references(whole) == {f"#/$defs/{name}" for name in whole["$defs"]}
    assert json.loads(json.dumps(whole)) == whole


def test_json_schema_of_messages() -> None:
    """Definitions tell the type, what is always there, and the limits."""
    definitions = json_schema()["$defs"]
    assert definitions["TextInput"]["properties"]["type"] == {"const": "text-input"}
    assert definitions["TextInput"]["required"] == ["type", "text"]
    assert definitions["GroupUpdate"]["required"] == ["type", "members", "is_owner"]
    assert definitions["Error"]["required"] == ["type", "message"]
    assert definitions["Image"]["required"] == ["data"]
    uid = definitions["DeleteHistory"]["properties"]["history_uid"]
    assert (uid["minLength"], uid["maxLength"]) == (1, 255)


@pytest.mark.parametrize(("option", "name"), [("--typescript", "types.ts"), ("--json", "schema.json")])
def test_write_then_check(option: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A written file passes the check; a changed or missing one fails and the error tells the command."""
    path = tmp_path / name
    assert main(["--check", str(path)]) == 1
    assert "is missing" in capsys.readouterr().err
    assert main([option, str(path)]) == 0
    assert main(["--check", str(path)]) == 0
    path.write_text(path.read_text("utf-8") + " ", "utf-8")
    assert main(["--check", str(path)]) == 1
    assert f"is stale. Make it anew: python -m greenroom.protocol.schema {option} {path}" in (
        capsys.readouterr().err
    )


def test_unmapped_shape_is_reported() -> None:
    """A field of a kind without a TypeScript type fails the generator and is not guessed."""
    from msgspec import inspect

    with pytest.raises(TypeError, match="no TypeScript type"):
        schema._typescript_type(inspect.BytesType())
