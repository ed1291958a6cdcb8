"""What of a piece is spoken, and which expressions it carries (olv-protocol §13, points 3 and 4)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_TAG = re.compile(r"\[([^\[\]]{1,64})\]")
_PAIRS = {"brackets": "[]", "parentheses": "()", "angle_brackets": "<>"}


@dataclass(frozen=True, slots=True)
class SpeechFilters:
    """What is left out of the spoken text."""

    asterisks: bool = True
    brackets: bool = True
    parentheses: bool = True
    angle_brackets: bool = True
    special_characters: bool = True


def expressions(text: str, emotions: Mapping[str, Any]) -> list[Any]:
    """The mapped value of every `[key]` in `text`, in order; keys are compared without case."""
    if not emotions or "[" not in text:
        return []
    known = {key.casefold(): value for key, value in emotions.items()}
    return [known[tag.casefold()] for tag in _TAG.findall(text) if tag.casefold() in known]


def spoken_text(text: str, filters: SpeechFilters) -> str:
    """The text a voice should say; empty when only marks and white space are left."""
    if filters.asterisks:
        text = re.sub(r"\*+[^*]*\*+", "", text).replace("*", "")
    text = unicodedata.normalize("NFKC", text)
    for name, (opener, closer) in _PAIRS.items():
        if getattr(filters, name):
            text = _without_nested(text, opener, closer)
    if filters.special_characters:
        text = "".join(char for char in text if unicodedata.category(char)[0] in "LNPM" or char.isspace())
    text = " ".join(text.split())
    return text if any(char.isalnum() for char in text) else ""


def _without_nested(text: str, opener: str, closer: str) -> str:
    if opener not in text:
        return text
    kept: list[str] = []
    opened: list[int] = []
    for char in text:
        if char == opener:
            opened.append(len(kept))
        elif char == closer and opened:
            del kept[opened.pop() :]
        else:
            kept.append(char)
    # An opener without its closer hides nothing: the sentence may have been cut in its middle.
    return "".join(kept)
