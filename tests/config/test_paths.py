"""Tests of the data folder and of the package's own files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from greenroom.config.errors import ConfigError
from greenroom.config.paths import (
    DataPaths,
    default_data_dir,
    shipped_avatars,
    shipped_backgrounds,
    shipped_characters,
)


def test_layout(tmp_path: Path):
    """The folder's layout is fixed, and asking for it creates nothing."""
    paths = DataPaths(tmp_path / "data")
    assert paths.histories == tmp_path / "data" / "histories.sqlite3"
    assert [folder.name for folder in paths.folders] == [
        "data",
        "characters",
        "backgrounds",
        "avatars",
        "live2d-models",
    ]
    assert not paths.root.exists()


def test_ensure(tmp_path: Path):
    """ensure makes all folders, as often as it is asked to; others cannot read the histories."""
    paths = DataPaths(tmp_path / "a" / "data")
    assert paths.problem() is None
    paths.ensure()
    paths.ensure()
    assert all(folder.is_dir() for folder in paths.folders)
    if os.name == "posix":
        assert paths.root.stat().st_mode & 0o077 == 0


def test_ensure_where_a_file_is(tmp_path: Path):
    """A file in the place of a folder is a clear error."""
    (tmp_path / "data").write_text("")
    paths = DataPaths(tmp_path / "data")
    with pytest.raises(
        ConfigError, match=r"data_dir: cannot be created: .*; give this user the right to write"
    ):
        paths.ensure()
    problem = paths.problem()
    assert problem is not None
    assert "is not a folder" in problem.message


def test_not_writable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A folder that cannot be written to is an error although it exists."""
    paths = DataPaths(tmp_path / "data")
    paths.ensure()
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != paths.avatars)
    with pytest.raises(ConfigError, match="avatars: data_dir: cannot be written to"):
        paths.ensure()


def test_default_data_dir_is_ours():
    """The default folder is one of this program's own."""
    assert default_data_dir().is_absolute()
    assert default_data_dir().name == "greenroom"


def test_shipped_files_are_found():
    """The package's files are real files beside the code."""
    assert (shipped_characters() / "white.yaml").is_file()
    assert (shipped_avatars() / "white.svg").is_file()
    assert (shipped_backgrounds() / "ceiling-window-room-night.jpeg").is_file()
