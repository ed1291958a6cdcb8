"""`WakeWordManager`: whether the character listens, told by what was typed or said.

Sans-I/O: a state machine `listening` ⇄ `active` over texts. In `listening` only a wake word is heard; what
follows it is the message. In `active` everything is, until an end word or a long silence.

Words are found as whole words. Scripts that put spaces between words make that simple: `AI` is not in `said`,
`end` not in `friend`. Chinese and Japanese do not; there a word may stand anywhere, except that katakana and
Latin runs are not cut in two. Width, case and the marks between the parts of a word do not matter.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

WakeState = Literal["listening", "active"]
WakeAction = Literal["wake_up", "sleep", "ignored", "pass"]
MAX_HEARD = 4000
"""Characters of a text in which words are looked for: nobody calls a name after so many."""
_GAP = r"[\W_]*"
_MARKS = " \u3000\t\r\n,.!?;:~-—…，。！？；：、～·・)」』）”"
_SHORT = 2
"""Chinese or Japanese characters of a word that stand together; in longer ones there may be marks."""


@dataclass(frozen=True, slots=True)
class WakeResult:
    """What to do with a text: `message` goes on to the character, None stays here."""

    action: WakeAction
    message: str | None
    matched_word: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    language: str
    pattern: re.Pattern[str]


class WakeWordManager:
    """Decides for one client and one character.

    Args:
        wake, end: words by language (`{"en": ["hey white"], …}`).
        idle_seconds: without any text for so long it goes back to `listening`; 0 for never.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        wake: Mapping[str, Sequence[str]],
        end: Mapping[str, Sequence[str]],
        *,
        idle_seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self._wake = _compile(wake)
        self._end = _compile(end)
        self._idle_seconds = idle_seconds
        self._clock = clock
        self._last = clock()
        self.state: WakeState = "listening"
        self.wake_count = 0
        self.end_count = 0
        self.ignored_count = 0

    def hear(self, text: str) -> WakeResult:
        """Take a text; tells whether it wakes the character, sends it to sleep, is ignored, or passes."""
        now = self._clock()
        if self.state == "active" and self._idle_seconds and now - self._last > self._idle_seconds:
            self.state = "listening"
        self._last = now
        folded, places = _fold(text[:MAX_HEARD])
        if self.state == "listening":
            found = _first(self._wake, folded)
            if found is None:
                self.ignored_count += 1
                return WakeResult("ignored", None)
            word, match = found
            self.state = "active"
            self.wake_count += 1
            rest = text[places[match.end()] :].lstrip(_MARKS).rstrip()
            return WakeResult(
                "wake_up", rest if any(c.isalnum() for c in rest) else None, word.text, word.language
            )
        found = _first(self._end, folded)
        if found is not None:
            self.state = "listening"
            self.end_count += 1
            return WakeResult("sleep", None, found[0].text, found[0].language)
        return WakeResult("pass", text)

    def stats(self) -> dict[str, int]:
        """The counts that `wake-word-state` carries."""
        return {
            "wake_count": self.wake_count,
            "end_count": self.end_count,
            "ignored_count": self.ignored_count,
        }


def _fold(text: str) -> tuple[str, list[int]]:
    """Width and case folded away, with the place in the original of each character (and of the end)."""
    folded: list[str] = []
    places: list[int] = []
    index = 0
    while index < len(text):
        end = index + 1
        # A letter and its marks are one: half-width katakana, and text that comes decomposed, need it.
        while end < len(text) and (text[end] in "ﾞﾟ" or unicodedata.combining(text[end])):
            end += 1
        for part in unicodedata.normalize("NFKC", text[index:end]).casefold():
            folded.append(part)
            places.append(index)
        index = end
    places.append(len(text))
    return "".join(folded), places


def _edge(char: str) -> str:
    """The class of characters that would continue a word beyond `char`; empty if nothing would."""
    name = unicodedata.name(char, "")
    if name.startswith("KATAKANA"):
        return r"[ァ-ヺー-ヿ]"
    if name.startswith(("CJK", "HIRAGANA")):
        return ""
    # Letters of scripts with spaces, and digits; Chinese, Japanese and Korean may follow.
    return r"[^\W_぀-ヿ㐀-鿿가-힯]" if char.isalnum() else ""


def _spread(part: str) -> str:
    """The pattern of a word's part: "你好，小白" is "你好小白", but "很小。白色" is not "小白"."""
    pattern = re.escape(part[0])
    for before, char in pairwise(part):
        wide = len(part) > _SHORT and (_is_wide(before) or _is_wide(char))
        pattern += (_GAP if wide else "") + re.escape(char)
    return pattern


def _is_wide(char: str) -> bool:
    return unicodedata.name(char, "").startswith(("CJK", "HIRAGANA", "KATAKANA"))


def _compile(words: Mapping[str, Sequence[str]]) -> list[_Word]:
    compiled: list[_Word] = []
    for language, texts in words.items():
        for text in texts:
            folded, _ = _fold(text)
            parts = re.findall(r"[^\W_]+", folded)
            if not parts:
                continue
            before, after = _edge(parts[0][0]), _edge(parts[-1][-1])
            body = _GAP.join(_spread(part) for part in parts)
            # What follows an apostrophe belongs to the word before it: "end" is not in "end's".
            pattern = (rf"(?<!{before})" if before else "") + body + (rf"(?!['’]?{after})" if after else "")
            compiled.append(_Word(text, language, re.compile(pattern)))
    # The longest first: of "white" and "hey white" at one place the latter is meant.
    return sorted(compiled, key=lambda word: -len(word.text))


def _first(words: list[_Word], folded: str) -> tuple[_Word, re.Match[str]] | None:
    best: tuple[_Word, re.Match[str]] | None = None
    for word in words:
        match = word.pattern.search(folded)
        if match is not None and (best is None or match.start() < best[1].start()):
            best = (word, match)
    return best
