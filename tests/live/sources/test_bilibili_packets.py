"""Tests of Bilibili's packets: real compression, many in one frame, and bytes made to do harm."""

from __future__ import annotations

import builtins
import json
import tracemalloc
import zlib
from typing import Any

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.live.sources import bilibili_packets as module
from greenroom.live.sources.base import SourceError
from greenroom.live.sources.bilibili_packets import (
    AUTH_REPLY,
    HEADER,
    HEARTBEAT_REPLY,
    MAX_INFLATED,
    MESSAGE,
    PacketError,
    commands,
    packet,
    require_brotli,
)


def plain(*objects: Any, version: int = 0) -> bytes:
    """Packets that follow each other."""
    out = b""
    for value in objects:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        out += HEADER.pack(HEADER.size + len(body), HEADER.size, version, MESSAGE, 0) + body
    return out


def squeezed(data: bytes) -> list[bytes]:
    """One packet with the data inside, in both compressions."""
    return [plain(zlib.compress(data), version=2), plain(brotli.compress(data, quality=1), version=3)]


def test_packet():
    """What is sent has the length of all, the header's length, and the operation."""
    assert packet(7, b"{}") == bytes.fromhex("00000012 0010 0001 00000007 00000001") + b"{}"


def test_plain_packets():
    """Several packets in a frame are given one by one; what holds no object is empty."""
    frame = plain({"cmd": "A"}, {"cmd": "B"}, [1])
    assert list(commands(frame)) == [(MESSAGE, {"cmd": "A"}), (MESSAGE, {"cmd": "B"}), (MESSAGE, {})]
    assert list(commands(b"")) == []


def test_replies():
    """The login's reply carries a code; a heartbeat's carries a number and, uncounted, what was sent."""
    reply = HEADER.pack(26, 16, 1, AUTH_REPLY, 1) + b'{"code":0}'
    assert list(commands(reply)) == [(AUTH_REPLY, {"code": 0})]
    beat = HEADER.pack(20, 16, 1, HEARTBEAT_REPLY, 1) + b"\0\0\0\1" + b"{}"
    assert list(commands(beat)) == [(HEARTBEAT_REPLY, {})]


@pytest.mark.parametrize("kind", [0, 1], ids=["zlib", "brotli"])
def test_compressed(kind: int):
    """A compressed packet holds many, in order."""
    many = [{"cmd": "A", "n": number} for number in range(500)]
    assert [found for _, found in commands(squeezed(plain(*many))[kind])] == many


@pytest.mark.parametrize("kind", [0, 1], ids=["zlib", "brotli"])
def test_a_bomb_is_refused_without_being_unpacked(kind: int):
    """A few bytes that would unfold to 200 MB are refused, and never take the memory."""
    bomb = squeezed(b" " * (200 * 1024 * 1024))[kind]
    assert len(bomb) < 1024 * 1024
    tracemalloc.start()
    try:
        with pytest.raises(PacketError, match="unfolds to more than"):
            list(commands(bomb))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 6 * MAX_INFLATED


@pytest.mark.parametrize("kind", [0, 1], ids=["zlib", "brotli"])
def test_at_the_bound(kind: int):
    """What unfolds to just the bound passes."""
    text = "x" * (MAX_INFLATED - HEADER.size - 2)
    (found,) = commands(squeezed(plain(json.dumps(text).encode()))[kind])
    assert found == (MESSAGE, {})


@pytest.mark.parametrize("kind", [0, 1], ids=["zlib", "brotli"])
def test_cut_off_or_damaged_compression(kind: int):
    """Compressed data that ends early, or is not what it says, is an error."""
    good = squeezed(plain({"cmd": "A", "text": "abcdefgh" * 50}))[kind]
    body = good[HEADER.size :]
    for bad in (body[: len(body) // 2], b"\xff" * 20, b""):
        with pytest.raises(PacketError, match=r"cut off|damaged"):
            list(commands(plain(bad, version=kind + 2)))


@pytest.mark.parametrize("kind", [0, 1], ids=["zlib", "brotli"])
def test_nesting_is_refused(kind: int):
    """A compressed packet inside another is refused: nobody sends it but to do harm."""
    inner = squeezed(plain({"cmd": "A"}))[kind]
    with pytest.raises(PacketError, match="inside a compressed"):
        list(commands(squeezed(inner)[kind]))


def test_too_many_packets(monkeypatch: pytest.MonkeyPatch):
    """Only so many packets are read out of one frame."""
    monkeypatch.setattr(module, "MAX_PACKETS", 10)
    with pytest.raises(PacketError, match="more than 10 packets"):
        list(commands(squeezed(plain(*({} for _ in range(11))))[0]))


@pytest.mark.parametrize(
    "frame",
    [
        b"short",
        HEADER.pack(15, 16, 0, MESSAGE, 0),
        HEADER.pack(0, 16, 0, MESSAGE, 0),
        HEADER.pack(16, 0, 0, MESSAGE, 0),
        HEADER.pack(99, 16, 0, MESSAGE, 0) + b"{}",
        plain(b"not json"),
        plain({}) + b"x",
    ],
)
def test_damaged(frame: bytes):
    """Lengths that do not fit and bodies that are no JSON are errors, and no endless loop."""
    with pytest.raises(PacketError):
        list(commands(frame))


@given(st.binary(max_size=200))
def test_any_bytes(frame: bytes):
    """Whatever arrives is packets or a PacketError."""
    try:
        list(commands(frame))
    except PacketError:
        pass


def test_what_came_before_the_damage_is_given():
    """Packets before a damaged one are not lost."""
    found = commands(plain({"cmd": "A"}) + b"x")
    assert next(found) == (MESSAGE, {"cmd": "A"})
    with pytest.raises(PacketError):
        next(found)


def test_brotli_is_missing(monkeypatch: pytest.MonkeyPatch):
    """Without the optional package the error says what to install, and is not repeated for ever."""
    real = builtins.__import__

    def without(name: str, *args: Any, **more: Any) -> Any:
        if name == "brotli":
            raise ImportError(name)
        return real(name, *args, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(SourceError, match="not installed") as error:
        require_brotli()
    assert "greenroom[bilibili]" in error.value.hint
    assert not error.value.retryable


def test_brotli_is_too_old(monkeypatch: pytest.MonkeyPatch):
    """A release that cannot bound its output is not used."""
    monkeypatch.setattr(brotli, "Decompressor", object)
    with pytest.raises(SourceError, match="cannot bound") as error:
        require_brotli()
    assert not error.value.retryable
