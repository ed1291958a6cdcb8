"""A live chat feeds a room of the real server: an IRC server, `sources` in the settings, a viewer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.helpers.server_process import FAST, ServerProcess, eventually
from tests.helpers.services import require
from tests.integration.test_rooms import END, enter, leave, said
from tests.live.sources.irc_server import IrcServer, Person, irc_server


@pytest.fixture
def irc(tmp_path: Path) -> Iterator[IrcServer]:
    """A real IRC server of its own."""
    with irc_server(require("ngircd"), tmp_path) as server:
        yield server


async def test_from_the_chat_to_the_room(tmp_path: Path, irc: IrcServer) -> None:
    """What passes moderation is answered there; without viewers it is counted; a lost chat comes back."""
    source = {
        "url": f"irc://127.0.0.1:{irc.port}/stage",
        "room": "show",
        "moderation": {"blocked_words": ["spoiler"]},
    }
    async with ServerProcess(tmp_path, {"agent": FAST, "sources": [source]}) as server:

        async def connections() -> int:
            return sum(line.get("event") == "the source is connected" for line in server.log())

        async def unheard() -> bool:
            text = (await server.get("/metrics")).body.decode()
            return 'greenroom_refused_total{what="live chat without viewers"} 1.0' in text

        await eventually("the source is connected", connections)
        ann = await Person.joined(irc.port, "Ann")
        ann.say("into the void")
        await eventually("it is counted", unheard)
        viewer = await enter(server, "show")
        ann.say("!uptime", "a spoiler", "hello")
        assert said(await viewer.until("control", text=END)) == ["Ann: hello"]
        ann.leave()
        irc.stop()
        irc.start()

        async def again() -> bool:
            return await connections() == 2

        await eventually("it is connected again", again, 20)
        bob = await Person.joined(irc.port, "Bob")
        bob.say("still there?")
        assert said(await viewer.until("control", text=END)) == ["Bob: still there?"]
        bob.leave()
        await leave(viewer)
        assert not server.complaints()
