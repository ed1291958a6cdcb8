"""How many tokens a text is, near enough: no tokenizer is loaded, no model is asked.

The rule of thumb of the common byte-pair vocabularies: English takes about 4 characters a token, Chinese,
Japanese and Korean about 1 character a token, other scripts and emoji about 2. Real counts differ by up to
about a third, so a bound in these tokens should stay that much below the model's own window.
"""

from __future__ import annotations

import re

UNITS = 4
"""Units in one token: a Latin character is 1 unit, so that sums stay whole numbers."""

PER_MESSAGE = 4
"""Tokens a chat template adds around each message, about."""

_WIDE = re.compile(
    "[\u1100-\u11ff\u2e80-\ua4cf\uac00-\ud7ff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]+"
)
_ASCII = re.compile("[\x00-\x7f]+")


def units(text: str) -> int:
    """The length of the text in quarters of a token."""
    if text.isascii():
        return len(text)
    wide = sum(map(len, _WIDE.findall(text)))
    narrow = sum(map(len, _ASCII.findall(text)))
    return 4 * wide + narrow + 2 * (len(text) - wide - narrow)


def estimate_tokens(text: str) -> int:
    """About how many tokens the text is; 0 only if it is empty."""
    return -(-units(text) // UNITS)


def truncate(text: str, tokens: int) -> str:
    """The longest beginning of the text that is at most so many tokens."""
    if tokens <= 0:
        return ""
    if estimate_tokens(text) <= tokens:
        return text
    # A character is at least one unit, so the cut lies within the first `tokens * UNITS` characters.
    low, high = 0, min(len(text), tokens * UNITS)
    while low < high:
        middle = (low + high + 1) // 2
        if estimate_tokens(text[:middle]) <= tokens:
            low = middle
        else:
            high = middle - 1
    return text[:low]
