"""`greenroom top` as a user runs it, against real servers: once, as JSON, live in a terminal, and when it fails."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import select
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic

import msgspec
import pytest
from tests.helpers.olv_client import OlvClient
from tests.helpers.server_process import FAST, ROOT, ServerProcess, slow

from greenroom.server.ops.messages import OpsState

TOKEN = "visitors-may-come-in-with-this"
OPS_TOKEN = "only-for-those-who-watch-it-all"
ENVIRON = {
    **os.environ,
    "PYTHONPATH": str(ROOT / "src"),
    "COLUMNS": "120",
    "LINES": "40",
    "TERM": "xterm-256color",
}
ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07|[()].)")


async def top(*args: str, **environ: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error."""

    def run() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "greenroom", "top", *args]
        return subprocess.run(
            command, env={**ENVIRON, **environ}, capture_output=True, text=True, timeout=30, check=False
        )

    found = await asyncio.to_thread(run)
    return found.returncode, found.stdout, found.stderr


async def test_one_view_and_the_state(tmp_path: Path) -> None:
    """For a terminal without cursor, and for programs."""
    async with ServerProcess(tmp_path, {"agent": FAST}) as server:
        async with OlvClient(server.ws_url) as page:
            await page.open()
            await page.ask("Hello?")
            code, out, err = await top(server.url, "--once")
            assert (code, err) == (0, "")
            assert "first reply over 1 visits" in out
            assert f"pid {server.pid}" in out
            assert "▸ clients" in out
            code, out, _ = await top(str(server.port), "--json")
            assert code == 0
            state = msgspec.json.decode(out, type=OpsState, strict=False)
            assert (state.pid, state.visits.n) == (server.pid, [1])


async def test_failures_in_words(tmp_path: Path) -> None:
    """Nobody there, no token, the wrong one, something else's server: exit code 2 and one line that helps."""
    settings = {"agent": FAST, "security": {"token": TOKEN, "ops_token": OPS_TOKEN, "trust_loopback": False}}
    async with ServerProcess(tmp_path, settings) as server:
        cases = [
            ((server.url, "--once"), "answers 401"),
            ((server.url, "--once", "--token", "wrong-but-long-enough-to-be-one"), "answers 401"),
            ((server.url, "--once", "--token", TOKEN), "answers 403"),
            (("127.0.0.1:9", "--once"), "nobody answers at http://127.0.0.1:9"),
            (("ftp://x", "--once"), "is no address of a server"),
        ]
        for args, text in cases:
            code, out, err = await top(*args)
            assert (code, out) == (2, ""), args
            assert err.startswith("greenroom top: "), err
            assert text in err
            assert len(err.splitlines()) == 1
            assert "Traceback" not in err
        code, out, err = await top(server.url, "--once", GREENROOM_TOKEN=OPS_TOKEN)
        assert (code, err) == (0, "")
        assert f"pid {server.pid}" in out


async def test_a_server_that_is_none(tmp_path: Path) -> None:
    """Something else answers at that address."""
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1",
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert other.stdout is not None
    try:
        found = re.search(rb"port (\d+)", await other.stdout.readline())
        assert found is not None
        code, _, err = await top(found[1].decode(), "--once")
        assert code == 2
        assert "is no Greenroom, or one without an ops room" in err
    finally:
        other.kill()
        await other.wait()


class Terminal:
    """`greenroom top` with a terminal of its own."""

    def __init__(self, *args: str) -> None:
        self._ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "greenroom", "top", *args]
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE, env=ENVIRON, start_new_session=True
        )
        os.close(theirs)
        self.shown = ""

    def type(self, keys: str) -> None:
        self.shown = ""
        os.write(self._ours, keys.encode())

    async def until(self, text: str, seconds: float = 15.0) -> None:
        """Wait until something like this is on the screen (a regular expression)."""

        def read() -> bytes:
            ready, _, _ = select.select([self._ours], [], [], 0.2)
            return os.read(self._ours, 65536) if ready else b""

        deadline = monotonic() + seconds
        while re.search(text, ESCAPES.sub("", self.shown)) is None:
            assert monotonic() < deadline, f"not shown: {text}\n{ESCAPES.sub('', self.shown)[-3000:]}"
            self.shown += (await asyncio.to_thread(read)).decode("utf-8", "replace")

    async def ended(self) -> int:
        code = await asyncio.to_thread(self.process.wait, 10)
        os.close(self._ours)
        return code

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo terminal")
async def test_live_in_a_terminal(tmp_path: Path) -> None:
    """It follows what happens, opens owners, shows a stack, says when the connection is lost, and leaves with q."""
    async with ServerProcess(tmp_path, {"agent": slow(words=200, tokens_per_second=20)}) as server:
        terminal = Terminal(server.url)
        try:
            await terminal.until("▸ clients")
            async with OlvClient(server.ws_url) as page:
                await page.open()
                await page.send("text-input", text="Tell me a long story.", images=[])
                await page.until("full-text")
                terminal.type("o")
                await terminal.until("order: tasks")
                await terminal.until(r"▸ clients +[2-9] ")
                own = [task for task in await server.tasks() if task["owner"] == "server"]
                # Below the server's own tasks comes the branch with most of them.
                terminal.type("j" * (len(own) + 1) + "\r")
                await terminal.until("▾ clients")
                terminal.type("j\r")
                await terminal.until("· writer")
                terminal.type("s")
                await terminal.until("select a task first")
                terminal.type("j")
                await terminal.until("q quit")
                terminal.type("s")
                await terminal.until("stands at")
                terminal.type("S")
                await terminal.until("press S again to start a soak of 50 visits")
            server.signal(signal.SIGSTOP)
            server.kill()
            await terminal.until("trying again in")
            terminal.type("q")
            assert await terminal.ended() == 0
        except BaseException:
            terminal.kill()
            raise
