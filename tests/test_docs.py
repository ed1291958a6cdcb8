"""The documents tell the truth: links lead somewhere, commands exist, both READMEs say the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from greenroom.cli import app
from greenroom.config.characters import CharacterStore
from greenroom.config.settings import LimitSettings, OpsSettings, Settings, load_settings

ROOT = Path(__file__).resolve().parent.parent
ENGLISH, CHINESE = ROOT / "README.md", ROOT / "README.zh-CN.md"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

COMMANDS: dict[str, Any] = getattr(typer.main.get_command(app), "commands", {})

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)|<(https?://[^>]+)>")
CODE = re.compile(r"`([^`\n]+)`")


def short(path: Path) -> str:
    """The path inside the project."""
    return path.relative_to(ROOT).as_posix()


def prose(path: Path) -> str:
    """A document without its code blocks."""
    return FENCE.sub("", path.read_text(encoding="utf-8"))


def blocks(path: Path, language: str) -> list[str]:
    """A document's code blocks in one language."""
    return [text for name, text in FENCE.findall(path.read_text(encoding="utf-8")) if name == language]


def links(path: Path) -> list[str]:
    """Where a document's links lead."""
    return [first or second for first, second in LINK.findall(prose(path))]


def headings(path: Path) -> list[int]:
    """The levels of a document's headings, in order."""
    return [len(marks) for marks in re.findall(r"^(#+) ", prose(path), re.MULTILINE)]


def shape(path: Path) -> list[tuple[str, int]]:
    """What the lines of a document are, as far as two languages must agree."""
    kinds = {"#": "heading", "|": "row", "-": "item", "`": "fence", "<": "comment"}
    found: list[tuple[str, int]] = []
    for line in prose(path).splitlines():
        kind = "number" if re.match(r"\d+\. ", line) else kinds.get(line[:1], "")
        if kind in ("heading", "row", "item", "number"):
            found.append((kind, line.count("|") if kind == "row" else len(line) - len(line.lstrip("#"))))
    return found


def test_both_readmes_have_the_same_shape() -> None:
    """Headings, tables and lists of the two READMEs follow each other in the same order."""
    assert shape(ENGLISH) == shape(CHINESE)
    assert headings(ENGLISH)[0] == 1


def test_both_readmes_name_the_same_commands_settings_and_links() -> None:
    """Commands, code words and links are the same in both languages."""
    assert blocks(ENGLISH, "sh") == blocks(CHINESE, "sh")
    assert len(blocks(ENGLISH, "yaml")) == len(blocks(CHINESE, "yaml"))
    assert sorted(CODE.findall(prose(ENGLISH))) == sorted(CODE.findall(prose(CHINESE)))
    both = [[link.replace(".zh-CN.md", ".md") for link in links(path)] for path in (ENGLISH, CHINESE)]
    assert both[0] == both[1]


def test_the_readme_opens_with_two_commands() -> None:
    """The first thing to type is `make serve`, the second `make test`."""
    assert blocks(ENGLISH, "sh")[0].splitlines() == ["make serve", "make test"]


@pytest.mark.parametrize("path", DOCUMENTS, ids=short)
def test_links_inside_the_project_lead_somewhere(path: Path) -> None:
    """Every relative link names a file or folder that exists, and a heading that exists."""
    for link in links(path):
        if "://" in link or link.startswith("mailto:"):
            continue
        name, _, heading = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.exists(), f"{short(path)} links to {link}"
        if heading:
            names = re.findall(r"^#+ (.*)$", prose(target), re.MULTILINE)
            anchors = {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in names}
            assert heading in anchors, f"{short(path)} links to {link}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=short)
def test_make_commands_exist(path: Path) -> None:
    """Every `make` command in a document is a target of the Makefile."""
    targets = set(
        re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    )
    text = path.read_text(encoding="utf-8")
    named = set(re.findall(r"(?:^|`|\s&& )(?:[A-Z_]+=\S+ )*make ([a-z-]+)", text, re.MULTILINE))
    assert named <= targets


@pytest.mark.parametrize("path", DOCUMENTS, ids=short)
def test_scripts_exist(path: Path) -> None:
    """Every script that a document names is there."""
    for name in re.findall(r"(?<![\w/])scripts/[\w.-]*\w", path.read_text(encoding="utf-8")):
        assert (ROOT / name).exists(), f"{short(path)} names {name}"


def amount(value: float, field: str) -> tuple[str, str]:
    """A default as the table of limits writes it: number and unit."""
    if "byte" in field:
        return (f"{value / 1024**2:g}", "MiB") if value >= 1024**2 else (f"{value / 1024:g}", "KiB")
    return f"{value:.15g}", "s" if field.endswith("_seconds") else ""


@pytest.mark.parametrize("path", [ENGLISH, CHINESE], ids=short)
def test_the_table_of_limits_states_the_defaults(path: Path) -> None:
    """Every limit in the table is a setting, and its default stands beside it."""
    limits = LimitSettings()
    rows = [line.split("|") for line in prose(path).splitlines() if line.startswith("|") and "`" in line]
    assert len(rows) >= 9
    for row in rows:
        stated = re.findall(r"(\d+)(?: (KiB|MiB|s\b))?", row[2].replace("秒", "s"))
        for field in CODE.findall(row[1]):
            expected = amount(getattr(limits, field), field)
            assert expected in stated, f"{field} is {' '.join(expected)}; the table says {row[2]}"


@pytest.mark.parametrize("path", [ENGLISH, CHINESE], ids=short)
def test_the_character_shown_is_accepted(path: Path, tmp_path: Path) -> None:
    """The character of the READMEs can be chosen as it stands."""
    (text,) = [text for text in blocks(path, "yaml") if "persona_prompt" in text]
    (tmp_path / "mira.yaml").write_text(text, encoding="utf-8")
    store = CharacterStore.for_settings(Settings(characters_dir=tmp_path, data_dir=tmp_path), environ={})
    assert not store.problems
    assert not store.warnings
    assert store.load("mira.yaml").conf_name == "Mira"


@pytest.mark.parametrize("path", [ENGLISH, CHINESE], ids=short)
def test_the_settings_shown_are_accepted(path: Path, tmp_path: Path) -> None:
    """The YAML of the READMEs is what the server reads without a complaint."""
    fields = set(Settings.model_fields)
    shown = 0
    for number, text in enumerate(blocks(path, "yaml")):
        if not set(yaml.safe_load(text)) <= fields:
            continue
        file = tmp_path / f"{number}.yaml"
        file.write_text(text, encoding="utf-8")
        load_settings(file, environ={})
        shown += 1
    assert shown == 2


@pytest.mark.parametrize("path", DOCUMENTS, ids=short)
def test_greenroom_commands_and_options_exist(path: Path) -> None:
    """Every `greenroom` command in a document exists, and has the options that are written after it."""
    text = path.read_text(encoding="utf-8")
    found = re.findall(r"(?:^|[`/\\])greenroom ([a-z]+)\b([^`\n]*)", text, re.MULTILINE)
    found += [("serve", arguments) for arguments in re.findall(r'make serve ARGS="([^"]*)"', text)]
    if path in (ENGLISH, CHINESE):
        found += [("serve", option) for option in re.findall(r"`(--[^`]*)`", text)]
        assert {"serve", "check"} <= {command for command, _ in found}
    for command, arguments in found:
        assert command in COMMANDS, f"{short(path)} names greenroom {command}, which is no command"
        options = {name for parameter in COMMANDS[command].params for name in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", arguments)) <= options, f"greenroom {command} {arguments}"


@pytest.mark.parametrize("path", [ROOT / "docs" / "ops.md", ROOT / "docs" / "ops.zh-CN.md"], ids=short)
def test_the_settings_of_the_ops_room_are_told(path: Path) -> None:
    """Every setting is in the table, with its default where that is a plain number."""
    rows = re.findall(
        r"^\| (`.*?) \| (.*?) \|", path.read_text(encoding="utf-8").split("\n| ---")[-1], re.MULTILINE
    )
    told = {name: row[1] for row in rows for name in CODE.findall(row[0])}
    for name, field in OpsSettings.model_fields.items():
        assert name in told
        if (
            isinstance(field.default, int)
            and not isinstance(field.default, bool)
            and name != "subscriber_bytes"
        ):
            assert str(field.default) in told[name]


def test_both_languages_of_the_ops_room_say_the_same() -> None:
    """Headings, tables, lists and code blocks follow each other in the same order."""
    english, chinese = ROOT / "docs" / "ops.md", ROOT / "docs" / "ops.zh-CN.md"
    assert shape(english) == shape(chinese)
    assert [blocks(english, kind) == blocks(chinese, kind) for kind in ("yaml", "sh")] == [True, True]


DEPLOY = (ROOT / "docs" / "deploy.md", ROOT / "docs" / "deploy.zh-CN.md")


def test_both_deploy_pages_say_the_same() -> None:
    """Shape, commands, code words and settings agree in both languages."""
    english, chinese = DEPLOY
    assert shape(english) == shape(chinese)
    assert blocks(english, "sh") == blocks(chinese, "sh")
    assert sorted(CODE.findall(prose(english))) == sorted(CODE.findall(prose(chinese)))
    parsed = [[yaml.safe_load(text) for text in blocks(path, "yaml")] for path in DEPLOY]
    assert parsed[0] == parsed[1]


def test_the_deploy_page_states_the_defaults(tmp_path: Path) -> None:
    """Every security setting stands there with its default, and all settings shown are accepted."""
    shown = [yaml.safe_load(text) for text in blocks(DEPLOY[0], "yaml")]
    for number, text in enumerate(blocks(DEPLOY[0], "yaml")):
        file = tmp_path / f"{number}.yaml"
        file.write_text(text, encoding="utf-8")
        load_settings(file, environ={})
    defaults = Settings()
    assert shown[0]["security"].keys() == type(defaults.security).model_fields.keys()
    for section, values in (
        (name, shown[index][name]) for index, name in ((0, "security"), (3, "limits"), (3, "history"))
    ):
        for field, value in values.items():
            default = getattr(getattr(defaults, section), field)
            assert (list(default) if isinstance(default, tuple) else default) == value, field
