"""Bilibili's chat protocol: a 16-byte header, JSON, often many packets compressed into one. Sans-I/O.

Written here and not taken from a library: the maintained one, blivedm, is not on PyPI (its README says that
what one gets there is wrong; it is an upload of 2023 by somebody else), and bilibili-api-python is GPL-3.0.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any

import msgspec

from greenroom.live.sources.base import SourceError

__all__ = ["AUTH", "AUTH_REPLY", "HEARTBEAT", "PacketError", "commands", "packet", "require_brotli"]

HEADER = struct.Struct(">IHHII")
HEARTBEAT, HEARTBEAT_REPLY, MESSAGE, AUTH, AUTH_REPLY = 2, 3, 5, 7, 8
PLAIN, ZLIB, BROTLI = (0, 1), 2, 3

MAX_INFLATED = 4 * 1024 * 1024
"""Bytes that one frame may unfold to; the largest seen in busy rooms have some 200 KB."""
MAX_PACKETS = 10_000
"""Packets in one frame."""


class PacketError(ValueError):
    """The bytes are no packets, or would unfold beyond the bounds."""


def packet(operation: int, body: bytes) -> bytes:
    """One packet to send."""
    return HEADER.pack(HEADER.size + len(body), HEADER.size, 1, operation, 1) + body


def commands(frame: bytes) -> Iterator[tuple[int, dict[str, Any]]]:
    """The operation and the JSON object of each packet in a frame; a heartbeat's reply has an empty one.

    Raises `PacketError` at the first that is damaged.
    """
    count = 0
    for version, operation, body in _split(frame):
        if operation == MESSAGE and version in (ZLIB, BROTLI):
            inflated = _unzlib(body) if version == ZLIB else _unbrotli(body)
            for inner_version, inner_operation, inner in _split(inflated):
                if inner_version in (ZLIB, BROTLI):
                    raise PacketError("a compressed packet inside a compressed packet")
                count += 1
                if count > MAX_PACKETS:
                    raise PacketError(f"more than {MAX_PACKETS} packets in one frame")
                yield inner_operation, _object(inner_operation, inner)
        else:
            yield operation, _object(operation, body)


def _split(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    offset = 0
    while offset < len(data):
        if len(data) - offset < HEADER.size:
            raise PacketError("a packet's header is cut off")
        length, header, version, operation, _ = HEADER.unpack_from(data, offset)
        if header < HEADER.size or length < header or offset + length > len(data):
            raise PacketError(f"a packet of {length} bytes does not fit into its frame")
        yield version, operation, data[offset + header : offset + length]
        if operation == HEARTBEAT_REPLY:
            return  # it repeats our heartbeat's body behind its end, without counting it
        offset += length


def _object(operation: int, body: bytes) -> dict[str, Any]:
    if operation not in (MESSAGE, AUTH_REPLY):
        return {}
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PacketError(f"a packet that is not JSON: {error}") from None
    return found if isinstance(found, dict) else {}


def _unzlib(data: bytes) -> bytes:
    try:
        inflater = zlib.decompressobj()
        out = inflater.decompress(data, MAX_INFLATED)
    except zlib.error as error:
        raise PacketError(f"damaged zlib data: {error}") from None
    if inflater.unconsumed_tail:
        raise PacketError(f"zlib data that unfolds to more than {MAX_INFLATED} bytes")
    if not inflater.eof:
        raise PacketError("zlib data that is cut off")
    return out


def require_brotli() -> Any:
    """The brotli module. Raises `SourceError` that says how to install it."""
    try:
        import brotli
    except ImportError:
        raise SourceError(
            "Bilibili's chat is compressed with Brotli, which is not installed",
            'install it: pip install "greenroom[bilibili]" (or just "brotli>=1.2")',
            retryable=False,
        ) from None
    if not hasattr(brotli.Decompressor, "can_accept_more_data"):
        raise SourceError(
            "the installed brotli cannot bound what it unpacks",
            'install a newer one: pip install "brotli>=1.2"',
            retryable=False,
        )
    return brotli


def _unbrotli(data: bytes) -> bytes:
    brotli = require_brotli()
    inflater = brotli.Decompressor()
    out = bytearray()
    try:
        out += inflater.process(data, output_buffer_limit=MAX_INFLATED)
        while not inflater.is_finished() and len(out) <= MAX_INFLATED:
            # With empty input it goes on where the limit stopped it; nothing new means the data is cut off.
            if not (more := inflater.process(b"", output_buffer_limit=MAX_INFLATED)):
                raise PacketError("Brotli data that is cut off")
            out += more
    except brotli.error as error:
        raise PacketError(f"damaged Brotli data: {error}") from None
    if len(out) > MAX_INFLATED or not inflater.is_finished():
        raise PacketError(f"Brotli data that unfolds to more than {MAX_INFLATED} bytes")
    return bytes(out)
