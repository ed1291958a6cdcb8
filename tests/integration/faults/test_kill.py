"""`kill -9` at random moments under load: nothing that was acknowledged is lost, nothing half-written is shown.

Acknowledged: a page saw `conversation-chain-start` for its message (the message is safe), the turn's
`conversation-chain-end` (the whole reply is), or `history-deleted` (it will not come back).
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.helpers.olv_client import OlvClient
from tests.helpers.server_process import ServerProcess
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from greenroom.tasks import TaskScope

PAGES = 16
SETTINGS: dict[str, Any] = {
    "agent": {"kind": "builtin", "builtin": {"first_token_seconds": 0, "tokens_per_second": 0, "words": 8}},
    "limits": {"messages_per_second": 10_000, "message_burst": 10_000},
}


@dataclass
class Talk:
    """What one page knows of one conversation."""

    acknowledged: list[tuple[str, str]] = field(default_factory=list)
    pending: str = ""
    """A message that was sent, and of which nothing was heard yet."""
    shown: str = ""
    """What was shown of a reply whose end has not come."""
    deleted: bool = False
    deleting: bool = False

    def count(self) -> int:
        return len(self.acknowledged)


class Witness:
    """Talks from many pages until the server dies, and compares with what is there after it."""

    def __init__(self, seed: int) -> None:
        self.talks: dict[str, Talk] = {}
        self._chance = random.Random(seed)
        self._number = 0

    @property
    def acknowledged(self) -> int:
        return sum(talk.count() for talk in self.talks.values())

    async def page(self, server: ServerProcess) -> None:
        """One page: a few turns in a conversation, now and then one is deleted, then the next one."""
        try:
            async with OlvClient(server.ws_url) as page:
                await page.open()
                while True:
                    talk = self.talks[page.history_uid] = Talk()
                    for _ in range(self._chance.randint(1, 12)):
                        await self._turn(page, talk)
                    if self._chance.random() < 0.2:
                        talk.deleting = True
                        await page.send("delete-history", history_uid=page.history_uid)
                        talk.deleted = (await page.until("history-deleted"))[-1]["success"]
                        assert talk.deleted
                    await page.send("create-new-history")
                    page.history_uid = (await page.until("new-history-created"))[-1]["history_uid"]
        except (ConnectionClosed, InvalidHandshake, OSError):
            pass

    async def _turn(self, page: OlvClient, talk: Talk) -> None:
        self._number += 1
        text = talk.pending = f"message {self._number}"
        await page.send("text-input", text=text, images=[])
        await page.until("control", text="conversation-chain-start")
        talk.acknowledged.append(("human", text))
        talk.pending = talk.shown = ""
        while True:
            message = await page.receive()
            assert message["type"] != "error", message
            if message["type"] == "audio":
                talk.shown += message["display_text"]["text"]
            elif message["type"] == "control" and message["text"] == "conversation-chain-end":
                talk.acknowledged.append(("ai", talk.shown))
                talk.shown = ""
                return

    async def compare(self, server: ServerProcess, some: int | None = None) -> None:
        """Ask the server for (some of) the conversations, as a page would."""
        uids = list(self.talks)
        if some is not None:
            uids = uids[-some:]
        async with OlvClient(server.ws_url) as page:
            await page.open()
            for uid in uids:
                await page.send("fetch-and-set-history", history_uid=uid)
                data = (await page.until("history-data"))[-1]["messages"]
                check(uid, self.talks[uid], [(m["role"], m["content"]) for m in data])


def check(uid: str, talk: Talk, found: list[tuple[str, str]]) -> None:
    """One conversation after the crash against what its page knew before."""
    if talk.deleted or (talk.deleting and not found):
        assert found == [], f"{uid}: deleted, and there again"
        return
    known = talk.acknowledged
    assert found[: len(known)] == known, f"{uid}: lost {[line for line in known if line not in found]}"
    rest = found[len(known) :]
    # Beyond it only what was under way may be there, and that only whole.
    if talk.pending:
        assert rest in ([], [("human", talk.pending)]), f"{uid}: {rest}"
    elif rest:
        (role, text), *more = rest
        assert (role, more) == ("ai", []), rest
        assert text.startswith(talk.shown), f"{uid}: another reply than the one shown"
        assert text.endswith((".", "!", "?")), f"{uid}: half a reply: {text!r}"


async def rounds(folder: Path, count: int, seed: int) -> Witness:
    """So many lives of a server, each ended by SIGKILL at a random moment."""
    chance = random.Random(seed)
    witness = Witness(seed)
    for number in range(count):
        server = ServerProcess(folder, SETTINGS)
        server.start()
        await server.ready()
        await witness.compare(server, some=2 * PAGES)
        async with TaskScope("crowd") as scope:
            pages = [scope.start(witness.page, server) for _ in range(PAGES)]
            await asyncio.sleep(0.05 + chance.random() * 0.6)
            server.kill()
            for page in pages:
                await page
        assert not server.complaints(), f"round {number}"
    async with ServerProcess(folder, SETTINGS) as server:
        await witness.compare(server)
        assert not server.complaints()
    with sqlite3.connect(folder / "data" / "histories.sqlite3") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
    database.close()
    return witness


@pytest.mark.parametrize(
    ("talk", "found"),
    [
        (Talk([("human", "one"), ("ai", "Yes.")]), [("human", "one")]),
        (Talk([("human", "one")]), []),
        (Talk([("human", "one")]), [("human", "one"), ("human", "one")]),
        (Talk([("human", "one")], shown="Well, "), [("human", "one"), ("ai", "Well,")]),
        (Talk([("human", "one")]), [("human", "one"), ("ai", "Yes."), ("ai", "Yes.")]),
        (Talk([("human", "one")], deleted=True, deleting=True), [("human", "one")]),
    ],
)
def test_the_comparison_notices(talk: Talk, found: list[tuple[str, str]]) -> None:
    """A lost, a doubled and a half-written line, and a deleted conversation that is back, are all noticed."""
    with pytest.raises(AssertionError):
        check("uid", talk, found)


async def test_five_kills(tmp_path: Path) -> None:
    """Five rounds: no acknowledged message is lost, none is doubled, no half reply is shown."""
    witness = await rounds(tmp_path, 5, seed=1)
    assert witness.acknowledged > 200


@pytest.mark.slow
async def test_a_hundred_kills(tmp_path: Path) -> None:
    """A hundred rounds: of at least 10,000 acknowledged messages none is lost."""
    witness = await rounds(tmp_path, 100, seed=2)
    assert witness.acknowledged >= 10_000
    print(f"\n{witness.acknowledged} acknowledged messages, 0 lost")
