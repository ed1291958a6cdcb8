"""Tests of where settings come from and of what is said about wrong ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenroom.config.errors import ConfigError
from greenroom.config.settings import find_settings_file, gather, load_settings


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, so that no file of the developer's is found."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("greenroom.config.settings.default_data_dir", lambda: tmp_path / "data")
    return tmp_path


def errors(path: Path | None, environ: dict[str, str] | None = None, **overrides: object) -> list[str]:
    given = {name.replace("__", "."): value for name, value in overrides.items()}
    with pytest.raises(ConfigError) as caught:
        load_settings(path, environ=environ or {}, overrides=given)
    return str(caught.value).splitlines()


def write(folder: Path, text: str) -> Path:
    path = folder / "greenroom.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults(home: Path):
    """Without any source the defaults hold."""
    settings = load_settings(environ={})
    assert (settings.server.port, settings.character, settings.agent.kind) == (12393, "white.yaml", "auto")
    assert settings.paths.root == home / "data"


def test_precedence(home: Path):
    """Command line beats environment beats file beats default, field by field."""
    path = write(home, "server: {port: 1001, host: file}\nlog: {level: error, json: true}\n")
    environ = {"GREENROOM_SERVER__PORT": "1002", "GREENROOM_LOG__LEVEL": "warning"}
    settings = load_settings(path, environ=environ, overrides={"server.port": 1003})
    assert (settings.server.port, settings.server.host) == (1003, "file")
    assert (settings.log.level, settings.log.json) == ("warning", True)
    assert load_settings(path, environ=environ).server.port == 1002
    assert load_settings(path, environ={}).server.port == 1001


def test_flags_that_were_not_given(home: Path):
    """None on the command line means not given."""
    path = write(home, "server: {port: 1001}\n")
    assert load_settings(path, environ={}, overrides={"server.port": None}).server.port == 1001


def test_search_order(home: Path):
    """The file here comes before the one in the data folder; none is fine too."""
    assert find_settings_file({}) is None
    data = home / "data"
    data.mkdir()
    (data / "greenroom.yaml").write_text("server: {port: 1}")
    assert find_settings_file({}) == data / "greenroom.yaml"
    assert load_settings(environ={}).server.port == 1
    write(home, "server: {port: 2}")
    assert load_settings(environ={}).server.port == 2


def test_search_follows_the_data_dir(home: Path):
    """A data folder named by environment or flag is where the file is looked for."""
    for name, port in (("one", 1), ("two", 2)):
        (home / name).mkdir()
        (home / name / "greenroom.yaml").write_text(f"server: {{port: {port}}}")
    environ = {"GREENROOM_DATA_DIR": str(home / "one")}
    assert load_settings(environ=environ).server.port == 1
    assert load_settings(environ=environ, overrides={"data_dir": home / "two"}).server.port == 2


def test_named_file_must_exist(home: Path):
    """A file named on purpose that is not there is an error."""
    assert errors(Path("other.yaml")) == [
        "other.yaml: cannot be read: No such file or directory; check the path and its permissions"
    ]


def test_error_names_file_line_field_and_fix(home: Path):
    """The sentence of the plan, word for word."""
    write(home, "# settings\nserver:\n  host: 0.0.0.0\n  port: 99999\n")
    assert errors(None) == [
        "greenroom.yaml:4: server.port: 99999 is not a port; use 1..65535, or 0 for any free port"
    ]


def test_all_errors_at_once(home: Path):
    """Wrong values of all three sources are reported together, each with its source."""
    write(home, "agent:\n  kind: buildin\nlimits:\n  turn_second: 5\n  speech_jobs: many\n")
    environ = {"GREENROOM_LOG__LEVEL": "loud", "GREENROOM_SERVER__PRT": "1"}
    found = errors(None, environ, voice__tts__slots=0, nothing__here=1)
    assert sorted(found) == sorted(
        [
            'greenroom.yaml:2: agent.kind: "buildin" is not a choice; did you mean "builtin"? '
            'use "auto", "builtin" or "openai"',
            'greenroom.yaml:4: limits.turn_second: unknown field; did you mean "turn_seconds"?',
            'greenroom.yaml:5: limits.speech_jobs: "many" is not a whole number; use 1..64',
            'environment variable GREENROOM_LOG__LEVEL: log.level: "loud" is not a choice; '
            'use "debug", "info", "warning" or "error"',
            'environment variable GREENROOM_SERVER__PRT: server.prt: unknown field; did you mean "port"?',
            "command line: voice.tts.slots: 0 is out of range; use 1..64",
            "command line: nothing: unknown field; known here: server, security, limits, history, agent, voice, "
            "rooms, queue, "
            "sources, ops, log, data_dir, character, characters_dir",
        ]
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("server: 5", "server: 5 stands where a section belongs"),
        ("server: [1]", "server: a list stands where a section belongs"),
        ("log: 5", "log: 5 stands where a section belongs"),
        ("log: {jso: true}", 'log.jso: unknown field; did you mean "json"?'),
        ("server: {port: null}", "server.port: nothing is not a port"),
        ("server: {host: 5}", "server.host: 5 is not text; put it in quotes"),
        ("server: {page_dir: 5}", "server.page_dir: 5 is not text"),
        ("log: {json: maybe}", 'log.json: "maybe" is neither true nor false; use true or false'),
        (
            "limits: {turn_seconds: soon}",
            'limits.turn_seconds: "soon" is not a number; use more than 0, up to 86400',
        ),
        ("limits: {turn_seconds: .inf}", "limits.turn_seconds: inf is out of range"),
        ("limits: {max_images: 1.5}", "limits.max_images: 1.5 is not a whole number; use 0..100"),
        ("agent: {openai: {model: ''}}", "agent.openai.model: is empty"),
        (
            "agent: {openai: {base_url: here}}",
            'agent.openai.base_url: "here" is not a base URL; use one such as',
        ),
        ("character: ../x.yaml", 'character: "../x.yaml" is not a character\'s file name'),
        ("colour: red", "colour: unknown field; known here: server, security, limits"),
        ("server: {port: 1, port: 2}", "server.port: is given twice; the first time in line 1"),
    ],
)
def test_wordings(home: Path, text: str, message: str):
    """Each kind of mistake has a plain sentence."""
    write(home, text)
    (found,) = errors(None)
    assert found.startswith(f"greenroom.yaml:1: {message}")


def test_section_hidden_by_the_environment(home: Path):
    """A value where a section belongs is reported although the environment hides it."""
    write(home, "server: 5\n")
    (found,) = errors(None, {"GREENROOM_SERVER__PORT": "80"})
    assert found.startswith("greenroom.yaml:1: server: is a section, not a single value")


def test_sections_cannot_be_set_as_a_whole(home: Path):
    """A section needs the name of one of its fields."""
    (found,) = errors(None, {"GREENROOM_SERVER": "80"})
    assert found == (
        "environment variable GREENROOM_SERVER: server: is a section, not a single value; "
        "set one of its fields: host, port, page_dir, tls_cert, tls_key"
    )


def test_empty_sections(home: Path):
    """Sections with everything commented out are the defaults."""
    path = write(home, "server:\n  # port: 1\nagent:\n  openai:\n")
    assert load_settings(path, environ={}) == load_settings(environ={}, overrides={})


def test_environment_of_others(home: Path):
    """Names that a container platform sets for a service called greenroom do no harm, but are told."""
    environ = {
        "GREENROOM_PORT": "tcp://10.0.0.1:80",
        "GREENROOM_SERVICE_HOST": "10.0.0.1",
        "GREENROOM_DATADIR": "/x",
        "OTHER_SERVER__PORT": "1",
    }
    assert load_settings(environ=environ).server.port == 12393
    warnings = [str(warning) for warning in gather(None, environ=environ).warnings]
    assert (
        'environment variable GREENROOM_DATADIR: is no setting and was not used; did you mean "data_dir"?'
        in warnings
    )
    assert len(warnings) == 3


def test_empty_variable_is_unset(home: Path):
    """A variable set to nothing is not set."""
    assert load_settings(environ={"GREENROOM_SERVER__PORT": ""}).server.port == 12393


def test_substitution(home: Path):
    """Variables in the file are filled in and typed."""
    path = write(home, "server:\n  port: ${P}\n  host: ${H:-localhost}\nlog: {json: '${J}'}\n")
    settings = load_settings(path, environ={"P": "81", "J": "true"})
    assert (settings.server.port, settings.server.host, settings.log.json) == (81, "localhost", True)


def test_missing_variable(home: Path):
    """A variable that is not set is named once, not again as a wrong value."""
    write(home, "server:\n  port: ${NO_SUCH}\n")
    assert errors(None) == [
        "greenroom.yaml:2: server.port: the environment variable NO_SUCH is not set; "
        "set it, or write ${NO_SUCH:-default}"
    ]


def test_secrets_do_not_show_up_in_errors(home: Path):
    """Neither a key, nor what came out of the environment, is repeated in a message."""
    write(
        home,
        "server:\n  port: ${S}\nagent:\n  openai:\n    api_key_env: sk-inline\n    api_key: [sk-inline]\n"
        "    kye: sk-inline\n",
    )
    text = "\n".join(errors(None, {"S": "sk-environment"}))
    assert "sk-" not in text
    assert "greenroom.yaml:2: server.port: the value is not a port" in text
    assert (
        "greenroom.yaml:5: agent.openai.api_key_env: the value is not the name of an environment var" in text
    )


def test_password_in_an_address(home: Path):
    """An address with a password in it is not repeated."""
    (found,) = errors(None, {}, agent__openai__base_url="ftp://me:secret@host")
    assert found.startswith("command line: agent.openai.base_url: the value is not a base URL")


def test_paths_start_at_the_file(home: Path):
    """Relative paths in the file are relative to the file; those of a flag to the working folder."""
    folder = home / "etc"
    folder.mkdir()
    path = write(folder, "data_dir: store\nserver: {page_dir: /abs/page}\n")
    settings = load_settings(path, environ={}, overrides={"characters_dir": "chars"})
    assert settings.data_dir == folder / "store"
    assert settings.server.page_dir == Path("/abs/page")
    assert settings.characters_dir == Path("chars")
    assert settings.paths.histories == folder / "store" / "histories.sqlite3"


def test_home_in_paths(home: Path):
    """`~` is the user's home."""
    path = write(home, "data_dir: ~/room\n")
    assert load_settings(path, environ={}).data_dir == Path.home() / "room"


def test_alias_bomb(home: Path):
    """A settings file made to exhaust memory is refused."""
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    write(home, "\n".join(levels))
    (found,) = errors(None)
    assert "once its aliases are expanded" in found
