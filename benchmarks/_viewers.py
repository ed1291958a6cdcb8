"""Viewers of rooms in a process of their own: `python benchmarks/_viewers.py JOB`, JOB as JSON (see `rooms.py`).

All times are `perf_counter`, which all processes of one machine share.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from time import perf_counter
from typing import Any
from zlib import crc32

sys.path.insert(0, str(Path(__file__).resolve().parent))

from _page import CHAIN_END, Page, frame

CHAIN_START = b'"conversation-chain-start"'
SAID = b'"user-input-transcription"'
GREETED = b'"start-mic"'


async def enter(host: str, port: int, room: str = "main") -> Page:
    """A viewer who has been greeted."""
    loop = asyncio.get_running_loop()
    _, page = await loop.create_connection(Page, host, port)
    greeted = page.expect(GREETED)
    key = base64.b64encode(os.urandom(16)).decode()
    page.transport.write(
        f"GET /proxy-ws?room={room} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    await greeted
    return page


def words(text: str) -> bytes:
    return frame({"type": "text-input", "text": text, "images": []})


async def audience(host: str, port: int, *, viewers: int, conversations: int) -> dict[str, Any]:
    """Viewers who only look on. For each message: when the first and the last of them had it; and whether all
    had the same messages in the same order."""
    seen: list[list[int]] = []
    first: list[float] = []
    last: list[float] = []
    ended = 0
    over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def watch(page: Page) -> None:
        mine: list[int] = []
        seen.append(mine)
        ends = 0

        def on_message(payload: bytes) -> None:
            nonlocal ended, ends
            now = perf_counter()
            number = len(mine)
            mine.append(crc32(payload))
            if number == len(first):
                first.append(now)
                last.append(now)
            last[number] = now
            if CHAIN_END in payload:
                ends += 1
                if ends == conversations:
                    ended += 1
                    if ended == viewers:
                        over.set_result(None)

        page.on_message = on_message

    pages = []
    for _ in range(viewers):
        page = await enter(host, port)
        watch(page)
        pages.append(page)
    print("ready", flush=True)
    await over
    for page in pages:
        page.vanish()
    orders = {tuple(mine) for mine in seen}
    return {"first": first, "last": last, "orders": [list(order) for order in orders]}


async def polite(host: str, port: int, *, senders: int, seconds: float) -> dict[str, Any]:
    """Each sender says something, waits until its conversation begins, and says the next thing."""
    waits: list[float] = []
    stop = perf_counter() + seconds
    pages = [await enter(host, port) for _ in range(senders)]

    def join(page: Page, name: int) -> None:
        foreign = False
        began = perf_counter()
        count = 0

        def say() -> None:
            nonlocal began, count
            began = perf_counter()
            count += 1
            page.transport.write(words(f"sender {name} says {count}"))

        def on_message(payload: bytes) -> None:
            nonlocal foreign
            if SAID in payload:
                # Somebody else's: one does not get one's own words.
                foreign = True
            elif CHAIN_START in payload:
                now = perf_counter()
                if not foreign and now < stop:
                    waits.append(now - began)
                    say()
                foreign = False

        page.on_message = on_message
        say()

    for name, page in enumerate(pages):
        join(page, name)
    await asyncio.sleep(stop - perf_counter())
    for page in pages:
        page.vanish()
    return {"waits": waits}


async def flood(host: str, port: int, *, per_second: int, seconds: float) -> dict[str, Any]:
    """One sender, so many messages a second, whatever the answer."""
    page = await enter(host, port)
    told: dict[str, int] = {"queue-dropped": 0, "error": 0}

    def on_message(payload: bytes) -> None:
        for kind in told:
            if f'"type":"{kind}"'.encode() in payload:
                told[kind] += 1

    page.on_message = on_message
    began = perf_counter()
    sent = 0
    while (now := perf_counter()) < began + seconds:
        due = int((now - began) * per_second)
        page.transport.write(b"".join(words(f"flood {number}") for number in range(sent, due)))
        sent = due
        await asyncio.sleep(0.02)
    page.vanish()
    return {"sent": sent, **told}


async def hold(host: str, port: int, *, rooms: int) -> dict[str, Any]:
    """One silent viewer in each of so many rooms, until a line comes in."""
    pages = [await enter(host, port, f"room{number}") for number in range(rooms)]
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    for page in pages:
        page.vanish()
    return {"rooms": rooms}


async def talk(host: str, port: int, *, turns: int) -> dict[str, Any]:
    """An idle room: seconds from a message to its conversation, as a viewer and as the sender see it."""
    sender, viewer = await enter(host, port), await enter(host, port)
    found: dict[str, list[float]] = {"viewer": [], "sender": []}
    for turn in range(turns + 20):
        said, start, end = viewer.expect(SAID), sender.expect(CHAIN_START), sender.expect(CHAIN_END)
        began = perf_counter()
        sender.transport.write(words(f"message {turn}"))
        taken = await said - began, await start - began
        await end
        await asyncio.sleep(0.03)
        if turn >= 20:
            found["viewer"].append(taken[0])
            found["sender"].append(taken[1])
    sender.vanish()
    viewer.vanish()
    return found


JOBS = {job.__name__: job for job in (audience, polite, flood, hold, talk)}


def start(job: str, host: str, port: int, **options: Any) -> subprocess.Popen[str]:
    """Start a job in a process of its own."""
    order = json.dumps({"job": job, "host": host, "port": port, **options})
    return subprocess.Popen(
        [sys.executable, __file__, order], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    )


async def line_of(process: subprocess.Popen[str]) -> str:
    """The next line a job prints, without blocking the loop."""
    assert process.stdout is not None
    return await asyncio.to_thread(process.stdout.readline)


async def answer(process: subprocess.Popen[str]) -> dict[str, Any]:
    """What a job found."""
    found = await line_of(process)
    await asyncio.to_thread(process.wait)
    for pipe in (process.stdout, process.stdin):
        if pipe is not None:
            pipe.close()
    return json.loads(found)


if __name__ == "__main__":
    import uvloop

    options = json.loads(sys.argv[1])
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(JOBS[options.pop("job")](**options))), flush=True)
