"""Tests of scripts/bootstrap.py: a second run does nothing, two runs take turns."""

from __future__ import annotations

import os
from pathlib import Path

import bootstrap
import pytest


def test_a_second_run_does_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same lock and the same page, nothing is started; the tests' packages serve the server too."""

    def forbidden(*_: object) -> None:
        raise AssertionError("nothing has changed, so nothing may be done")

    state = tmp_path / "state.json"
    state.write_text(f'{{"dev": "{bootstrap._packages_key("dev")}"}}')
    monkeypatch.setattr(bootstrap, "STATE", state)
    monkeypatch.setattr(bootstrap, "venv_works", lambda: True)
    monkeypatch.setattr(bootstrap.page, "is_current", lambda: True)
    monkeypatch.setattr(bootstrap, "make_venv", forbidden)
    bootstrap.set_up("dev")
    bootstrap.set_up("run")


@pytest.mark.skipif(os.name == "nt", reason="locks with flock")
def test_two_setups_do_not_work_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one run holds the clone, a second one cannot have it; afterwards it can."""
    (tmp_path / "bootstrap.txt").touch()
    monkeypatch.setattr(bootstrap, "LOCKS", tmp_path)
    with open(tmp_path / "bootstrap.txt", "rb") as second:
        with bootstrap.only_one():
            assert not bootstrap._lock(second.fileno(), wait=False)
        assert bootstrap._lock(second.fileno(), wait=False)


def test_an_unknown_command_shows_the_help(capsys: pytest.CaptureFixture) -> None:
    """A mistyped command does nothing and says which there are."""
    assert bootstrap.main(["rnu"]) == 2
    assert "python scripts/bootstrap.py run" in capsys.readouterr().err
