"""Which messages of a live chat reach the character. Sans-I/O.

A cheap check stands before a dear one, and the rates come last: only what would otherwise pass uses them up,
so spam that is refused for its content takes no polite viewer's place.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from greenroom.conversation.words import WordList
from greenroom.live.sources.base import EVERYBODY, MAX_NAME, MAX_TEXT, OWNER, ChatMessage, clipped

__all__ = ["Moderation", "ModerationRules", "Reason", "Verdict", "clean"]

Reason = Literal["empty", "command", "length", "repeats", "link", "word", "sender-rate", "rate"]
MAX_SENDERS = 10_000
"""Senders whose pace is remembered; the longest silent is forgotten first."""
WINDOW = 60.0
"""Seconds that the rates are counted over."""

_TOP_LEVEL = (
    "com|net|org|info|biz|io|gg|tv|me|ly|co|xyz|top|site|online|shop|app|dev|club|link|live|vip|icu|cc|"
    "cn|jp|kr|tw|hk|ru|de|uk|fr|eu|us|ca|au|br|in|pl|nl|es|it|ws|to|be|gl|gift|store|win|bet|ai|pro"
)
_LINK = re.compile(
    rf"\b[a-z][a-z0-9+.-]{{1,15}}://|\bwww\.[^\s.]|\b[a-z0-9-]{{1,63}}\.(?:{_TOP_LEVEL})(?![a-z0-9.-]*[a-z0-9])"
    rf"|\b[a-z0-9-]{{1,63}}\.[a-z]{{2,24}}/\S|\b\d{{1,3}}(?:\.\d{{1,3}}){{3}}(?::\d|/)"
)
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class ModerationRules:
    """What passes. Rates are messages in any 60 seconds; 0 switches a rule off (`max_length` and rates)."""

    max_length: int = 300
    links: bool = False
    blocked_words: tuple[str, ...] = ()
    max_repeats: int = 20
    """The same character so often in a row is spam."""
    sender_per_minute: int = 10
    per_minute: int = 600
    ignore_commands: bool = True
    """Messages that begin with "!" are meant for bots."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a message: the cleaned one to pass on, or why not (and the word it was for)."""

    message: ChatMessage | None
    reason: Reason | None = None
    detail: str = ""

    @property
    def accepted(self) -> bool:
        return self.message is not None


class Moderation:
    """Judges one source's messages.

    The channel's owner and moderators are held to nothing but having something to say; who paid is spared the
    rates. Blocked words, links and length hold for paid messages too.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, rules: ModerationRules, clock: Callable[[], float]) -> None:
        self.rules = rules
        self.accepted = 0
        self._refused: Counter[Reason] = Counter()
        self._clock = clock
        self._words = WordList(rules.blocked_words)
        self._repeats = re.compile(rf"(\S)\1{{{rules.max_repeats},}}") if rules.max_repeats > 0 else None
        self._all: deque[float] = deque()
        self._senders: OrderedDict[str, deque[float]] = OrderedDict()

    @property
    def refused(self) -> Mapping[str, int]:
        """How many were refused, by reason."""
        return {str(reason): count for reason, count in self._refused.items()}

    def judge(self, message: ChatMessage) -> Verdict:
        """Take a message; tells whether and how it goes on."""
        text = clean(message.text)
        verdict = self._look(message, text)
        if verdict is None:
            verdict = self._pace(message)
        if verdict is not None:
            reason = verdict.reason
            assert reason is not None
            self._refused[reason] += 1
            return verdict
        self.accepted += 1
        name = clipped(clean(message.sender_name), MAX_NAME) or "?"
        return Verdict(replace(message, sender_name=name, text=text))

    def _look(self, message: ChatMessage, text: str) -> Verdict | None:
        """The reason in the message itself."""
        if not text:
            return Verdict(None, "empty")
        if self.rules.ignore_commands and text[0] in "!！" and text[1:2].isalnum():
            return Verdict(None, "command")
        if message.priority >= OWNER:
            return None
        if self.rules.max_length and len(text) > self.rules.max_length:
            return Verdict(None, "length", str(len(text)))
        if self._repeats is not None and (match := self._repeats.search(text)):
            return Verdict(None, "repeats", match.group(1))
        folded = unicodedata.normalize("NFKC", text).casefold()
        if not self.rules.links and (match := _LINK.search(folded)):
            return Verdict(None, "link", match.group())
        # A name is read aloud and shown beside the text: it is held to the same words.
        word = self._words.find(text) or self._words.find(clean(message.sender_name))
        return Verdict(None, "word", word.text) if word else None

    def _pace(self, message: ChatMessage) -> Verdict | None:
        """The reason in how much was said in the last minute; counts the message if there is none."""
        now = self._clock()
        _forget(self._all, now)
        spared = message.priority > EVERYBODY
        own = self._senders.get(message.sender_id)
        if own is not None:
            _forget(own, now)
        most = self.rules.sender_per_minute
        if most and not spared and own is not None and len(own) >= most:
            return Verdict(None, "sender-rate", f"{most} a minute")
        if self.rules.per_minute and not spared and len(self._all) >= self.rules.per_minute:
            return Verdict(None, "rate", f"{self.rules.per_minute} a minute")
        if self.rules.per_minute and not spared:
            self._all.append(now)
        if most and not spared:
            if own is None:
                own = self._senders[message.sender_id] = deque()
                if len(self._senders) > MAX_SENDERS:
                    self._senders.popitem(last=False)
            else:
                self._senders.move_to_end(message.sender_id)
            own.append(now)
        return None


def _forget(times: deque[float], now: float) -> None:
    while times and now - times[0] >= WINDOW:
        times.popleft()


def clean(text: str) -> str:
    """Text without control and invisible characters, with single spaces, cut to `MAX_TEXT`.

    Such characters hide words from filters, turn the line around, or steer the terminal the text is shown in.
    """
    text = text[: 2 * MAX_TEXT]
    if not text.isprintable() or not text.isascii():
        text = "".join(_kept(char) for char in text)
    return clipped(_SPACE.sub(" ", text).strip(), MAX_TEXT)


def _kept(char: str) -> str:
    if char.isprintable():
        # Invisible, though counted as printable: Hangul fillers, blank braille, variation selectors, tags.
        return "" if char in "\u115f\u1160\u3164\uffa0\u2800" else char
    if char.isspace():
        return " "
    # The joiner makes one emoji of several; everything else that does not print goes.
    return char if char == "\u200d" else ""
