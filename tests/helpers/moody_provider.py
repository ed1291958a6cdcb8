"""A model provider that is quick and even, except where the visitor's words tell it to fail."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from typing import Any, Literal

from tests.agents.fault_provider import (
    FaultProvider,
    Script,
    Seen,
    cut_after,
    garbage,
    ok,
    slowly,
    stall_after,
    status,
)

Hiccup = Literal["", "slow", "stall", "cut", "429-once", "429", "500", "garbage", "close"]
HICCUPS: tuple[Hiccup, ...] = ("slow", "stall", "cut", "429-once", "429", "500", "garbage", "close")
FATAL: frozenset[Hiccup] = frozenset({"stall", "cut", "429", "500", "garbage", "close"})
"""After these the visitor must be told that something went wrong; the others go unnoticed."""
FIRST_SECONDS = 0.02
"""From a request to its first token."""
TAG = re.compile(r"\[(?P<hiccup>[\w-]*) (?P<number>\d+)\]$")
"""At the end: the words before, whose reply failed, may come along in the same message."""
SPEECH = """Well, that is a good question. I have been standing here for a while, and I have seen many people
come by. Most of them ask the same. Take the stairs on your left, then the second door."""
WORDS = tuple(f"{word} " for word in SPEECH.split())
GOOD = slowly(ok(*WORDS), 0.004)
SLOW = slowly(ok(*WORDS), 0.05)


class MoodyProvider(FaultProvider):
    """Plays the script that the last user message asks for with a tag such as `[cut 17]`; the number is the asker's."""

    def __init__(self) -> None:
        super().__init__(GOOD)
        self.count = 0
        self.aborted = 0
        self._tries: Counter[str] = Counter()

    async def _answer(self, seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        self.count += 1
        self.requests.clear()  # It may live for days: it must not remember everybody.
        await asyncio.sleep(FIRST_SECONDS)
        # Nothing may be awaited between this and its use: the screens ask at the same time.
        self.scripts = [self._script(_last_words(seen.json))]
        whole = await super()._answer(seen, reader, writer)
        self.aborted += seen.aborted_at is not None
        return whole

    def _script(self, words: str) -> Script:
        found = TAG.search(words)
        match found["hiccup"] if found else "":
            case "slow":
                return SLOW
            case "stall":
                return stall_after(*WORDS[:8])
            case "cut":
                return cut_after(*WORDS[:8])
            case "close":
                return Script(events=WORDS[:8], end="close")
            case "garbage":
                return garbage()
            case "500":
                return status(500, "the model fell over")
            case "429":
                return status(429, "slow down", retry_after="0")
            case "429-once":
                assert found is not None
                if len(self._tries) > 1000:
                    self._tries.clear()
                self._tries[found["number"]] += 1
                return (
                    status(429, "slow down", retry_after="0") if self._tries[found["number"]] == 1 else GOOD
                )
        return GOOD


def _last_words(body: dict[str, Any]) -> str:
    for message in reversed(body.get("messages", ())):
        if message["role"] == "user":
            content = message["content"]
            if isinstance(content, str):
                return content
            return "".join(part.get("text", "") for part in content)
    return ""
