"""Tests of `greenroom sources test`."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from tests.live.sources.helpers import ScriptedSource, message
from tests.live.sources.irc_server import IrcServer, Person
from typer.testing import CliRunner

from greenroom.cli import app
from greenroom.live.sources.base import SourceError

SRC = Path(__file__).resolve().parents[3] / "src"


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """The command silences the logs of its process, which here is everybody's."""
    yield
    structlog.reset_defaults()


def run(monkeypatch: pytest.MonkeyPatch, script: list[Any], *options: str) -> Any:
    """The command on a scripted chat."""
    monkeypatch.setattr(
        "greenroom.live.sources.factory.create_source", lambda *args, **more: ScriptedSource(script)
    )
    return CliRunner().invoke(app, ["sources", "test", "twitch://somebody", *options])


def test_messages_and_verdicts(monkeypatch: pytest.MonkeyPatch):
    """Each message is a line, with its verdict; the states and the sums go to standard error."""
    script = [
        "connected",
        message("hello", name="Ann"),
        message("see example.com", name="Bo"),
        message("go", name="Cy", priority=1, paid="100 bits"),
        message("hi", name="Di", priority=2),
        message("oh damn", name="Ed"),
    ]
    done = run(monkeypatch, script, "--block", "damn")
    assert done.exit_code == 0
    lines = [line.split(" ", 2) for line in done.stdout.splitlines()]
    assert [(mark, rest) for mark, _, rest in lines] == [
        ("+", "Ann: hello"),
        ("-", "Bo: see example.com  (link: example.com)"),
        ("+", "Cy [100 bits]: go"),
        ("+", "Di [owner]: hi"),
        ("-", "Ed: oh damn  (word: damn)"),
    ]
    assert "Connected." in done.stderr
    assert "The live chat has ended." in done.stderr
    assert "5 messages, 3 accepted; refused: link 1, word 1" in done.stderr


def test_nothing_can_steer_the_terminal(monkeypatch: pytest.MonkeyPatch):
    """Control characters of a chat never reach the terminal."""
    done = run(monkeypatch, ["connected", message("\x1b[2Jhi\r\n+ fake", name="\x1b]0;x\x07Eve")])
    assert "\x1b" not in done.stdout
    assert len(done.stdout.splitlines()) == 1


def test_count(monkeypatch: pytest.MonkeyPatch):
    """It ends after so many messages, even if more came with the last."""
    done = run(monkeypatch, ["connected", *(message(str(n)) for n in range(9)), 60], "--count", "3")
    assert (done.exit_code, len(done.stdout.splitlines())) == (0, 3)


def test_seconds(monkeypatch: pytest.MonkeyPatch):
    """It ends after so many seconds; a quiet chat is no failure."""
    done = run(monkeypatch, ["connected", 60], "--seconds", "0.1")
    assert (done.exit_code, done.stdout) == (0, "")


def test_failures(monkeypatch: pytest.MonkeyPatch):
    """What cannot be read says why and what to do, and is a failure for scripts."""
    done = run(monkeypatch, [SourceError("no such channel", "check its name", retryable=False)])
    assert done.exit_code == 1
    assert "greenroom: no such channel; check its name" in done.stderr
    done = run(monkeypatch, [SourceError("no network")], "--seconds", "0.1")
    assert done.exit_code == 1
    assert "no network. Next try in 1 s." in done.stderr


def test_a_wrong_address():
    """An address that names nothing is told at once."""
    done = CliRunner().invoke(app, ["sources", "test", "twich://somebody"])
    assert done.exit_code == 2
    assert 'did you mean "twitch"' in done.stderr


async def test_a_real_chat_until_ctrl_c(irc: IrcServer):
    """Against a real server: messages appear as they are written, and Ctrl+C ends it in peace."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-u", "-m", "greenroom", "sources", "test", f"irc://127.0.0.1:{irc.port}/stage",
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(SRC)},
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        async with asyncio.timeout(20):
            while (line := await process.stderr.readline()) != b"Connected.\n":
                assert line, "it ended before it was connected"
            ann = await Person.joined(irc.port, "Ann")
            ann.say("hello", "!bot")
            assert (await process.stdout.readline()).endswith(b" Ann: hello\n")
            assert (await process.stdout.readline()).endswith(b" Ann: !bot  (command)\n")
            ann.leave()
            process.send_signal(signal.SIGINT)
            out, error = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    assert process.returncode == 0
    assert out == b""
    assert b"Traceback" not in error
