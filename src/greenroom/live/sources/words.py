"""Finds listed words in a text, as whole words. Sans-I/O.

The rule is that of the wake words: in scripts with spaces a word must stand alone (`ass` is not in `class`),
in Chinese and Japanese it may stand anywhere, but a katakana word is not found inside a longer one. Width,
case and the marks between the parts of a word do not matter. All words are one regular expression.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

__all__ = ["WordList", "fold"]

_GAP = r"[\W_]*"
_KATAKANA = "゠-ヿｦ-ﾟ"
_SPACELESS = "぀-ヿ㐀-鿿가-힯"


def fold(text: str) -> str:
    """Width and case taken away."""
    return unicodedata.normalize("NFKC", text).casefold()


class WordList:
    """A fixed list of words; ones without a letter or digit are left out."""

    def __init__(self, words: Iterable[str]) -> None:
        patterns: dict[str, str] = {}
        for word in words:
            parts = re.findall(r"[^\W_]+", fold(word))
            if parts:
                patterns[_pattern(parts)] = word
        self._words = list(patterns.values())
        # Longest first, so that of two words that begin alike the fuller one is named.
        self._pattern = re.compile("|".join(sorted(patterns, key=len, reverse=True))) if patterns else None

    def __len__(self) -> int:
        return len(self._words)

    def find(self, text: str) -> str | None:
        """The first listed word in the text as it stands there (folded), or None."""
        if self._pattern is None:
            return None
        match = self._pattern.search(fold(text))
        return match.group() if match else None


def _pattern(parts: list[str]) -> str:
    before, after = _neighbours(parts[0][0]), _neighbours(parts[-1][-1])
    body = _GAP.join(re.escape(part) for part in parts)
    return (f"(?<!{before})" if before else "") + body + (f"(?!{after})" if after else "")


def _neighbours(char: str) -> str:
    """The characters that would make a word longer at `char`'s side; empty if none would."""
    name = unicodedata.name(char, "")
    if name.startswith("KATAKANA"):
        return f"[{_KATAKANA}]"
    if name.startswith(("CJK", "HIRAGANA")):
        return ""
    return rf"[^\W_{_SPACELESS}]"
