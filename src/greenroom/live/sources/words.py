"""Finds listed words in a text, as whole words. Sans-I/O.

As with the wake words, a word of a script with spaces must stand alone (`ass` is not in `class`, nor `don` in
`don't`); in Chinese and Japanese it may stand anywhere, but a katakana word is not found inside a longer one.
Width, case and the marks between the parts of a word do not matter.

The wake words are a handful of regular expressions. A list of blocked words may have thousands, and as one
expression 5,000 take 19 s to compile and 39 ms a message (measured); so they are looked up here letter by
letter in a tree, which costs about as much as reading the text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["WordList", "fold"]

_PARTS = re.compile(r"[^\W_]+")


def fold(text: str) -> str:
    """Width and case taken away."""
    return unicodedata.normalize("NFKC", text).casefold()


class _Word(NamedTuple):
    """The parts after the first, and the scripts of the first and last letter."""

    others: tuple[str, ...]
    starts: str
    ends: str


class _Node:
    """A letter in the tree of first parts, with the words whose first part ends here."""

    __slots__ = ("next", "words")

    def __init__(self) -> None:
        self.next: dict[str, _Node] = {}
        self.words: list[_Word] = []


class WordList:
    """A fixed list of words; ones without a letter or digit are left out."""

    def __init__(self, words: Iterable[str]) -> None:
        self._heads = _Node()
        """Words of scripts with spaces, which begin only where no letter stands before."""
        self._anywhere = _Node()
        seen: set[tuple[str, ...]] = set()
        for word in words:
            parts = tuple(_PARTS.findall(fold(word)))
            if not parts or parts in seen:
                continue
            seen.add(parts)
            starts = _script(parts[0][0])
            node = self._heads if starts == "letter" else self._anywhere
            for char in parts[0]:
                node = node.next.setdefault(char, _Node())
            node.words.append(_Word(parts[1:], starts, _script(parts[-1][-1])))
        self._count = len(seen)

    def __len__(self) -> int:
        return self._count

    def find(self, text: str) -> str | None:
        """The first listed word in the text as it stands there (folded), the longest at its place."""
        if not self._count:
            return None
        folded = fold(text)
        inside = False
        for place, char in enumerate(folded):
            if not char.isalnum():
                inside = False
                continue
            end = 0
            if not inside:
                end = self._longest(self._heads, folded, place)
            end = max(end, self._longest(self._anywhere, folded, place))
            if end:
                return folded[place:end]
            inside = not _spaceless(char)
        return None

    def _longest(self, root: _Node, text: str, place: int) -> int:
        """Where the longest word ends that begins at `place`; 0 if none does."""
        longest = 0
        node: _Node | None = root
        after_katakana = place > 0 and _katakana(text[place - 1])
        for index in range(place, len(text)):
            node = node.next.get(text[index])
            if node is None:
                break
            for word in node.words:
                if word.starts == "katakana" and after_katakana:
                    continue
                end = _rest(text, index + 1, word.others)
                if end > longest and not _goes_on(word.ends, text, end):
                    longest = end
        return longest


def _rest(text: str, place: int, parts: tuple[str, ...]) -> int:
    """Where the parts end that follow at `place` with only marks before each; 0 if they do not follow."""
    for part in parts:
        while place < len(text) and not text[place].isalnum():
            place += 1
        if not text.startswith(part, place):
            return 0
        place += len(part)
    return place


def _script(char: str) -> str:
    name = unicodedata.name(char, "")
    if name.startswith("KATAKANA"):
        return "katakana"
    return "spaceless" if name.startswith(("CJK", "HIRAGANA")) else "letter"


def _goes_on(script: str, text: str, end: int) -> bool:
    """Whether what follows makes a word of this script longer: "'t" does, a closing quote does not."""
    if text[end : end + 1] in ("'", "’"):
        end += 1
    char = text[end : end + 1]
    if script == "katakana":
        return _katakana(char)
    return script == "letter" and char.isalnum() and not _spaceless(char)


def _katakana(char: str) -> bool:
    return "ァ" <= char <= "ヺ" or "ー" <= char <= "ヿ"


def _spaceless(char: str) -> bool:
    """Chinese, Japanese and Korean letters: they may stand right beside a word of another script."""
    return "぀" <= char <= "ヿ" or "㐀" <= char <= "鿿" or "가" <= char <= "힯"
