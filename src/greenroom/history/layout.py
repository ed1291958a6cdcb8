"""The white space between the sentences of a stored reply.

A reply is stored as the protocol wants it: its sentences, trimmed, one directly after the other. What stood between
them (a space, the end of a line, an indentation) is kept beside it, so that lists, paragraphs and program text come
back as they were, to the reader and to the model.
"""

from __future__ import annotations

import msgspec

__all__ = ["MAX_BREAKS", "Breaks", "laid_out", "read_breaks", "size_of", "written_breaks"]

MAX_BREAKS = 20_000
"""Most places of one reply; of one with more, none is kept."""

Breaks = tuple[tuple[int, str], ...]
"""Places in the text, in characters and in order, each with the white space that belongs there."""

_DECODER = msgspec.json.Decoder(Breaks)


def laid_out(text: str, breaks: Breaks | None) -> str:
    """Return the text with its white space put back."""
    parts: list[str] = []
    end = 0
    for place, white in breaks or ():
        parts += (text[end:place], white)
        end = place
    return "".join(parts) + text[end:]


def size_of(text: str, breaks: Breaks | None) -> int:
    """Return how many characters text and white space take, on the wire too, about."""
    return len(text) + sum(len(white) + 12 for _, white in breaks or ())


def written_breaks(breaks: Breaks | None) -> str | None:
    """Return them as they are stored."""
    return None if breaks is None else msgspec.json.encode(breaks).decode()


def read_breaks(stored: str | None) -> Breaks | None:
    """Return what was stored; None if nothing was, or nothing that can be read."""
    if stored is None:
        return None
    try:
        return _DECODER.decode(stored)
    except msgspec.DecodeError:
        return None  # of another program: the text itself is there
