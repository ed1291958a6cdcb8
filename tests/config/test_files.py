"""Tests of reading text files as people's editors leave them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from greenroom.config.errors import ConfigError
from greenroom.config.files import decode_text, read_text

JAPANESE = "あなたはさくら。やさしく話してください。"
CHINESE = "你是米粒，一个聪明的角色。请用中文回答。"


@pytest.mark.parametrize(
    ("text", "encoding", "name"),
    [
        (CHINESE, "utf-8", "utf-8"),
        (CHINESE, "utf-8-sig", "utf-8"),
        (CHINESE, "utf-16", "utf-16"),
        (CHINESE, "gb18030", "gb18030"),
        (JAPANESE, "cp932", "cp932"),
        (JAPANESE, "utf-8", "utf-8"),
    ],
)
def test_encodings(text: str, encoding: str, name: str):
    """Text comes back whole from each encoding that editors use."""
    assert decode_text(text.encode(encoding)) == (text, name)


def test_bytes_that_are_no_text():
    """Bytes that fit no encoding give no text."""
    assert decode_text(b"\xff\xff\xff\x00\x81") == (None, "")


def test_missing_file(tmp_path: Path):
    """A missing file is an error with the system's reason."""
    with pytest.raises(ConfigError, match=r"^here\.yaml: cannot be read: No such file"):
        read_text(tmp_path / "no.yaml", name="here.yaml", max_bytes=100)


def test_too_large(tmp_path: Path):
    """A file over the limit is refused; one at the limit is read."""
    path = tmp_path / "big.yaml"
    path.write_bytes(b"a" * 2048)
    assert read_text(path, name="big", max_bytes=2048)[0] == "a" * 2048
    with pytest.raises(ConfigError, match="is too large; keep it under 1 KiB"):
        read_text(path, name="big", max_bytes=1024)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipe_is_refused(tmp_path: Path):
    """A pipe, which would block for ever, is not opened."""
    path = tmp_path / "pipe.yaml"
    os.mkfifo(path)
    with pytest.raises(ConfigError, match="is not an ordinary file"):
        read_text(path, name="pipe", max_bytes=100)


def test_not_text(tmp_path: Path):
    """A file that is no text says to save it as UTF-8."""
    path = tmp_path / "bin.yaml"
    path.write_bytes(b"\xff\xff\xff\x00\x81")
    with pytest.raises(ConfigError, match="save it as UTF-8"):
        read_text(path, name="bin", max_bytes=100)
