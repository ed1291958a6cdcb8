"""Finds listed words in a text, as whole words. Sans-I/O.

Scripts that put spaces between words make that simple: a word must stand alone, so `ass` is not in `class`, nor
`end` in `end's`. Chinese and Japanese do not: there a word may stand anywhere, except that a run of katakana is
not cut in two. Width, case and the marks between the parts of a word do not matter, nor, in Chinese and Japanese,
marks inside of a word of more than two characters: "你好，小白" is "你好小白", but "很小。白色" is not "小白".

The words are looked up letter by letter in a tree, which costs about as much as reading the text: as one regular
expression 5,000 words took 19 s to compile and 39 ms a message (measured).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

__all__ = ["FoundWord", "WordList"]

Script = Literal["letter", "katakana", "spaceless"]
_PARTS = re.compile(r"[^\W_]+")
_SHORT = 2
"""Chinese or Japanese characters of a word that stand together; in longer ones there may be marks."""


class FoundWord(NamedTuple):
    """A listed word in a text: as it was listed, as it stands there (folded), and from where to where."""

    word: str
    text: str
    start: int
    end: int


class _Node:
    """A letter in the tree; `loose` leads to the letters that may follow after marks.

    `word` is the listed word that ends here, `first` and `last` the scripts of its ends.
    """

    __slots__ = ("first", "last", "loose", "strict", "word")

    def __init__(self) -> None:
        self.strict: dict[str, _Node] = {}
        self.loose: dict[str, _Node] = {}
        self.word: str | None = None
        self.first: Script = "letter"
        self.last: Script = "letter"


class WordList:
    """A fixed list of words; ones without a letter or digit are left out, of equal ones the first stays."""

    def __init__(self, words: Iterable[str]) -> None:
        self._root = _Node()
        self._count = 0
        for word in words:
            parts: list[str] = _PARTS.findall(_fold(word)[0])
            if parts:
                self._add(word, parts)

    def __len__(self) -> int:
        return self._count

    def _add(self, word: str, parts: list[str]) -> None:
        node = self._root
        for number, part in enumerate(parts):
            for place, char in enumerate(part):
                loose = place == 0 and number > 0
                if place and len(part) > _SHORT:
                    loose = _is_wide(part[place - 1]) or _is_wide(char)
                node = (node.loose if loose else node.strict).setdefault(char, _Node())
        if node.word is None:
            self._count += 1
            node.word, node.first, node.last = word, _script(parts[0][0]), _script(parts[-1][-1])

    def find(self, text: str) -> FoundWord | None:
        """The first listed word in the text; of several that begin there, the longest."""
        if not self._count:
            return None
        folded, places = _fold(text)
        starts = self._root.strict
        for start, char in enumerate(folded):
            if char in starts:
                end, word = self._longest(folded, start)
                if word is not None:
                    return FoundWord(word, folded[start:end], places[start], places[end])
        return None

    def _longest(self, text: str, start: int) -> tuple[int, str | None]:
        longest, word = 0, None
        before = text[start - 1 : start] if start else ""
        reached = [(self._root.strict[text[start]], start + 1)]
        while reached:
            node, end = reached.pop()
            if (
                node.word is not None
                and end > longest
                and not _goes_on(node.first, before)
                and not _goes_on(node.last, _next_letter(text, end))
            ):
                longest, word = end, node.word
            following = node.strict.get(text[end : end + 1])
            if following is not None:
                reached.append((following, end + 1))
            if node.loose:
                while end < len(text) and not text[end].isalnum():
                    end += 1
                following = node.loose.get(text[end : end + 1])
                if following is not None:
                    reached.append((following, end + 1))
        return longest, word


def _fold(text: str) -> tuple[str, Sequence[int]]:
    """Width and case folded away, with the place in the original of each character (and of the end)."""
    if text.isascii():
        return text.lower(), range(len(text) + 1)
    folded: list[str] = []
    places: list[int] = []
    index = 0
    while index < len(text):
        end = index + 1
        while end < len(text) and _joins(text[end]):
            end += 1
        for part in unicodedata.normalize("NFKC", text[index:end]).casefold():
            folded.append(part)
            places.append(index)
        index = end
    places.append(len(text))
    return "".join(folded), places


def _joins(char: str) -> bool:
    """Whether it makes one letter with those before: half-width katakana and decomposed text need it."""
    return char in "ﾞﾟ" or "\u1160" <= char <= "\u11ff" or unicodedata.combining(char) != 0


def _script(char: str) -> Script:
    name = unicodedata.name(char, "")
    if name.startswith("KATAKANA"):
        return "katakana"
    return "spaceless" if name.startswith(("CJK", "HIRAGANA")) else "letter"


def _is_wide(char: str) -> bool:
    return _script(char) != "letter"


def _next_letter(text: str, end: int) -> str:
    """What may make a word that ends here longer: "'t" does, a closing quote does not."""
    return text[end + 1 : end + 2] if text[end : end + 1] in ("'", "’") else text[end : end + 1]


def _goes_on(script: Script, char: str) -> bool:
    """Whether this neighbour belongs to the same word; a letter of a script without spaces never does."""
    if script == "katakana":
        return "ァ" <= char <= "ヺ" or "ー" <= char <= "ヿ"
    return script == "letter" and char.isalnum() and not _is_spaceless(char)


def _is_spaceless(char: str) -> bool:
    """Chinese, Japanese and Korean letters: they may stand right beside a word of another script."""
    return "぀" <= char <= "ヿ" or "㐀" <= char <= "鿿" or "가" <= char <= "힯"
