"""Pictures that visitors send: what they really are, read from their first bytes. Sans-I/O; nothing is decoded.

A name or a declared type says nothing, and a decoder is where hostile pictures do their harm: so type and size
are read from the header, and what is no picture of a known type, or unfolds to too many pixels, is refused before
anything or anybody else sees it. An SVG is a program, not a picture.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Literal

__all__ = ["BadPicture", "checked_picture", "measure"]

HEAD = 512 * 1024
"""Bytes that are looked at: a JPEG may have its size behind a preview and a long description."""
_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)?((?:;[\w.+-]+=[^;,]*)*);base64,", re.IGNORECASE)
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")
KNOWN = "PNG, JPEG, GIF or WebP"

Code = Literal["too-large", "bad-image"]


class BadPicture(ValueError):
    """A picture that is not taken; the text says why, and what would be."""

    def __init__(self, message: str, code: Code = "bad-image") -> None:
        super().__init__(message)
        self.code: Code = code


def checked_picture(url: str, max_bytes: int, max_pixels: int) -> str:
    """Return the data URL with the type that its content has. Raises `BadPicture`."""
    size = len(url) * 3 // 4
    if len(url) > max_bytes * 4 // 3 + 64:
        raise BadPicture(f"it has {size} bytes; {max_bytes} are allowed.", "too-large")
    start = _DATA_URL.match(url)
    if start is None:
        raise BadPicture("it is no data URL in base64; send data:image/jpeg;base64,…")
    content = url[start.end() :]
    part = content[: HEAD * 4 // 3 // 4 * 4]
    try:
        # Only what is looked at: going through all of it would hold up everybody for some milliseconds.
        if not _BASE64.fullmatch(part) or not content.isascii():
            raise ValueError
        head = base64.b64decode(part + "=" * (-len(part) % 4))
    except (binascii.Error, ValueError):
        raise BadPicture("it is not valid base64; encode the picture's bytes once, in one line.") from None
    kind, width, height = measure(head)
    if width * height > max_pixels:
        raise BadPicture(f"it has {width} by {height} pixels; {max_pixels} in all are allowed.", "too-large")
    return f"data:image/{kind};base64,{content}"


def measure(head: bytes) -> tuple[str, int, int]:
    """Return type, width and height of a picture by its first bytes. Raises `BadPicture`."""
    size: tuple[int, int] | None = None
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        kind = "png"
        if head[12:16] == b"IHDR" and len(head) >= 24:
            size = int.from_bytes(head[16:20]), int.from_bytes(head[20:24])
    elif head.startswith(b"\xff\xd8\xff"):
        kind, size = "jpeg", _jpeg(head)
    elif head.startswith((b"GIF87a", b"GIF89a")):
        kind = "gif"
        if len(head) >= 10:
            size = int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little")
    elif head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        kind, size = "webp", _webp(head)
    else:
        raise BadPicture(f"its content is no {KNOWN} picture; send one of these.")
    if size is None or 0 in size:
        raise BadPicture(f"its {kind.upper()} header is damaged; send the whole picture.")
    return kind, *size


def _jpeg(head: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(head):
        if head[at] != 0xFF:
            return None
        marker = head[at + 1]
        if marker == 0xFF:  # padding
            at += 1
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(head[at + 7 : at + 9]), int.from_bytes(head[at + 5 : at + 7])
        elif marker == 0x01 or 0xD0 <= marker <= 0xD7:  # markers without a length
            at += 2
        elif marker in (0xD9, 0xDA):  # the end, or the picture itself: its size should have come before
            return None
        else:
            length = int.from_bytes(head[at + 2 : at + 4])
            if length < 2:
                return None
            at += 2 + length
    return None


def _webp(head: bytes) -> tuple[int, int] | None:
    form, data = head[12:16], head[20:30]
    if len(data) < 10:
        return None
    if form == b"VP8 " and data[3:6] == b"\x9d\x01\x2a":
        return int.from_bytes(data[6:8], "little") & 0x3FFF, int.from_bytes(data[8:10], "little") & 0x3FFF
    if form == b"VP8L" and data[0] == 0x2F:
        bits = int.from_bytes(data[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if form == b"VP8X":
        return int.from_bytes(data[4:7], "little") + 1, int.from_bytes(data[7:10], "little") + 1
    return None
