"""One screen of the kiosk: plays a day's script against the server, and checks every answer."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from time import perf_counter
from typing import Any

from tests.helpers.moody_provider import FATAL
from tests.helpers.olv_client import OlvClient
from tests.helpers.pictures import data_url, jpeg
from websockets.exceptions import ConnectionClosed

from .day import CHARACTERS, Remark, Visit

PATIENCE = 20.0
PICTURE = {
    "source": "camera",
    "data": data_url(jpeg(40, 30) + bytes(2000)),
    "mime_type": "image/jpeg",
}
MAX_PROBLEMS = 100
PAUSE = 0.4
"""Real seconds left of the time between two visitors."""
AWAKE, ASLEEP, DEAF = "wake_up", "sleep", "ignored"


@dataclass
class Tally:
    """What the screens have seen; shared by all of them."""

    visits: int = 0
    turns: int = 0
    interrupted: int = 0
    switches: int = 0
    reloads: int = 0
    ignored: int = 0
    proactive: int = 0
    hiccups: int = 0
    problems: list[str] = field(default_factory=list)
    problem_count: int = 0
    idle_skipped: float = 0.0
    """Virtual seconds in which nobody was there."""
    first: list[float] = field(default_factory=list)
    """Seconds to the first sentence of the day's undisturbed turns; emptied every midnight."""
    opened: list[float] = field(default_factory=list)
    """Seconds from connecting to the answers a page waits for; emptied every midnight."""

    def problem(self, text: str) -> None:
        self.problem_count += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(text)


class Screen:
    """A page that stays open for days."""

    def __init__(self, url: str, number: int, tally: Tally) -> None:
        self._url = url
        self._number = number
        self._tally = tally
        self._tags = count(number * 10_000_000)
        self._page: OlvClient | None = None
        self._awake = False

    async def play(self, visits: Iterator[Visit], chance: random.Random) -> None:
        """One day. What goes wrong is noted, and the screen loads its page again, as a watchdog would."""
        now = 0.0
        if self._page is None:
            await self._load()
        for visit in visits:
            self._tally.idle_skipped += max(0.0, visit.at - now)
            now = visit.at
            try:
                async with asyncio.timeout(6 * PATIENCE):
                    await self._visit(visit, chance)
            except (OSError, ConnectionClosed, TimeoutError, AssertionError, KeyError, ValueError) as error:
                self._tally.problem(f"{visit}: {type(error).__name__}: {error}")
                await self._load()
            self._tally.visits += 1
            await asyncio.sleep(PAUSE)

    async def leave(self, *, vanish: bool = False) -> None:
        """Close the page, or let it vanish."""
        page, self._page = self._page, None
        self._awake = False
        if page is not None:
            if vanish:
                page.vanish()
            await page.ws.close()

    async def _load(self) -> None:
        await self.leave(vanish=True)
        began = perf_counter()
        self._page = await OlvClient(self._url, patience=PATIENCE).__aenter__()
        await self._page.open()
        self._tally.opened.append(perf_counter() - began)
        self._tally.reloads += 1

    @property
    def page(self) -> OlvClient:
        assert self._page is not None
        return self._page

    async def _visit(self, visit: Visit, chance: random.Random) -> None:
        await self.page.round_trip()
        if visit.browses:
            await self._browse(chance)
        await self._call(visit.called)
        for number, remark in enumerate(visit.remarks):
            if not self._awake:
                await self._unheard(remark)
                continue
            if visit.switches and number == len(visit.remarks) - 1:
                await self._switch(visit.switches)
            last = number == len(visit.remarks) - 1
            await self._say(remark, leaves=last and visit.leave == "walks away in mid-reply")
        if visit.leave == "end word" and self._awake:
            await self._wake_word("Goodbye, that is all", ASLEEP)
            self._awake = False
        if visit.reload:
            await self.leave(vanish=visit.reload == "abrupt")
            await self._load()
        elif visit.bored:
            await self._proactive()

    # -- wake words --------------------------------------------------------------------------------------------

    async def _call(self, called: bool) -> None:
        """The wake word; whoever the last visitor woke has long gone to sleep again."""
        if self._awake:
            await self._wake_word("That is all.", ASLEEP)
            self._awake = False
        if called:
            await self._wake_word("Hey kiosk!", AWAKE)
            self._awake = True

    async def _wake_word(self, text: str, action: str) -> None:
        await self.page.send("text-input", text=text, images=[])
        found = (await self.page.until("wake-word-state"))[-1]
        assert found["action"] == action, f"{text!r}: {found['action']} instead of {action}"

    async def _unheard(self, remark: Remark) -> None:
        await self._wake_word(remark.text, DEAF)
        self._tally.ignored += 1

    # -- talk ----------------------------------------------------------------------------------------------------

    async def _say(self, remark: Remark, *, leaves: bool) -> None:
        self._tally.turns += 1
        self._tally.hiccups += bool(remark.hiccup)
        text = f"{remark.text} [{remark.hiccup} {next(self._tags)}]"
        began = perf_counter()
        await self.page.send("text-input", text=text, images=[PICTURE] if remark.picture else [])
        if remark.interrupted:
            found = (await self.page.until("audio"))[-1]
            await self.page.send("interrupt-signal", text=found["display_text"]["text"])
            await self.page.round_trip()
            self._tally.interrupted += 1
            return
        reply = await self.page.reply(began, PATIENCE)
        errors = [m.get("message", "") for m in reply.messages if m["type"] == "error"]
        if remark.hiccup in FATAL:
            assert errors, f"{remark.hiccup}: nobody was told"
        else:
            assert not errors, f"{remark.hiccup or 'no hiccup'}: {errors[0]}"
            assert reply.first, "no reply"
            if not remark.hiccup:
                self._tally.first.append(reply.first)
        if leaves:
            # Nobody listens, and nobody tells: the reply plays to its end before an empty hall.
            await self.page.send("frontend-playback-complete")

    async def _proactive(self) -> None:
        began = perf_counter()
        await self.page.send("ai-speak-signal", idle_time=300)
        reply = await self.page.reply(began, PATIENCE)
        assert reply.first, "the character had nothing to say"
        self._tally.proactive += 1

    async def _switch(self, files: tuple[str, ...]) -> None:
        for file in files:
            await self.page.send("switch-config", file=file)
        for _ in files:
            await self.page.until("config-switched")
            self._tally.switches += 1
        await self.page.send("create-new-history")
        await self.page.until("new-history-created")
        self._awake = False
        await self._call(True)

    async def _browse(self, chance: random.Random) -> None:
        await self.page.send("fetch-history-list")
        listed: list[dict[str, Any]] = (await self.page.until("history-list"))[-1]["histories"]
        if not listed:
            return
        chosen = chance.choice(listed)["uid"]
        await self.page.send("fetch-and-set-history", history_uid=chosen)
        found = (await self.page.until("history-data"))[-1]
        assert found["messages"], f"an empty history is listed: {json.dumps(found)[:200]}"
        await self.page.send("create-new-history")
        await self.page.until("new-history-created")


WAKE_WORDS = {
    "enabled": True,
    "wake": {"en": ["hey kiosk"]},
    "end": {"en": ["that is all"]},
    "idle_seconds": 60,
}
CHARACTER_FILES = {
    name: {"wake_words": WAKE_WORDS, "persona_prompt": "You stand in a station hall. Be brief and kind."}
    for name in CHARACTERS
}
