"""Other servers: visits by script, to small ones made here and to a real one from the package index."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from tests.helpers.server_process import eventually
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from greenroom.lab.process import ProcessTree, find_by_port
from greenroom.lab.record import Visit
from greenroom.lab.script import Http, read_script
from greenroom.lab.scripted import ScriptVisitor
from greenroom.lab.soak import Options, Soak
from greenroom.lab.verdict import judge
from greenroom.lab.visitors import Unreachable

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "lab"
TOKEN_CHAT = read_script(EXAMPLES / "token-chat.yaml")


class Chat:
    """The server that examples/lab/token-chat.yaml speaks to."""

    def __init__(self) -> None:
        self.open = 0
        self.asked: list[str] = []
        self.requests: list[str] = []
        self.url = ""

    async def handle(self, connection: ServerConnection) -> None:
        self.open += 1
        try:
            await connection.send(json.dumps({"type": "welcome", "session": "s1"}))
            async for frame in connection:
                message = json.loads(frame)
                if message["type"] == "ping":
                    await connection.send('{"type": "pong"}')
                elif message["session"] == "s1":
                    self.asked.append(message["id"])
                    await connection.send("not json")
                    for _ in range(3):
                        await asyncio.sleep(0.002)
                        await connection.send('{"type": "token"}')
                    await connection.send('{"type": "done"}')
        except ConnectionClosed:
            pass  # A visitor that left.
        finally:
            self.open -= 1

    async def request(self, connection: ServerConnection, request: Request) -> Response | None:
        if request.path == "/ws":
            return None
        self.requests.append(request.path)
        if request.path == "/broken":
            return connection.respond(500, "broken")
        response = connection.respond(200, '{"id": [{"name": "k7"}]}')
        response.headers["Connection"] = "close"
        return response


@pytest.fixture
async def chat() -> AsyncIterator[Chat]:
    """A running chat server."""
    found = Chat()
    async with serve(found.handle, "127.0.0.1", 0, process_request=found.request) as server:
        found.url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/ws"
        yield found


async def test_visits_by_script_are_measured(chat: Chat):
    """Each manner is carried out, both replies are measured, every id is new."""
    visitor = ScriptVisitor(TOKEN_CHAT, chat.url, 5.0)
    visits = [
        Visit(n, m) for n, m in enumerate(["silent", "polite", "early", "late", "patient", "half-open"], 1)
    ]
    for visit in visits:
        await visitor.pay(visit)
    await visitor.finish()
    assert [visit.error for visit in visits] == [None] * 6
    polite = visits[1]
    assert 0 < polite.first_reply <= polite.whole_reply
    assert visits[4].first_reply is not None
    assert visits[0].first_reply is None
    assert len(set(chat.asked)) == len(chat.asked) >= 3

    async def gone() -> bool:
        return chat.open == 0

    await eventually("all pages gone", gone)


async def test_a_soak_by_script_is_flat(chat: Chat):
    """The whole soak works over a script: heartbeats, milestones, verdict."""
    run = await Soak(chat.url, ScriptVisitor(TOKEN_CHAT, chat.url, 5.0), Options("mixed", 40)).go()
    verdict = judge(run)
    assert (verdict.outcome, verdict.causes) == ("flat", [])
    assert any(visit.bystander for visit in run.visits)


async def test_requests_before_and_after_a_visit(chat: Chat):
    """HTTP requests surround each visit, and what they answer is used in the next one, also after an abrupt close."""
    script = msgspec.structs.replace(
        TOKEN_CHAT,
        before=[Http("/start", save={"kernel": "id.0.name"})],
        after=[Http("/stop/${kernel}", method="GET")],
    )
    visitor = ScriptVisitor(script, chat.url, 5.0)
    for manner in ("polite", "early"):
        visit = Visit(1, manner)
        await visitor.pay(visit)
        assert visit.error is None
    await visitor.aclose()
    assert chat.requests == ["/start", "/stop/k7"] * 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"before": [Http("/broken")]}, "answered 500"),
        ({"before": [Http("/start", save={"x": "nothing.here"})]}, "nothing.here"),
        ({"url": "", "headers": {"X": "${missing}"}}, "missing"),
    ],
)
async def test_what_goes_wrong_is_told(chat: Chat, change: dict[str, object], words: str):
    """A failing request, a field that is not there, an unknown variable: each is the visit's error."""
    visitor = ScriptVisitor(msgspec.structs.replace(TOKEN_CHAT, **change), chat.url, 5.0)
    visit = Visit(1, "polite")
    await visitor.pay(visit)
    await visitor.aclose()
    assert words in (visit.error or "")


async def test_an_answer_that_never_comes_is_a_time_out(chat: Chat):
    """The visit gives up after its patience."""
    step = replace_expectation(TOKEN_CHAT, {"type": "never"})
    visit = Visit(1, "polite")
    await ScriptVisitor(step, chat.url, 0.05).pay(visit)
    assert visit.timed_out


def replace_expectation(script, expect):
    """The script with another expectation in its last step."""
    *rest, last = script.ask
    return msgspec.structs.replace(script, ask=[*rest, msgspec.structs.replace(last, expect=expect)])


@pytest.mark.skipif(importlib.util.find_spec("pylsp") is None, reason="python-lsp-server is not installed")
async def test_a_language_server_is_soaked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """python-lsp-server, as it comes from the package index, under examples/lab/python-lsp.yaml."""
    monkeypatch.setattr("greenroom.lab.soak.FINAL_REST_SECONDS", 0.1)
    script = read_script(EXAMPLES / "python-lsp.yaml")
    port = free_port()
    log = (tmp_path / "pylsp.log").open("wb")
    process = subprocess.Popen(  # noqa: ASYNC220 - a moment
        [sys.executable, "-m", "pylsp", "--ws", "--host", "127.0.0.1", "--port", str(port)],
        stdout=log,
        stderr=log,
    )
    try:

        async def listening() -> bool:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                return False
            writer.close()
            return True

        await eventually("the language server", listening, 20)
        assert find_by_port(port) == process.pid
        url = f"ws://127.0.0.1:{port}/"
        visitor = ScriptVisitor(script, url, 20.0)
        run = await Soak(url, visitor, Options("polite", 4), tree=ProcessTree(process.pid)).go()
    finally:
        process.kill()
        process.wait()
        log.close()
    assert [visit.error for visit in run.visits] == [None] * 4
    assert all(visit.first_reply and visit.opened for visit in run.visits)
    assert run.samples[-1].memory


@pytest.mark.skipif(importlib.util.find_spec("livereload") is None, reason="livereload is not installed")
async def test_a_development_server_is_soaked_in_every_manner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """livereload, as it comes from the package index, under examples/lab/livereload.yaml: mixed, and flat."""
    monkeypatch.setattr("greenroom.lab.soak.FINAL_REST_SECONDS", 0.1)
    monkeypatch.setattr("greenroom.lab.soak.REST_SECONDS", 0.1)
    script = read_script(EXAMPLES / "livereload.yaml")
    port = free_port()
    log = (tmp_path / "livereload.log").open("wb")
    process = subprocess.Popen(  # noqa: ASYNC220 - a moment
        [
            sys.executable, "-c", "from livereload.cli import main; main()",
            "--host", "127.0.0.1", "--port", str(port), str(tmp_path),
        ],
        stdout=log,
        stderr=log,
    )  # fmt: skip
    url = f"ws://127.0.0.1:{port}/livereload"
    try:

        async def listening() -> bool:
            try:
                await ScriptVisitor(script, url, 5.0).bystander()
            except Unreachable:
                return False
            return True

        await eventually("the development server", listening, 20)
        visitor = ScriptVisitor(script, url, 10.0)
        run = await Soak(url, visitor, Options("mixed", 40), tree=ProcessTree(process.pid)).go()
    finally:
        process.kill()
        process.wait()
        log.close()
    assert [visit.error for visit in run.visits] == [None] * 40
    assert {visit.manner for visit in run.visits} == {"polite", "silent", "early", "late"}
    assert judge(run).causes == []


async def test_a_request_that_is_refused_is_told_with_what_to_do(chat: Chat):
    """The bystander cannot come in: the status is named, and nobody there is told as that."""
    refused = msgspec.structs.replace(TOKEN_CHAT, before=[Http("/broken")])
    with pytest.raises(Unreachable, match="answered 500"):
        await ScriptVisitor(refused, chat.url, 5.0).bystander()
    nobody = f"ws://127.0.0.1:{free_port()}/ws"
    with pytest.raises(Unreachable, match="start the server first"):
        await ScriptVisitor(
            msgspec.structs.replace(TOKEN_CHAT, before=[Http("/start")]), nobody, 5.0
        ).bystander()


def free_port() -> int:
    """A port that is free just now."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]
