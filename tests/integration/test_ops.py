"""The ops room of a real server: what it tells while pages come and go, and what it survives."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
import msgspec
import psutil
import pytest
import pytest_asyncio
from tests.helpers.olv_client import OlvClient
from tests.helpers.ops_client import OpsWatcher
from tests.helpers.server_process import FAST, ServerProcess, eventually, http_get, slow

from greenroom.server.ops.messages import OpsError, OpsExport, OpsSoakStarted, OpsStack, OpsState, OpsTree

SECRET = "I keep my diary under the floor"
PERSONA = "You know that the treasure is buried under the oak"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    """A server whose character has a persona, with an agent that holds two replies at once."""
    settings = {
        "agent": slow(words=40, tokens_per_second=400, slots=2),
        "voice": {"tts": {"engine": "tone", "seconds_per_sentence": 0.02}},
        "character": "nell.yaml",
    }
    characters = {"nell.yaml": {"persona_prompt": PERSONA}}
    environ = {"OPENAI_API_KEY": "sk-not-for-the-page"}
    folder = tmp_path_factory.mktemp("ops")
    async with ServerProcess(folder, settings, characters=characters, environ=environ) as running:
        yield running
        assert not running.complaints()


@pytest.fixture
def http(server: ServerProcess) -> httpx.Client:
    return httpx.Client(base_url=server.url, timeout=10, trust_env=False)


async def state_of(server: ServerProcess) -> OpsState:
    return msgspec.json.decode((await server.get("/ops/state")).body, type=OpsState)


async def tree_of(server: ServerProcess) -> OpsTree:
    return msgspec.json.decode((await server.get("/ops/tree")).body, type=OpsTree)


@pytest.mark.asyncio(loop_scope="module")
async def test_visits_are_seen_as_they_happen(server: ServerProcess) -> None:
    """A visit's first reply, its task, its slot and its close reach whoever watches, within a second."""
    async with OpsWatcher(server.url) as watcher:
        before = watcher.state["visits_total"]
        async with OlvClient(server.ws_url) as page:
            await page.open()
            reply = await page.ask("How are you?")
            news = await watcher.until("visits")
            assert news["total"] == before + 1
            assert news["visits"]["n"] == [before + 1]
            assert news["visits"]["how"] == ["finished"]
            assert news["visits"]["character"] == ["nell"]
            assert news["visits"]["first_reply_ms"][0] == pytest.approx(reply.first * 1000, abs=60)
            sample = await watcher.until("sample")
            assert sample["clients"] == 1
            assert sample["tasks_by_kind"]["clients"] >= 1
        closes = await watcher.until("closes", lambda data: "client" in data["closes"][-1]["owner"])
        close = closes["closes"][-1]
        assert re.fullmatch(r"server/clients/client [0-9a-f]{8}", close["owner"])
        assert close["reason"] == "closed by the page"
        assert close["abandoned"] == []
        replies = [
            data["reply_ms_p50"] for name, data in watcher.seen if name == "sample" and data["replies"]
        ]
        assert replies
        assert all(replies)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_second_look_shows_the_same_past(server: ServerProcess) -> None:
    """A page that is loaded again has the samples from before: the history is the server's."""
    async with OpsWatcher(server.url) as watcher:
        await watcher.until("sample")
        await watcher.until("sample")
    first = await state_of(server)
    async with OpsWatcher(server.url) as again:
        assert again.state["samples"]["t"][: len(first.samples.t)] == first.samples.t
        assert len(first.samples.t) >= 2
        columns = {len(column) for name, column in again.state["samples"].items() if isinstance(column, list)}
        assert columns == {len(again.state["samples"]["t"])}
        steps = [b - a for a, b in zip(first.samples.t, first.samples.t[1:], strict=False)]
        assert all(0.5 < step < 3 for step in steps), steps


@pytest.mark.asyncio(loop_scope="module")
async def test_samples_come_once_a_second_to_all(server: ServerProcess) -> None:
    """Ten who watch see the same samples, and nobody's visit twice, whenever they came."""
    watchers = [OpsWatcher(server.url) for _ in range(10)]
    try:
        async with OlvClient(server.ws_url) as page:
            await page.open()
            for watcher in watchers:
                await watcher.__aenter__()
                await page.ask("And now?")
            begun = monotonic()
            for _ in range(3):
                samples = [await watcher.until("sample") for watcher in watchers]
            assert monotonic() - begun < 6
        assert len(samples) == 10
    finally:
        for watcher in watchers:
            await watcher.__aexit__(None, None, None)
    for watcher in watchers:
        numbers = [n for name, data in watcher.seen if name == "visits" for n in data["visits"]["n"]]
        assert len(numbers) == len(set(numbers))
        times = [data["t"] for name, data in watcher.seen if name == "sample"]
        assert times == sorted(set(times))


@pytest.mark.asyncio(loop_scope="module")
async def test_the_tree_of_owners_and_a_stack(server: ServerProcess, http: httpx.Client) -> None:
    """A running reply is found under its client, with the line that started it, and where it stands."""
    async with OlvClient(server.ws_url) as page:
        await page.open()
        await page.send("text-input", text="Tell me something long.", images=[])
        await page.until("full-text")
        tree = await tree_of(server)
        turns = [owner for owner in tree.owners if owner.name == "turns" and owner.running]
        assert [owner.depth for owner in turns] == [3]
        (task,) = turns[0].tasks
        assert (task.name, task.state) == ("turn", "running")
        assert task.site.startswith("greenroom/sessions/turns.py:")
        client = next(owner for owner in tree.owners if owner.path == turns[0].path.rpartition("/")[0])
        assert (client.kind, [task.name for task in client.tasks][:1]) == ("client", ["writer"])
        answer = await asyncio.to_thread(http.get, f"/ops/tasks/{task.id}/stack")
        stack = msgspec.json.decode(answer.content, type=OpsStack)
        assert stack.frames[0].function == "Turns._run"
        assert "await turn.run()" in stack.frames[0].code
        assert not any(frame.file.startswith("/") for frame in stack.frames)
        await page.reply(monotonic())
        gone = await asyncio.to_thread(http.get, f"/ops/tasks/{task.id}/stack")
        assert gone.status_code == 404
        assert msgspec.json.decode(gone.content, type=OpsError).error.field == "id"


@pytest.mark.asyncio(loop_scope="module")
async def test_slots_are_shown(server: ServerProcess) -> None:
    """Three talk to an agent with two slots: two are busy, one waits."""
    pages = [OlvClient(server.ws_url) for _ in range(3)]
    try:
        for page in pages:
            await page.__aenter__()
            await page.open()
        async with OpsWatcher(server.url) as watcher:
            assert (
                watcher.state["limits"]["provider_slots"] is None
                or watcher.state["limits"]["provider_slots"] >= 2
            )
            for page in pages:
                await page.send("text-input", text="Go on.", images=[])
            await asyncio.sleep(0.05)
            agents = [provider for provider in (await state_of(server)).providers if provider.kind == "agent"]
            busiest = max(agents, key=lambda provider: provider.busy)
            assert (busiest.busy, busiest.waiting, busiest.slots) == (2, 1, 2)
    finally:
        for page in pages:
            await page.__aexit__()


@pytest.mark.asyncio(loop_scope="module")
async def test_errors_say_what_to_do(server: ServerProcess, http: httpx.Client) -> None:
    """Each names the field and the fix; no path under /ops leads to the chat page."""

    def ask(method: str, path: str, **more: Any) -> tuple[int, OpsError]:
        answer = http.request(method, path, **more)
        return answer.status_code, msgspec.json.decode(answer.content, type=OpsError)

    cases = [
        ("GET", "/ops/tree?limit=0", {}, 422, "limit"),
        ("GET", "/ops/tree?limit=many", {}, 422, "limit"),
        ("GET", f"/ops/tree?limit={'9' * 5000}", {}, 422, "limit"),
        ("GET", "/ops/tree?after=%00", {}, 422, "after"),
        ("GET", "/ops/tasks/1-1/stack", {}, 404, "id"),
        ("GET", "/ops/nothing", {}, 404, None),
        ("POST", "/ops/state", {}, 405, None),
        ("POST", "/ops/events", {}, 405, None),
        ("POST", "/ops/soak", {"content": b"{"}, 422, None),
        ("POST", "/ops/soak", {"content": b'{"visit": 3}'}, 422, None),
        ("POST", "/ops/soak", {"json": {"visits": 100_000}}, 422, "visits"),
        ("POST", "/ops/soak", {"json": {"mode": "rude"}}, 422, "mode"),
        ("POST", "/ops/soak", {"content": b"x" * 10_000}, 413, None),
        ("DELETE", "/ops/soak", {}, 404, None),
        ("POST", "/ops/soak", {"headers": {"Origin": "https://example.org"}}, 403, None),
        ("DELETE", "/ops/soak", {"headers": {"Origin": "null"}}, 403, None),
    ]
    for method, path, more, status, field in cases:
        found, error = await asyncio.to_thread(ask, method, path, **more)
        assert (found, error.error.field) == (status, field), (method, path, error)
        assert error.error.problem
        assert error.error.fix


@pytest.mark.asyncio(loop_scope="module")
async def test_nothing_anybody_said_is_told(server: ServerProcess) -> None:
    """Neither what visitors write, nor personas, nor keys are in any answer."""
    async with OlvClient(server.ws_url) as page, OpsWatcher(server.url) as watcher:
        await page.open()
        await page.send("text-input", text=SECRET, images=[])
        await page.until("full-text")
        export = await server.get("/ops/export")
        answered = (await page.reply(monotonic())).text
        await watcher.until("visits")
        texts = [
            export.body.decode(),
            (await server.get("/ops/state")).body.decode(),
            json.dumps(watcher.seen),
        ]
    said = [
        SECRET,
        PERSONA,
        "sk-not-for-the-page",
        answered[:20],
        str(server.folder),
        os.path.expanduser("~/"),
    ]
    for text in texts:
        assert not [secret for secret in said if secret in text]
    assert re.fullmatch(
        r'attachment; filename="greenroom-ops-[\d-]+\.json"', export.headers["content-disposition"]
    )
    whole = msgspec.json.decode(export.body, type=OpsExport)
    assert whole.tree.owners[0].path == "server"


@pytest.mark.asyncio(loop_scope="module")
async def test_a_soak_from_the_page(server: ServerProcess, http: httpx.Client) -> None:
    """It runs beside the server, tells each visit, can be cancelled, and leaves no conversation behind."""
    async with OpsWatcher(server.url) as watcher:
        answer = await asyncio.to_thread(http.post, "/ops/soak", json={"visits": 200, "mode": "polite"})
        assert answer.status_code == 202
        run = msgspec.json.decode(answer.content, type=OpsSoakStarted).run
        again = await asyncio.to_thread(http.post, "/ops/soak", json={})
        assert again.status_code == 409
        children = psutil.Process(server.pid).children(recursive=True)
        assert any("soak" in child.cmdline() for child in children)
        told = await watcher.until("soak", lambda soak: soak["done"] >= 3, 30)
        assert (told["id"], told["state"], len(told["visit"])) == (run.id, "running", told["done"])
        assert (await asyncio.to_thread(http.delete, "/ops/soak")).status_code == 200
        ended = await watcher.until("soak", lambda soak: soak["state"] != "running")
        assert ended["state"] == "cancelled"
    assert not psutil.Process(server.pid).children(recursive=True)
    assert (await state_of(server)).soak is not None

    async def tidied() -> bool:
        return any(line.get("event") == "tidied up after the soak" for line in server.log())

    await eventually("an end of its conversations", tidied)
    async with OlvClient(server.ws_url) as page:
        histories = next(m for m in await page.open() if m["type"] == "history-list")["histories"]
        assert not [entry for entry in histories if "few details" in json.dumps(entry)]


@pytest.mark.asyncio(loop_scope="module")
async def test_the_page_is_served(server: ServerProcess) -> None:
    """At /ops, also where the page is not built; HEAD of the stream asks for nothing."""
    answer = await server.get("/ops")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/html")
    head = await http_get(server.host, server.port, "/ops/events", method="HEAD")
    assert (head.status, head.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert head.body == b""


async def test_an_abandoned_task_is_named(tmp_path: Path) -> None:
    """One that swallows its cancellation is told with owner, site, stack and who cancelled it, until it ends."""
    settings = {"agent": FAST, "limits": {"close_seconds": 0.5}}
    async with ServerProcess(tmp_path, settings, program="stubborn.py") as server:
        async with OpsWatcher(server.url) as watcher:
            async with OlvClient(server.ws_url) as page:
                await page.open()
                await page.send("text-input", text="stay", images=[])
                await page.until("full-text")
            told = await watcher.until("abandoned", lambda data: data["abandoned"])
            (task,) = [task for task in told["abandoned"] if task["name"] == "turn"]
            assert told["total"] >= 1
            assert task["cancelled_by"].startswith("closed by the page: server/clients/client ")
            assert task["site"].startswith("greenroom/sessions/turns.py:")
            answer = await server.get(f"/ops/tasks/{task['id']}/stack")
            assert "hold_on" in [frame["function"] for frame in answer.json["frames"]]
            state = await state_of(server)
            assert [found.id for found in state.abandoned] == [task["id"]]
            assert any("turns/turn" in name for close in state.closes for name in close.abandoned)
            (tmp_path / "let-go").touch()
            over = await watcher.until("abandoned")
            assert (over["abandoned"], over["total"]) == ([], told["total"])


async def test_a_soak_behind_a_token(tmp_path: Path) -> None:
    """Where every page needs a token, the soak gets one for its time; whoever starts it shows the ops token."""
    ops = {"Authorization": "Bearer only-for-those-who-watch-it-all"}
    security = {"token": "visitors-may-come-in-with-this", "ops_token": ops["Authorization"].split()[1]}
    async with ServerProcess(tmp_path, {"agent": FAST, "security": security}) as server:
        async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=20) as http:
            assert (await http.get("/ops/state")).status_code == 401
            visitor = {"Authorization": f"Bearer {security['token']}"}
            assert (await http.post("/ops/soak", headers=visitor, json={})).status_code == 403
            answer = await http.post("/ops/soak", headers=ops, json={"visits": 3, "mode": "polite"})
            assert answer.status_code == 202

            async def over() -> dict[str, Any] | None:
                soak = (await http.get("/ops/state", headers=ops)).json()["soak"]
                return soak if soak["state"] != "running" else None

            soak = await eventually("the soak's end", over, 60)
            assert (soak["state"], soak["done"], soak["error"]) == ("finished", 3, None)
            assert all(soak["first_reply_ms"])
            assert security["token"] not in server.log_text()


async def test_rooms_are_listed(tmp_path: Path) -> None:
    """With who watches and what waits."""
    async with ServerProcess(tmp_path, {"agent": slow(words=60, tokens_per_second=10)}) as server:
        proxy = f"ws://{server.host}:{server.port}/proxy-ws?room=stage"
        async with OlvClient(proxy) as one, OlvClient(proxy) as two, OpsWatcher(server.url) as watcher:
            await one.open()
            await two.open()
            for page in (one, two):
                await page.send("text-input", text=f"Hello {page is one}", images=[])
            queues = await watcher.until(
                "queues", lambda data: data["queues"] and data["queues"][0]["waiting"]
            )
            (room,) = queues["queues"]
            assert (room["room"], room["viewers"], room["active"], room["waiting"]) == ("stage", 2, True, 1)
            sample = await watcher.until("sample")
            assert (sample["viewers"], sample["queue_waiting"]) == (2, 1)


async def test_a_watcher_who_does_not_read_is_dropped(tmp_path: Path) -> None:
    """Its connection is cut; the others go on, and the server remembers nothing of it."""
    settings = {"agent": FAST, "ops": {"subscriber_bytes": 1024, "subscriber_seconds": 1}}
    async with ServerProcess(tmp_path, settings) as server:
        fds = (await server.statistics())["fds"]
        async with OlvClient(server.ws_url) as page:
            await page.open()
            for _ in range(3):
                await page.ask("Fill the log, please.")
        deaf = []
        for _ in range(3):
            connection = socket.socket()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            connection.connect((server.host, server.port))
            connection.sendall(b"GET /ops/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            deaf.append(connection)
        async with OpsWatcher(server.url) as watcher:
            for _ in range(3):
                await watcher.until("sample")
        for connection in deaf:
            connection.close()

        async def as_before() -> bool:
            return (await server.statistics())["fds"] <= fds

        await eventually("no connection left", as_before)


async def test_only_so_many_may_watch(tmp_path: Path) -> None:
    """The next one is told so, and may come when one has left."""
    async with ServerProcess(tmp_path, {"agent": FAST, "ops": {"max_subscribers": 2}}) as server:
        async with OpsWatcher(server.url), OpsWatcher(server.url):
            refused = await server.get("/ops/events")
            assert refused.status == 503
            assert refused.headers["retry-after"] == "5"
            assert "ops.max_subscribers" in refused.json["error"]["fix"]

        async def room() -> bool:
            async with httpx.AsyncClient(trust_env=False) as client:
                async with client.stream("GET", f"{server.url}/ops/events") as answer:
                    return answer.status_code == 200

        await eventually("a place", room)


async def test_the_end_of_the_server_ends_the_streams(tmp_path: Path) -> None:
    """Open streams, read or not, and a soak under way: all end with SIGTERM, within the grace."""
    async with ServerProcess(tmp_path, {"agent": FAST}) as server:
        deaf = socket.create_connection((server.host, server.port))
        deaf.sendall(b"GET /ops/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        watchers = [OpsWatcher(server.url) for _ in range(5)]
        for watcher in watchers:
            await watcher.__aenter__()
        async with httpx.AsyncClient(base_url=server.url, trust_env=False) as http:
            assert (await http.post("/ops/soak", json={"visits": 50})).status_code == 202
        await watchers[0].until("soak", lambda soak: soak["done"] >= 1, 30)
        children = psutil.Process(server.pid).children(recursive=True)
        assert children
        server.signal(signal.SIGTERM)
        began = monotonic()
        for watcher in watchers:
            with pytest.raises(StopAsyncIteration):
                while True:
                    await watcher.next()
        assert await server.exited(6) == 0
        assert monotonic() - began < 5
        assert not [child for child in children if child.is_running() and child.status() != "zombie"]
        deaf.close()
        for watcher in watchers:
            await watcher.__aexit__(None, None, None)


async def test_the_ops_room_can_be_switched_off(tmp_path: Path) -> None:
    """Then there is nothing at its addresses, and no task of it."""
    async with ServerProcess(tmp_path, {"agent": FAST, "ops": {"enabled": False}}) as server:
        assert (await server.get("/ops/state")).headers["content-type"].startswith("text/html")
        assert not [task for task in await server.tasks() if "/ops" in task["owner"]]
