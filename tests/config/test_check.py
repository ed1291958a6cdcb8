"""Tests of `greenroom check`'s report."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.config.olv_files import CONF, MODELS
from tests.config.rooms import PERSONA, Room

from greenroom.config.check import Report, check


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("cwd"))


def run(room: Room, text: str = "", **environ: str) -> Report:
    path = room.root / "greenroom.yaml"
    path.write_text("data_dir: .\n" + text, encoding="utf-8")
    return check(path, environ)


def fields(problems: tuple[object, ...]) -> list[str]:
    return [str(problem) for problem in problems]


def test_all_well(room: Room):
    """With nothing wrong the report says so and names what was checked."""
    report = run(room)
    assert report.ok
    assert report.text() == (
        f"Settings: {room.root / 'greenroom.yaml'}\n"
        "Characters: bloodsucker.yaml, sakura.yaml, white.yaml\n"
        "0 problems, 0 warnings."
    )


def test_creates_nothing(tmp_path: Path):
    """Checking leaves the disk as it was."""
    report = check(None, {"GREENROOM_DATA_DIR": str(tmp_path / "data")})
    assert report.ok
    assert report.settings_file is None
    assert "defaults (no greenroom.yaml)" in report.text()
    assert list(tmp_path.iterdir()) == []


def test_settings_and_characters_together(room: Room):
    """Wrong settings do not hide wrong characters."""
    room.write("bad.yaml", "conf_name: A\n")
    report = run(room, "server: {port: 99999}\n")
    assert not report.ok
    assert [(problem.field, problem.line) for problem in report.problems] == [
        ("server.port", 2),
        ("persona_prompt", None),
    ]
    assert report.text().startswith("Problems:\n  ")
    assert report.text().endswith("2 problems, 0 warnings.")


def test_doubles(room: Room):
    """A shared id is a problem, a shared name a warning."""
    room.write("a.yaml", PERSONA.format(name="Anna"))
    room.write("b.yaml", PERSONA.format(name="Anna"))
    report = run(room)
    assert fields(report.problems) == [
        'b.yaml: conf_uid: "uid_Anna" is also that of a.yaml: they would share their histories; '
        "give each its own"
    ]
    assert fields(report.warnings) == [
        'b.yaml: conf_name: "Anna" is also that of a.yaml: pages cannot tell them apart; give each its own'
    ]


def test_missing_avatar(room: Room):
    """An avatar that is nowhere is a warning; the user's and the package's are found."""
    for name, avatar in (("a", "none.png"), ("b", "mine.png"), ("c", "white.svg")):
        room.write(f"{name}.yaml", PERSONA.format(name=name) + f"avatar: {avatar}\n")
    (room.root / "avatars").mkdir()
    (room.root / "avatars" / "mine.png").write_bytes(b"")
    report = run(room)
    assert [(problem.file, problem.field) for problem in report.warnings] == [("a.yaml", "avatar")]


def test_key_that_is_not_set(room: Room):
    """A key's variable that is not set is a problem for the public API and nothing for a local server."""
    text = "agent: {kind: openai, openai: {model: m}}\n"
    report = run(room, text)
    assert len(report.problems) == 1
    assert "agent.openai.api_key_env: the environment variable OPENAI_API_KEY is not set" in str(
        report.problems[0]
    )
    assert run(room, text, OPENAI_API_KEY="sk-1").ok
    local = "agent: {kind: openai, openai: {model: m, base_url: 'http://localhost:11434/v1'}}\n"
    assert run(room, local).warnings == ()
    remote = "agent: {kind: openai, openai: {model: m, base_url: 'https://llm.example.org/v1'}}\n"
    report = run(room, remote)
    assert report.ok
    assert len(report.warnings) == 1


def test_keys_are_not_shown(room: Room):
    """A report never holds a key."""
    room.write(
        "a.yaml", PERSONA.format(name="a") + "agent: {kind: openai, openai: {api_key: sk-hidden, model: 5}}\n"
    )
    assert "sk-hidden" not in run(room).text()


def test_data_folder_that_cannot_be_used(room: Room):
    """A file in the data folder's place is a problem, named at the setting's line."""
    (room.root / "file").write_text("")
    path = room.root / "greenroom.yaml"
    path.write_text("log: {}\ndata_dir: file\n")
    (problem,) = check(path, {}).problems
    assert (problem.line, problem.field) == (2, "data_dir")
    assert "cannot be created" in problem.message


def test_folders_that_are_not_there(room: Room):
    """A page or a folder of characters that does not exist is a problem."""
    report = run(room, "server: {page_dir: page}\ncharacters_dir: chars\n")
    assert [(problem.line, problem.field) for problem in report.problems] == [
        (2, "server.page_dir"),
        (3, "characters_dir"),
    ]
    (room.root / "page").mkdir()
    (room.root / "page" / "index.html").write_text("")
    (room.root / "chars").mkdir()
    assert run(room, "server: {page_dir: page}\ncharacters_dir: chars\n").ok


def test_first_character_that_is_not_there(room: Room):
    """The configured first character has to exist."""
    (problem,) = run(room, "character: wite.yaml\n").problems
    assert str(problem).endswith(
        'greenroom.yaml:2: character: "wite.yaml" is not a character here; did you mean "white.yaml"?'
    )


def test_unknown_variables_are_warnings(room: Room):
    """A misspelt variable is a warning."""
    (warning,) = run(room, GREENROOM_DATADIR="x").warnings
    assert warning.file == "environment variable GREENROOM_DATADIR"


def test_file_that_cannot_be_read(tmp_path: Path):
    """A settings file that is not there is reported, not raised."""
    report = check(tmp_path / "none.yaml", {"GREENROOM_DATA_DIR": str(tmp_path)})
    assert len(report.problems) == 1
    assert "cannot be read" in report.problems[0].message


def test_olv_folder(room: Room):
    """A folder brought along from the other server has warnings but no problems."""
    (room.root / "conf.yaml").write_text(CONF, encoding="utf-8")
    (room.root / "model_dict.json").write_text(MODELS)
    report = run(room)
    assert report.ok, report.text()
    assert report.characters[0] == "conf.yaml"
    assert "avatar" in {problem.field for problem in report.warnings}
