"""The commands as a user types them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from greenroom.cli import app
from greenroom.lab import commands
from greenroom.lab.faults import FAULTS, FaultProcess
from greenroom.lab.record import load
from greenroom.lab.soak_command import Wanted, run_soak
from greenroom.lab.target import port_of, websocket_url
from greenroom.protocol.address import BadAddress

runner = CliRunner()
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture(autouse=True)
def short_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests look at what is printed, not at what is measured."""
    monkeypatch.setattr("greenroom.lab.soak.FINAL_REST_SECONDS", 0.1)
    monkeypatch.setattr("greenroom.lab.soak.REST_SECONDS", 0.1)


def soak(**wanted: object) -> tuple[int, str]:
    """The exit code and what was printed."""
    console = Console(record=True, width=200, force_terminal=False)
    code = run_soak(Wanted(**wanted), console)  # type: ignore[arg-type]
    return code, console.export_text()


@pytest.mark.parametrize(
    ("typed", "path", "url"),
    [
        ("12393", "/client-ws", "ws://127.0.0.1:12393/client-ws"),
        ("localhost:80", "/client-ws", "ws://localhost:80/client-ws"),
        ("http://127.0.0.1:8000/", "/client-ws", "ws://127.0.0.1:8000/client-ws"),
        ("https://example.org", "/client-ws", "wss://example.org/client-ws"),
        ("ws://[::1]:9/ws?x=1", "/", "ws://[::1]:9/ws?x=1"),
    ],
)
def test_an_address_may_be_short(typed: str, path: str, url: str):
    """A port, a host or a page's address is enough."""
    assert websocket_url(typed, path) == url


@pytest.mark.parametrize("typed", ["", "ftp://x", "ws://", "ws://x:99999/"])
def test_what_is_no_address_is_told(typed: str):
    """The message shows what an address looks like."""
    with pytest.raises(BadAddress, match="ws://"):
        websocket_url(typed)


def test_only_servers_here_are_looked_into():
    """A server elsewhere has no process on this machine."""
    assert port_of("ws://localhost:12/x") == 12
    assert port_of("ws://127.0.0.1/x") == 80
    assert port_of("wss://example.org/x") is None


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"url": "ftp://x"}, "no address"),
        ({"url": "1", "mode": "rude"}, "no mode"),
        ({"url": "ws://127.0.0.1:1/"}, "start the server"),
        ({"url": "ws://127.0.0.1:1/", "pid": 2**22 + 1}, "no process"),
        ({"script": Path("nowhere.yaml")}, "nowhere.yaml"),
        ({"url": "ws://127.0.0.1:1/?token=s3cret"}, "ws://127.0.0.1:1/client-ws?…"),
    ],
)
def test_mistakes_of_usage_end_with_2(wanted: dict[str, object], words: str):
    """One line says what is wrong; nothing is measured."""
    code, text = soak(**wanted)
    assert (code, words in text) == (2, True), text


@linux
def test_a_soak_prints_writes_and_restarts(tmp_path: Path):
    """Table, verdict, cause, JSON, page and the restart check, in one run against a server with a defect."""
    with FaultProcess(["leaked-fd"], time_scale=0.02) as server:
        code, text = soak(
            url=server.url, visits=24, json=tmp_path / "run.json", report=tmp_path / "out.html",
            restart_command="exit 0",
        )  # fmt: skip
    assert code == 1
    assert all(words in text for words in ("1st", "10th", "open files", "growing", "likely cause", "restart"))
    document = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    assert document["verdict"]["exit_code"] == 1
    assert len(load(tmp_path / "run.json").visits) == 24
    assert "</html>" in (tmp_path / "out.html").read_text(encoding="utf-8")


@linux
def test_a_restart_command_that_fails_is_noted():
    """The verdict stands, and the note says what the command ended with."""
    with FaultProcess(time_scale=0.02) as server:
        _, text = soak(url=server.url, visits=3, mode="polite", restart_command="exit 7")
    assert "ended with 7" in text


@linux
def test_too_few_visits_end_with_3_and_with_1_if_flat_is_demanded():
    """Nothing is called flat that was not shown to be."""
    with FaultProcess(time_scale=0.02) as server:
        wanted: dict[str, object] = {"url": server.url, "visits": 3, "mode": "polite"}
        assert soak(**wanted)[0] == 3
        assert soak(**wanted, assert_flat=True)[0] == 1


@linux
def test_greenroom_itself_is_started_and_measured():
    """Without an address a Greenroom is started, visited in every manner without an error, and stopped."""
    code, text = soak(visits=14, language="zh")
    assert code in (0, 3), text
    assert "任务" in text


@pytest.mark.slow
@linux
def test_greenroom_is_flat_for_two_hundred_visits(tmp_path: Path):
    """The promise of the project, measured: 200 mixed visits, every figure flat, no cause."""
    code, text = soak(visits=200, json=tmp_path / "run.json", assert_flat=True)
    assert code == 0, text
    assert load(tmp_path / "run.json").seconds < 180


def test_the_commands_are_there_with_examples():
    """Help names every mode and shows how to type it."""
    for command, words in {"soak": "--assert-flat", "report": "before.json", "faults": "--fault"}.items():
        result = runner.invoke(app, [command, "--help"], env={"COLUMNS": "160", "TERM": "dumb"})
        assert result.exit_code == 0
        assert words in result.output
        assert "Examples" in result.output


def test_the_faults_are_listed():
    """`greenroom faults --list` names each with what it does."""
    result = runner.invoke(app, ["faults", "--list"])
    assert result.exit_code == 0
    assert all(name in result.output and what in result.output for name, what in FAULTS.items())


@pytest.mark.parametrize(
    ("lines", "token", "headers"),
    [
        ([], None, {}),
        (["X-Key: a:b"], None, {"X-Key": "a:b"}),
        (["A: 1", "B:2"], "t", {"A": "1", "B": "2", "Authorization": "Bearer t"}),
    ],
)
def test_headers_and_token_become_headers(lines: list[str], token: str | None, headers: dict[str, str]):
    """A header is what stands before the first colon; a token is sent as bearer."""
    assert commands._headers(lines, token) == headers


@pytest.mark.parametrize(
    "arguments",
    [["soak", "--visits", "0"], ["soak", "--lang", "fr"], ["soak", "--header", "nonsense"], ["report"]],
)
def test_wrong_options_end_with_2(arguments: list[str]):
    """Values out of range are refused before anything starts."""
    assert runner.invoke(app, arguments).exit_code == 2
