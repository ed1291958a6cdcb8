"""A real server in a process of its own, as a user starts it: `python -m greenroom serve`.

    async with ServerProcess(tmp_path, {"agent": FAST}) as server:
        async with OlvClient(server.ws_url) as page: ...

With `observed=True` the same command runs under `tests/helpers/observed.py`, which can be asked what is alive in
the process: tasks of the event loop, objects by type, lengths of containers. That is a second opinion: it reads
the interpreter, not the server's own counts.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Self

ROOT = Path(__file__).resolve().parent.parent.parent
START_SECONDS = 40.0
IDLE_TASKS = 2
"""Of a server that does nothing: the HTTP server, and the sampler of the ops room."""

FAST: dict[str, Any] = {
    "kind": "builtin",
    "builtin": {"first_token_seconds": 0, "tokens_per_second": 0, "words": 30},
}
"""An agent whose replies take no time, so that what is measured is the server."""


def slow(**builtin: Any) -> dict[str, Any]:
    """A built-in agent with a pace: fields of `agent.builtin`."""
    return {"kind": "builtin", "builtin": {"first_token_seconds": 0.0, "tokens_per_second": 50, **builtin}}


@dataclass(frozen=True)
class HttpAnswer:
    """One HTTP answer; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def http_get(host: str, port: int, target: str, *, method: str = "GET", **headers: str) -> HttpAnswer:
    """One request exactly as written: no client library tidies the path up on its way."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        lines = [f"{method} {target} HTTP/1.1", f"host: {host}:{port}", "connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        async with asyncio.timeout(10):
            raw = await reader.read()
    finally:
        writer.close()
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(": ") for line in rest)
    return HttpAnswer(int(first.split()[1]), {name.lower(): value for name, _, value in pairs}, body)


async def eventually(what: str, check: Callable[[], Awaitable[Any]], seconds: float = 5.0) -> Any:
    """Ask again and again until `check` gives something true; it is the result. Fails with its last answer."""
    deadline = monotonic() + seconds
    while not (found := await check()):
        assert monotonic() < deadline, f"not within {seconds:g} s: {what} (last: {found!r})"
        await asyncio.sleep(0.005)
    return found


class ServerProcess:
    """Starts on entering, is stopped politely on leaving (killed if that fails, which is an error).

    Args:
        folder: gets the data folder, the settings file and the log.
        settings: the settings file's content.
        characters: more characters, by file name; what a file must have is filled in.
        args: more arguments of `serve`.
        observed: see above.
        program: a file of `tests/helpers` that runs instead of `python -m greenroom`.
        prefix: a program that runs the command in its place, such as `("prlimit", "--nofile=64")`.
    """

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, Any] | None = None,
        *,
        characters: Mapping[str, Mapping[str, Any]] | None = None,
        args: tuple[str, ...] = (),
        environ: Mapping[str, str] | None = None,
        observed: bool = False,
        program: str = "",
        prefix: tuple[str, ...] = (),
    ) -> None:
        self.folder = folder
        self.data_dir = folder / "data"
        self.log_file = folder / "server.log"
        self.url = ""
        self.ready_seconds = 0.0
        """From starting the process to its first word that it serves."""
        self._settings = dict(settings or {})
        self._characters = dict(characters or {})
        self._args = args
        self.environ = {**os.environ, "PYTHONPATH": str(ROOT / "src"), **(environ or {})}
        self._program = "observed.py" if observed else program
        self._prefix = prefix
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    # -- starting and stopping -----------------------------------------------------------------------------

    def command(self) -> list[str]:
        """The command line; writes the files it names."""
        config = self.folder / "greenroom.yaml"
        config.write_text(json.dumps(self._settings), encoding="utf-8")  # JSON is YAML
        folder = self.data_dir / "characters"
        for name, fields in self._characters.items():
            folder.mkdir(parents=True, exist_ok=True)
            stem = name.rpartition(".")[0]
            whole = {"conf_name": stem, "conf_uid": stem, "language": "en", "persona_prompt": "You are nice."}
            (folder / name).write_text(json.dumps({**whole, **fields}), encoding="utf-8")
        helper = str(ROOT / "tests" / "helpers" / self._program)
        program = [helper] if self._program else ["-m", "greenroom"]
        places = ["--port", "0", "--data-dir", str(self.data_dir), "--config", str(config)]
        return [*self._prefix, sys.executable, *program, "serve", *places, "--log-json", *self._args]

    def start(self) -> None:
        """Start the process without waiting for it."""
        command = self.command()
        self._log_start = self.log_file.stat().st_size if self.log_file.exists() else 0
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, env=self.environ, cwd=self.folder
            )

    async def ready(self) -> None:
        """Wait until it serves; `url` is set then."""
        began = monotonic()
        deadline = began + START_SECONDS
        while not self.url:
            for line in self.log():
                if line.get("event") == "server started":
                    self.url = line["url"]
            assert self.process.poll() is None, (
                f"the server left with {self.process.poll()}:\n{self.log_text()}"
            )
            assert monotonic() < deadline, f"no server within {START_SECONDS:g} s:\n{self.log_text()}"
            if not self.url:
                await asyncio.sleep(0.01)
        self.ready_seconds = monotonic() - began

    async def __aenter__(self) -> Self:
        self.url = ""
        self.start()
        try:
            await self.ready()
        except BaseException:
            self.kill()
            raise
        return self

    async def __aexit__(self, kind: object, *_: object) -> None:
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
            try:
                code = await self.exited(12)
            except AssertionError:
                self.kill()
                if kind is None:
                    raise
            else:
                assert kind is not None or code == 0, f"exit code {code}:\n{self.log_text()}"

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "not started"
        return self._process

    @property
    def pid(self) -> int:
        return self.process.pid

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        """`kill -9`, and wait for the end."""
        self.process.kill()
        self.process.wait()

    async def exited(self, seconds: float) -> int:
        """The exit code, within so many seconds."""

        async def done() -> tuple[int] | None:
            code = self.process.poll()
            return None if code is None else (code,)

        return (await eventually("the server's exit", done, seconds))[0]

    # -- asking ---------------------------------------------------------------------------------------------

    @property
    def host(self) -> str:
        return self.url.partition("://")[2].partition(":")[0]

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def ws_url(self) -> str:
        return f"ws://{self.host}:{self.port}/client-ws"

    async def get(self, target: str, **headers: str) -> HttpAnswer:
        return await http_get(self.host, self.port, target, **headers)

    async def statistics(self) -> dict[str, Any]:
        """The server's own counts."""
        return (await self.get("/ops/statistics.json")).json

    async def tasks(self) -> list[dict[str, Any]]:
        """The server's own list of tasks."""
        return (await self.get("/ops/tasks.json")).json["tasks"]

    async def observe(self) -> dict[str, Any]:
        """What the interpreter holds (see `observed.py`)."""
        target = self.folder / "observed.json"
        target.unlink(missing_ok=True)
        self.signal(signal.SIGUSR1)

        async def written() -> bool:
            return target.exists()

        await eventually("an answer of the observer", written)
        return json.loads(target.read_text(encoding="utf-8"))

    async def quiet(self, clients: int = 0, seconds: float = 8.0) -> dict[str, Any]:
        """Wait until only so many clients are left, and nothing is generated or spoken; gives the statistics."""

        async def settled() -> dict[str, Any] | None:
            found = await self.statistics()
            busy = sum(g["generating"] + g["waiting"] for g in found["generations"])
            busy += sum(v["speaking"] + v["waiting"] for v in found["voices"]) + found["engines"]["starting"]
            return (
                found
                if found["clients"] == clients and not busy and not found["histories"]["waiting"]
                else None
            )

        return await eventually(f"{clients} clients and no work", settled, seconds)

    def log(self) -> list[dict[str, Any]]:
        """The log of this start, line by line; lines that are no JSON come as `{"raw": …}`."""
        found: list[dict[str, Any]] = []
        for line in self.log_text().splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                found.append({"raw": line})
        return found

    def log_text(self) -> str:
        if not self.log_file.exists():
            return ""
        return self.log_file.read_bytes()[self._log_start :].decode("utf-8", "replace")

    def complaints(self) -> list[dict[str, Any]]:
        """Log lines of level error or worse, and whatever Python itself printed."""
        return [line for line in self.log() if line.get("level", "error") in ("error", "critical")]
