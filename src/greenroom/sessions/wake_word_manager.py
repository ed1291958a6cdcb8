"""`WakeWordManager`: whether the character listens, told by what was typed or said.

Sans-I/O: a state machine `listening` ⇄ `active` over texts. In `listening` only a wake word is heard; what
follows it is the message. In `active` everything is, until an end word or a long silence.

Words are found as whole words (see `conversation.words`): `AI` is not in `said`, `end` not in `friend`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from greenroom.conversation.words import FoundWord, WordList

WakeState = Literal["listening", "active"]
WakeAction = Literal["wake_up", "sleep", "ignored", "pass"]
MAX_HEARD = 4000
"""Characters of a text in which words are looked for: nobody calls a name after so many."""
_MARKS = " \u3000\t\r\n,.!?;:~-—…，。！？；：、～·・)」』）”"


@dataclass(frozen=True, slots=True)
class WakeResult:
    """What to do with a text: `message` goes on to the character, None stays here."""

    action: WakeAction
    message: str | None
    matched_word: str = ""
    language: str = ""


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
        self._wake = _Words(wake)
        self._end = _Words(end)
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
        heard = text[:MAX_HEARD]
        if self.state == "listening":
            found = self._wake.first(heard)
            if found is None:
                self.ignored_count += 1
                return WakeResult("ignored", None)
            word, language = found
            self.state = "active"
            self.wake_count += 1
            rest = text[word.end :].lstrip(_MARKS).rstrip()
            message = rest if any(c.isalnum() for c in rest) else None
            return WakeResult("wake_up", message, word.word, language)
        found = self._end.first(heard)
        if found is not None:
            word, language = found
            self.state = "listening"
            self.end_count += 1
            return WakeResult("sleep", None, word.word, language)
        return WakeResult("pass", text)

    def stats(self) -> dict[str, int]:
        """The counts that `wake-word-state` carries."""
        return {
            "wake_count": self.wake_count,
            "end_count": self.end_count,
            "ignored_count": self.ignored_count,
        }


class _Words:
    """The words of all languages, looked up together."""

    def __init__(self, words: Mapping[str, Sequence[str]]) -> None:
        self._languages: dict[str, str] = {}
        for language, texts in words.items():
            for text in texts:
                self._languages.setdefault(text, language)
        self._list = WordList(self._languages)

    def first(self, text: str) -> tuple[FoundWord, str] | None:
        """The first word in the text, with its language."""
        found = self._list.find(text)
        return None if found is None else (found, self._languages[found.word])
