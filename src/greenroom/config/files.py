"""Reads a small text file written by a person, whatever their editor saved it as.

Bounded: a file that is too large, or no ordinary file (a pipe would block for ever), is refused before it is
read.
"""

from __future__ import annotations

import codecs
import stat
from pathlib import Path

from greenroom.config.errors import ConfigError, Problem

__all__ = ["decode_text", "read_text"]


def read_text(path: Path, *, name: str, max_bytes: int) -> tuple[str, str]:
    """Return a file's text and the encoding it was read as.

    Raises ConfigError when it cannot be opened, is larger than `max_bytes`, or is not text.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ConfigError(
                [Problem(name, None, "", "is not an ordinary file", "give the path of a YAML file")]
            )
        with path.open("rb") as file:
            raw = file.read(max_bytes + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        fix = "check the path and its permissions"
        raise ConfigError([Problem(name, None, "", f"cannot be read: {reason}", fix)]) from error
    if len(raw) > max_bytes:
        fix = f"keep it under {max_bytes // 1024} KiB"
        raise ConfigError([Problem(name, None, "", "is too large", fix)])
    text, encoding = decode_text(raw)
    if text is None:
        raise ConfigError([Problem(name, None, "", "is not text in any known encoding", "save it as UTF-8")])
    return text, encoding


def decode_text(raw: bytes) -> tuple[str | None, str]:
    """Return the text and its encoding; (None, "") when no encoding fits.

    UTF-8 first, UTF-16 by its mark. Then the two encodings East Asian editors still write: nearly any bytes
    are valid GB 18030, so Japanese is told from Chinese by its hiragana.
    """
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        candidates = ["utf-16"]
    else:
        candidates = ["utf-8-sig", "gb18030", "cp932"]
    texts: dict[str, str] = {}
    for encoding in candidates:
        try:
            texts[encoding] = raw.decode(encoding)
        except UnicodeDecodeError:
            continue  # the next candidate may fit
        if encoding in ("utf-8-sig", "utf-16"):
            return texts[encoding], "utf-8" if encoding == "utf-8-sig" else encoding
    if "cp932" in texts and ("gb18030" not in texts or _is_japanese(texts["cp932"])):
        return texts["cp932"], "cp932"
    if "gb18030" in texts:
        return texts["gb18030"], "gb18030"
    return None, ""


def _is_japanese(text: str) -> bool:
    foreign = [letter for letter in text if ord(letter) > 127]
    hiragana = sum("\u3041" <= letter <= "\u3096" for letter in foreign)
    return hiragana * 5 >= len(foreign)
