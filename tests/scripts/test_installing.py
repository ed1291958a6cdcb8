"""Tests of scripts/installing.py: pip's settings handed to uv, fallbacks, and errors that help."""

from __future__ import annotations

import sys
from pathlib import Path

import installing
import pytest

CONFIG = """\
:env:.timeout='180'
global.cert='/etc/company.pem'
global.index-url='https://files.example/simple'
global.timeout='30'
install.extra-index-url='\\nhttps://one.example/simple\\nhttps://two.example/simple'
list.format='columns'
"""


def test_pips_settings_are_read_in_pips_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment wins over the section of a command, which wins over the global one."""
    monkeypatch.setattr(installing, "run", lambda *_: CONFIG)
    assert installing.pip_settings() == {
        "cert": "/etc/company.pem",
        "index-url": "https://files.example/simple",
        "timeout": "180",
        "extra-index-url": "https://one.example/simple https://two.example/simple",
    }


def test_uv_sees_what_pip_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    """Index, mirrors and certificates reach uv under its own names; what the user set for uv stays."""
    monkeypatch.setenv("UV_INDEX", "https://mine.example/simple")
    monkeypatch.delenv("UV_DEFAULT_INDEX", raising=False)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    env = installing.uv_environment(
        {"index-url": "https://a.example", "extra-index-url": "https://b.example", "cert": "/etc/company.pem"}
    )
    assert env["UV_DEFAULT_INDEX"] == "https://a.example"
    assert env["UV_INDEX"] == "https://mine.example/simple"
    assert env["SSL_CERT_FILE"] == "/etc/company.pem"


def test_pip_goes_on_where_uv_fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    """A failing uv is told and replaced by pip with the same lock, once and for all."""
    asked: list[list[str]] = []

    def run(command: list[str], env: dict[str, str] | None = None) -> str:
        asked.append(command)
        if command[0] == "/uv":
            raise installing.SetupError("uv … failed:\nno route to the index")
        return ""

    monkeypatch.setattr(installing, "run", run)
    installer = installing.Installer("/uv", {})
    installer.locked("run")
    installer.locked("node")
    assert [command[0] == "/uv" for command in asked] == [True, False, False]
    assert all("--require-hashes" in command for command in asked)
    assert "no route to the index" in capsys.readouterr().out


def test_a_failing_command_shows_the_end_of_its_output() -> None:
    """The error names the command and holds what it printed last."""
    script = "print('x\\n' * 100); print('the reason'); raise SystemExit(3)"
    with pytest.raises(installing.SetupError, match=r"(?s)failed:.*the reason$") as caught:
        installing.run([sys.executable, "-c", script])
    assert len(str(caught.value).splitlines()) <= 40


def test_a_command_that_is_not_there_is_an_error_that_names_it() -> None:
    """A program that cannot be started is told by name."""
    with pytest.raises(installing.SetupError, match="no-such-program could not be started"):
        installing.run(["/no-such-program"])


def test_a_python_without_ensurepip_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debian's plain python3 has no ensurepip: the error names the package that brings it."""

    def run(command: list[str], env: dict[str, str] | None = None) -> str:
        raise installing.SetupError("ensurepip is not available")

    monkeypatch.setattr(installing, "VENV", tmp_path / "venv")
    monkeypatch.setattr(installing, "PYTHON", tmp_path / "venv" / "python")
    monkeypatch.setattr(installing, "run", run)
    with pytest.raises(
        installing.SetupError, match=r"(?s)ensurepip is not available.*apt install python3\.\d+-venv"
    ):
        installing.make_venv()
