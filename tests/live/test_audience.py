"""The audience: one message encoded once, written to all, in slices."""

from __future__ import annotations

import asyncio
import json

from tests.live.theatre import FakeSocket

from greenroom.live.audience import BROADCAST_SLICE, END_TEXT, START_TEXT, Audience, all_but
from greenroom.live.viewer import Viewer


class Counted:
    """Makes frames, and counts them."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self, text: str) -> bytes:
        self.made += 1
        return text.encode()


def seat(audience: Audience, number: int) -> FakeSocket:
    socket = FakeSocket()
    viewer = Viewer(f"v{number}", "", socket, str.encode, max_bytes=1000, drain_seconds=10)
    audience.viewers[viewer.viewer_id] = viewer
    return socket


def text(number: int) -> str:
    return json.dumps({"type": "full-text", "text": str(number)})


async def test_each_message_is_encoded_once() -> None:
    """A thousand viewers, three messages, three frames; everybody gets them in order."""
    frame = Counted()
    audience = Audience(frame)
    sockets = [seat(audience, number) for number in range(1000)]
    for number in range(3):
        await audience.send_text(text(number))
    assert frame.made == audience.broadcasts == 3
    assert all([f["text"] for f in socket.frames] == ["0", "1", "2"] for socket in sockets)


async def test_all_but_one() -> None:
    """A text for all but one leaves that one out, and nobody else."""
    audience = Audience(str.encode)
    sockets = [seat(audience, number) for number in range(3)]
    await audience.send_text(all_but("v1", text(1)))
    await audience.send_text(all_but("nobody", text(2)))
    assert [len(socket.frames) for socket in sockets] == [2, 1, 2]


async def test_the_loop_gets_its_turn() -> None:
    """Between slices others run, also when many small broadcasts follow each other."""
    audience = Audience(str.encode)
    for number in range(50):
        seat(audience, number)
    turns = 0
    sending = True

    def beat() -> None:
        nonlocal turns
        turns += 1
        if sending:
            loop.call_soon(beat)

    loop = asyncio.get_running_loop()
    loop.call_soon(beat)
    for number in range(40):
        await audience.send_text(text(number))
    sending = False
    assert turns >= 40 * 50 / BROADCAST_SLICE - 1


async def test_who_comes_in_during_a_broadcast() -> None:
    """It gets the next message, not half of this one; whether a conversation runs is known at once."""
    audience = Audience(str.encode)
    for number in range(BROADCAST_SLICE):
        seat(audience, number)
    newcomers: list[FakeSocket] = []

    def come() -> None:
        assert audience.talking
        newcomers.append(seat(audience, 1_000_000))

    asyncio.get_running_loop().call_soon(come)
    await audience.send_text(START_TEXT)
    assert newcomers[0].frames == []
    await audience.send_text(END_TEXT)
    assert not audience.talking
    assert [frame["text"] for frame in newcomers[0].frames] == ["conversation-chain-end"]


async def test_one_leaves_during_a_broadcast() -> None:
    """The others still get it."""
    audience = Audience(str.encode)
    sockets = [seat(audience, number) for number in range(BROADCAST_SLICE + 5)]
    asyncio.get_running_loop().call_soon(audience.viewers.clear)
    await audience.send_text(text(1))
    assert len(sockets[-1].frames) == 1


async def test_everybody_is_sent_away() -> None:
    """Dropping the audience drops each viewer, and says that it has ended."""
    audience = Audience(str.encode)
    sockets = [seat(audience, number) for number in range(3)]
    audience.drop(1001, "over")
    assert audience.dropped
    assert [socket.dropped for socket in sockets] == [[(1001, "over")]] * 3
