"""From a model's tokens to the pieces that are shown and spoken (olv-protocol §13).

Sans-I/O and incremental: each character is looked at once, so the cost of a token does not grow with the
reply, and a piece without any end mark is cut at a stated length.

When to end a piece is a trade. The first piece decides how long a visitor waits, so it goes out the moment
its mark arrives, and a comma is enough. Later pieces wait for one more character, which tells `3.14`,
`example.com`, `?!` and a closing quote from an end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

PieceKind = Literal["text", "thought", "think-open", "think-close"]

ENDS = frozenset(".!?。！？…｡؟।\n")
COMMAS = frozenset(",，、;；،،：:—")
CLOSERS = frozenset("\"'”’»）)】」』〉》]*~～")
TWO_WAY = '*"'
"""Closers that also open."""
FIRST_WIDE = 0x2E7F
"""Characters beyond are of scripts that put no space between words."""
NEEDS_SPACE = frozenset(".!?")
"""Marks of scripts that put a space after a sentence; without one they may stand inside a word."""
MAX_PIECE = 400
"""Characters after which a piece without a mark is cut, at a space if there is one."""
MAX_INDENT = 40
"""Spaces kept at the beginning of a line."""
TAGS = ("<think>", "</think>")
TAG_PIECES: dict[str, tuple[str, PieceKind]] = {
    "<think>": ("(", "think-open"),
    "</think>": (")", "think-close"),
}
_SHORTENED = (
    "mr mrs ms dr prof st sr jr vs etc e.g i.e a.m p.m u.s u.k no vol fig dept approx inc ltd co "
    "jan feb mar apr jun jul aug sep sept oct nov dec"
)
ABBREVIATIONS = frozenset(_SHORTENED.split())
_LAST_WORD = re.compile(r"([\w.]+)\.$")


@dataclass(frozen=True, slots=True)
class Piece:
    """A sentence or part of one, stripped. A `thought` is shown, not spoken; think tags stand alone.

    `before` is the white space between it and the piece before: nothing, a space, or the end of one or two lines
    with the indentation of the new one.
    """

    text: str
    kind: PieceKind = "text"
    before: str = ""


class SentenceSplitter:
    """Feed it tokens, get the pieces that are complete.

    Args:
        faster_first: let a comma end the first piece.
    """

    __slots__ = ("_before", "_buffer", "_emitted", "_faster_first", "_pairs", "_scanned", "_thinking")

    def __init__(self, *, faster_first: bool = True) -> None:
        self._faster_first = faster_first
        self._buffer = ""
        self._scanned = 0
        self._thinking = False
        self._emitted = False
        self._before = ""
        """White space since the last piece."""
        self._pairs = dict.fromkeys(TWO_WAY, 0)
        """How many of each the pieces of this line held: an odd number means that one is open."""

    def feed(self, token: str) -> list[Piece]:
        """Add a token; return what is complete now, in order."""
        pieces: list[Piece] = []
        # A provider that does not stream sends all at once: bit by bit, no cut moves more than a piece.
        for start in range(0, len(token), MAX_PIECE):
            self._buffer += token[start : start + MAX_PIECE]
            while self._step(pieces, final=False):
                pass
        return pieces

    def flush(self) -> list[Piece]:
        """The reply is over: return the rest."""
        pieces: list[Piece] = []
        while self._step(pieces, final=True):
            pass
        rest = self._buffer
        self._buffer = ""
        self._scanned = 0
        self._emit(rest, pieces, even_marks=True)
        return pieces

    @property
    def _in_a_hurry(self) -> bool:
        """Whether the next piece is the one that the visitor waits for; nobody waits for a thought."""
        return not self._emitted and not self._thinking

    def _step(self, pieces: list[Piece], *, final: bool) -> bool:
        """Look at the characters not seen yet; True after cutting something off."""
        buffer = self._buffer
        index = self._scanned
        length = len(buffer)
        while index < length:
            char = buffer[index]
            if char == "<":
                tag = self._tag_at(index)
                if tag is None and not final and any(t.startswith(buffer[index:]) for t in TAGS):
                    break
                if tag is not None:
                    # Marks alone are a piece here: what follows the tag is of another kind.
                    self._emit(buffer[:index], pieces, even_marks=True)
                    self._buffer = buffer[index + len(tag) :]
                    self._scanned = 0
                    self._thinking = tag == TAGS[0]
                    mark, kind = TAG_PIECES[tag]
                    pieces.append(Piece(mark, kind, self._before))
                    self._before = ""
                    return True
            elif char in ENDS or (char in COMMAS and self._faster_first and self._in_a_hurry):
                end = self._end_of(index, final)
                if end is None:
                    break
                if end:
                    return self._cut(end, pieces)
            index += 1
            if index >= MAX_PIECE:
                space = buffer.rfind(" ", MAX_PIECE // 2, index)
                return self._cut(space + 1 if space > 0 else index, pieces)
        self._scanned = index
        return False

    def _tag_at(self, index: int) -> str | None:
        return next((tag for tag in TAGS if self._buffer.startswith(tag, index)), None)

    def _end_of(self, index: int, final: bool) -> int | None:
        """Where a piece with the mark at `index` ends, past closers; 0: no end, None: not known yet."""
        buffer = self._buffer
        char = buffer[index]
        if char == "\n":
            return index + 1
        # Not knowing what follows, only the first piece takes the risk.
        unknown = final or self._in_a_hurry
        end = index + 1
        while end < len(buffer) and end < MAX_PIECE:
            closes = self._closes(end, unknown)
            if closes is None:
                return None
            if not closes:
                break
            end += 1
        if end == MAX_PIECE:
            return end
        at_end = end == len(buffer)
        before = buffer[index - 1] if index else " "
        follower = "" if at_end else buffer[end]
        if char in ".,:" and before.isdigit() and (at_end or follower.isdigit()):
            return 0 if not at_end else (end if final else None)
        if char == "." and end == index + 1:
            shortened = self._abbreviation(index)
            if shortened == "no":
                # "No. 5", but "Oh no. I forgot."
                next_word = buffer[end : end + 2]
                if len(next_word) < 2 and not final:
                    return None
                shortened = shortened if next_word[1:].isdigit() else ""
            if shortened:
                return 0
        spaced = at_end or follower.isspace() or ord(follower) > FIRST_WIDE
        if char in COMMAS:
            return end if spaced or char not in ",;:" else 0
        if at_end:
            return end if unknown else None
        if char in NEEDS_SPACE and end == index + 1 and not spaced:
            return 0
        return end

    def _closes(self, index: int, unknown: bool) -> bool | None:
        """Whether the character at `index` belongs to the end before it; None if that is not known yet.

        An asterisk or a straight quote may as well open what follows: it closes if one is open, or if nothing
        follows it directly.
        """
        buffer = self._buffer
        char = buffer[index]
        if char == "\n" or (char not in ENDS and char not in CLOSERS):
            return False
        if char not in TWO_WAY or (self._pairs[char] + buffer.count(char, 0, index)) % 2:
            return True
        if index + 1 == len(buffer):
            return True if unknown else None
        return buffer[index + 1].isspace()

    def _abbreviation(self, index: int) -> str:
        """The shortened word that the full stop at `index` belongs to, or nothing."""
        match = _LAST_WORD.search(self._buffer[max(0, index - 12) : index + 1])
        if match is None:
            return ""
        word = match.group(1)
        initial = len(word) == 1 and word.isalpha() and word.isupper() and word != "I"
        return word.lower() if initial or word.lower() in ABBREVIATIONS else ""

    def _cut(self, end: int, pieces: list[Piece]) -> bool:
        text = self._buffer[:end]
        rest = self._buffer[end:]
        self._buffer = ""
        self._scanned = 0
        self._emit(text, pieces)
        if self._buffer:
            # Marks only: they go in front of the next piece, already looked at.
            self._scanned = len(self._buffer)
        self._buffer += rest
        return True

    def _emit(self, text: str, pieces: list[Piece], *, even_marks: bool = False) -> None:
        stripped = text.strip()
        if not stripped:
            self._before = _white(self._before + text)
            return
        from_mark = text.lstrip()
        self._before = _white(self._before + text[: len(text) - len(from_mark)])
        marks_only = not any(char.isalnum() for char in stripped)
        if marks_only and not even_marks and len(stripped) < MAX_PIECE:
            # The end of a line after marks alone, such as those around program text, belongs to what follows.
            self._buffer = from_mark if len(from_mark) < MAX_PIECE // 2 else stripped
            return
        pieces.append(Piece(stripped, "thought" if self._thinking else "text", self._before))
        self._before = _white(from_mark[len(stripped) :])
        self._emitted = self._emitted or not self._thinking
        for char in TWO_WAY:
            self._pairs[char] = 0 if text.endswith("\n") else self._pairs[char] + text.count(char)


def _white(text: str) -> str:
    """White space as a piece keeps it."""
    if "\n" not in text:
        return " " if text else ""
    return "\n" * min(text.count("\n"), 2) + text.rpartition("\n")[2][:MAX_INDENT]
