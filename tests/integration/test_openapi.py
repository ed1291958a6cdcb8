"""A real server does what its description says: schemathesis asks it everything, with right and wrong input.

The short form runs the cases that follow from the description, one after the other; the long one (`-m slow`) adds
hundreds of random ones for each operation. `schemathesis.toml` says what is left out, and why.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import sysconfig
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from tests.helpers.server_process import FAST, ROOT, ServerProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOKEN = "visitors-token-0123456789"
OPS_TOKEN = "operators-token-9876543210"
OPS = {"Authorization": f"Bearer {OPS_TOKEN}"}
LEFT_OUT = 2
"""The stream, and the description itself, which is read but not tested."""
BASE: dict[str, Any] = {"agent": FAST, "ops": {"soak_visits": 1}}


def with_files(folder: Path) -> Path:
    """A folder whose owner has pictures and a model."""
    for name in ("avatars/me.png", "backgrounds/mine.jpeg", "live2d-models/mao/mao.model3.json"):
        (folder / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "data" / name).write_bytes(b"0123456789" * 10)
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def local(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    """As `make serve` starts it: loopback, no token."""
    settings = {**BASE, "security": {"wrong_tokens_per_minute": 10_000}}
    async with ServerProcess(with_files(tmp_path_factory.mktemp("local")), settings) as running:
        yield running
        assert not running.complaints()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def guarded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    """Behind tokens."""
    security = {"token": TOKEN, "ops_token": OPS_TOKEN, "wrong_tokens_per_minute": 10_000}
    folder = with_files(tmp_path_factory.mktemp("guarded"))
    async with ServerProcess(folder, {**BASE, "security": security}) as running:
        yield running
        assert not running.complaints()
        assert TOKEN not in running.log_text()
        assert OPS_TOKEN not in running.log_text()


async def asked(server: ServerProcess, *options: str, headers: dict[str, str] | None = None) -> str:
    """What schemathesis says; fails with it if an answer is not as described."""
    command = [
        str(Path(sysconfig.get_path("scripts"), "schemathesis")),
        "--config-file", str(ROOT / "schemathesis.toml"), "run", f"{server.url}/openapi.json", "--no-color", *options,
    ]  # fmt: skip
    for name, value in (headers or {}).items():
        command += ["--header", f"{name}: {value}"]
    done = await asyncio.to_thread(
        subprocess.run,
        command, cwd=server.folder, capture_output=True, text=True, check=False, timeout=1800,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert (await server.get("/health/live")).status == 200
    return done.stdout


def passed(said: str) -> int:
    """How many operations were as described."""
    found = re.search(r"(\d+) passed", said)
    assert found is not None, said
    return int(found[1])


async def test_an_open_server_keeps_its_word(local: ServerProcess) -> None:
    """No status, type or header that is not described, no error of the server's, and no wrong input that is taken."""
    said = await asked(local, "--phases=coverage", "--generation-deterministic")
    paths = (await local.get("/openapi.json")).json["paths"]
    assert passed(said) >= sum(map(len, paths.values())) - LEFT_OUT


async def test_a_guarded_server_keeps_its_word(guarded: ServerProcess) -> None:
    """The same with the ops token; without it, and with a wrong one, nothing that asks for it is answered."""
    methods = ("--include-method=GET", "--include-method=POST", "--include-method=DELETE")
    said = await asked(guarded, "--phases=coverage", "--generation-deterministic", *methods, headers=OPS)
    paths = (await guarded.get("/openapi.json", **OPS)).json["paths"]
    assert passed(said) >= len([m for path in paths.values() for m in path if m != "head"]) - LEFT_OUT


@pytest.mark.slow
@pytest.mark.parametrize("guard", [False, True])
async def test_at_length(local: ServerProcess, guarded: ServerProcess, guard: bool) -> None:
    """Three hundred random requests of each sort to each operation."""
    await asked(guarded if guard else local, "--max-examples=300", headers=OPS if guard else None)


async def test_the_description_is_behind_the_door(guarded: ServerProcess) -> None:
    """Visitors may read it; it holds no secret, and may be kept until it changes."""
    assert (await guarded.get("/openapi.json")).status == 401
    answer = await guarded.get("/openapi.json", Authorization=f"Bearer {TOKEN}")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert TOKEN not in answer.body.decode()
    assert OPS_TOKEN not in answer.body.decode()
    assert str(guarded.folder) not in answer.body.decode()
    again = await guarded.get(
        "/openapi.json", Authorization=f"Bearer {TOKEN}", If_None_Match=answer.headers["etag"]
    )
    assert again.status == 304
    assert f"greenroom_{guarded.port}" in answer.body.decode()


async def test_browsers_are_led_as_described(guarded: ServerProcess) -> None:
    """A page that is opened without a token, with one in its address, or with the wrong one, at every address."""
    paths = (await guarded.get("/openapi.json", **OPS)).json["paths"]
    async with httpx.AsyncClient(headers={"Accept": "text/html"}, base_url=guarded.url) as web:
        for path, operations in paths.items():
            if "get" not in operations or path == "/ops/events":
                continue
            for query in ("", f"?token={TOKEN}", f"?token={OPS_TOKEN}", "?token=wrong-token-wrong"):
                web.cookies.clear()
                answer = await web.get(path.replace("{", "").replace("}", "") + query)
                told = operations["get"]["responses"][str(answer.status_code)]
                if answer.content:
                    kind = answer.headers["content-type"].partition(";")[0]
                    assert {kind, "*/*"} & set(told["content"]), (path, query, kind)
                for name, header in told.get("headers", {}).items():
                    assert name in answer.headers or not header.get("required", True), (path, query, name)


async def test_methods_that_an_address_does_not_know(local: ServerProcess) -> None:
    """405 with those it knows, everywhere."""
    paths = (await local.get("/openapi.json")).json["paths"]
    async with httpx.AsyncClient(base_url=local.url) as web:
        for path, operations in paths.items():
            answer = await web.request("PATCH", path.replace("{", "").replace("}", ""))
            assert answer.status_code == 405, path
            allowed = {method.upper() for method in operations}
            assert set(answer.headers["allow"].split(", ")) == allowed, path
            assert answer.json()["error"]["fix"].startswith("Use "), path


async def test_a_line_break_in_an_address(local: ServerProcess) -> None:
    """Is refused like everything that no file is called by: no route would know it."""
    for path in ("/avatars/a%0Ab.png", "/%0d%0aSet-Cookie:x", "/bg/%7f.png", "/ops/tasks/%1b%5B/stack"):
        answer = await local.get(path)
        assert (answer.status, answer.json["error"]["code"]) == (400, "path"), path


async def test_the_stream_is_what_it_says(local: ServerProcess) -> None:
    """Left out above, since it does not end."""
    told = (await local.get("/openapi.json")).json["paths"]["/ops/events"]["get"]["responses"]["200"]
    async with httpx.AsyncClient(base_url=local.url) as web, web.stream("GET", "/ops/events") as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].partition(";")[0] in told["content"]
        assert {name.lower() for name in told["headers"]} <= set(answer.headers.keys())


async def test_a_file_the_server_may_not_read(local: ServerProcess) -> None:
    """Is no reason to ask for a token: 404 or 403, as everything that is not served."""
    assert (await local.get("/live2d-models/mao")).status == 404
    assert (await local.get("/live2d-models/none.json")).json["error"]["problem"] == "Not Found."


async def test_who_hangs_up_in_the_middle_of_a_body(local: ServerProcess) -> None:
    """Is no error of the server's, wherever a body is read."""
    for path, kind in (("/ops/soak", "application/json"), ("/login", "application/x-www-form-urlencoded")):
        for length in ("content-length: 100", "transfer-encoding: chunked"):
            _, writer = await asyncio.open_connection(local.host, local.port)
            lines = (
                f"POST {path} HTTP/1.1",
                f"host: {local.host}:{local.port}",
                f"content-type: {kind}",
                length,
            )
            writer.write("\r\n".join([*lines, "", "5", "token"]).encode())
            await writer.drain()
            await asyncio.sleep(0.05)
            writer.transport.abort()
    assert (await local.get("/health/live")).status == 200
    assert not local.complaints()
