"""Small talk without a model: which reply follows from a talk. The same talk, the same reply."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import cycle, islice
from zlib import crc32

from .base import INTERRUPTED, ChatMessage, ChatRequest
from .builtin_phrases import Phrases, phrases_for

LOOK_AT = 400
"""Characters of a message that are looked at: patterns never see more."""

QUOTE = 60
"""Characters of a message that are repeated to its author."""

_WIDE = "\u1100-\u11ff\u2e80-\ua4cf\uac00-\ud7ff\uf900-\ufaff\uff00-\uffef"
_TOKEN = re.compile(
    rf"\s*(?:[{_WIDE}][\u3001-\u3003\u3008-\u3011\uff01\uff0c\uff1a\uff1b\uff1f“”…]*|[^\s{_WIDE}]+)"
)
_EDGES = "“”「」\"' ,，、.!?。！？…"
_ENDS = re.compile(r"\s*[.!?。！？…]+\s*")
_QUESTION = re.compile(
    r"[?？]\s*$|(?:吗|呢|か|かな)[。.]?\s*$|^\W*(?:who|what|when|where|why|how|which|is|are|do|does|can|could)\b",
    re.I,
)

NOBODY = frozenset({"You", "Human", "User", "客人", "あなた", "你", "您"})
"""What character files call a visitor whose name they do not know: no name to be called by."""


def tokens(text: str) -> list[str]:
    """Cut a text into what a model would send: words with the space before them, single wide characters."""
    return _TOKEN.findall(text.rstrip())


def stretch(text: str, words: int) -> str:
    """Make the text exactly so many `tokens` long, by repeating or cutting it."""
    parts = tokens(text)
    if not parts or words <= 0:
        return ""
    gap = " " if parts[0].isascii() else ""
    long = list(islice(cycle([gap + parts[0].lstrip(), *parts[1:]]), words))
    joined = "".join(long).lstrip()
    if _ENDS.search(joined[-1]):
        return joined
    joined = joined.rstrip(",;:，、：；")
    return joined + ("." if joined[-1:].isascii() else "。")


def compose(request: ChatRequest, now: Callable[[], datetime] = datetime.now) -> str:
    """The whole reply to the newest message of a talk: 2 to 4 sentences."""
    say = phrases_for(request.language)
    said = [m for m in request.messages if m.role == "user" and m.content != INTERRUPTED]
    last = said[-1] if said else ChatMessage("user", "")
    text = " ".join(last.content[:LOOK_AT].split())
    seed = crc32(text.encode("utf-8", "replace")) + len(said)
    known = request.human_name if request.human_name not in NOBODY else ""
    name = _name(say, said) or known
    introduce = not any(m.role == "assistant" for m in request.messages)

    def pick(options: Sequence[str], digit: int = 0) -> str:
        return options[(seed >> 3 * digit) % len(options)]

    me = request.character_name or say.default_me
    values = {"me": me, "name": name, "count": str(len(said)), "time": ""}
    values["words"] = _quote(text, say.comma)
    values["earlier"] = _quote(said[-2].content, say.comma) if len(said) > 1 else ""
    if last.images:
        parts = [*say.picture]
    elif not text:
        parts = [*say.silence]
    elif _told_name(say, text):
        parts = [*say.name_told]
    elif say.asks_name.search(text):
        parts = [*(say.name_known if name else say.name_unknown)]
    elif say.asks_who.search(text):
        parts, introduce = [*say.who], False
    elif say.asks_before.search(text):
        parts = [*(say.before if len(said) > 1 else say.nothing_before)]
        if len(said) > 1:
            values["words"], values["count"] = values["earlier"], str(len(said) - 1)
    elif say.asks_count.search(text):
        parts = [*say.count]
    elif say.asks_time.search(text):
        parts = [*say.time]
        values["time"] = now().strftime(say.time_format)
    elif say.wants_model.search(text):
        parts, introduce = [*say.model_needed], False
    elif say.thanks.search(text):
        parts = [*say.thanked]
    elif say.bye.search(text):
        parts = [*say.parting]
    elif say.help.search(text):
        parts = [*say.helping]
    elif say.greets.search(text) and len(tokens(text)) <= 8:
        parts = [*(say.greeting_known if name and len(said) > 1 else say.greeting)]
    else:
        parts = _reflect(say, said, text, pick)
    if introduce:
        # Second, so that the answer itself comes first; 4 sentences at most.
        parts = [parts[0], say.intro, *parts[1:3]]
    return say.sentence_gap.join(_fill(part, values) for part in parts)


def _reflect(
    say: Phrases, said: Sequence[ChatMessage], text: str, pick: Callable[[Sequence[str], int], str]
) -> list[str]:
    parts = [pick(say.asked if _QUESTION.search(text) else say.heard, 0), pick(say.thoughts, 1)]
    # Every third message looks back, so that one can hear that there is a memory.
    if len(said) > 1 and len(said) % 3 == 0:
        parts.append(pick(say.linking, 2))
    parts.append(pick(say.follow_ups, 3))
    return parts


def _told_name(say: Phrases, text: str) -> str:
    found = say.tells_name.search(text)
    if found is None:
        return ""
    groups = found.groupdict()
    name = (groups.get("name") or groups.get("name2") or "").strip()
    return "" if say.no_name.fullmatch(name) else name


def _name(say: Phrases, said: Sequence[ChatMessage]) -> str:
    """What the user said they are called; the newest word on it counts."""
    for message in reversed(said):
        if name := _told_name(say, message.content[:LOOK_AT]):
            return name
    return ""


def _quote(text: str, comma: str) -> str:
    """The beginning of a text, short enough to be said back, without marks that would end a sentence."""
    text = " ".join(text[: 4 * QUOTE].split()).strip(_EDGES)
    text = _ENDS.sub(comma, text)
    if len(text) <= QUOTE:
        return text
    cut = text[:QUOTE]
    return (cut[: cut.rfind(" ")] if " " in cut[QUOTE // 2 :] else cut) + " …"


def _fill(template: str, values: dict[str, str]) -> str:
    """Put the values in; a brace that the user wrote stays a brace."""
    return re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], found[0]), template)
