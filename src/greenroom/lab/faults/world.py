"""The fault server's process-wide state, and the defects that leave something in the process."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import IO, Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from greenroom.lab.faults.catalog import Pace
from greenroom.lab.faults.engines import Loader, Provider, Speech
from greenroom.lab.faults.page import Page
from greenroom.tasks import TaskScope

POLL_SECONDS = 0.1
TURN_BYTES = 20_000
HEAP_OBJECTS = 40_000
FILE_MESSAGES = 700
CHILD = [sys.executable, "-S", "-E", "-c", "import sys; sys.stdin.read()"]
"""Ends when its input does, so that it cannot outlive the server even if that is killed."""


class World:
    """One fault server. Use `async with`; `port` is known then."""

    def __init__(self, faults: frozenset[str], pace: Pace, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.faults = faults
        self.pace = pace
        self.host = host
        self.port = port
        self.provider = Provider(pace)
        self.speech = Speech(pace)
        self.loader = Loader(pace)
        self.scope = TaskScope("fault server", close_timeout=2.0)
        self.forgotten = TaskScope("forgotten", parent=self.scope)
        self.pages: dict[str, Page] = {}
        self._memory: list[str] = []
        self._connections = 0
        self._children: list[subprocess.Popen[bytes]] = []
        self._files: list[IO[bytes]] = []
        self._heap: list[list[Any]] = []
        self._stop = threading.Event()
        self._stopping = False
        self._folder = tempfile.TemporaryDirectory(prefix="greenroom-faults-", ignore_cleanup_errors=True)
        self._histories = 0
        self._server: Server | None = None

    async def __aenter__(self) -> World:
        self._server = await serve(
            self._handle,
            self.host,
            self.port,
            process_request=self._handshake,
            compression=None,
            max_size=2**24,
        )
        self.port = next(iter(self._server.sockets)).getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopping = True
        self._stop.set()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        await self.scope.close()
        for child in self._children:
            child.kill()
            child.wait()
            if child.stdin is not None:
                child.stdin.close()
        for file in self._files:
            file.close()
        self._folder.cleanup()

    @property
    def url(self) -> str:
        """Where the protocol is spoken."""
        return f"ws://{self.host}:{self.port}/client-ws"

    async def _handshake(self, connection: ServerConnection, request: Request) -> Response | None:
        if request.path.partition("?")[0] != "/client-ws":
            return connection.respond(404, "The client protocol is at /client-ws.\n")
        self._connections += 1
        if "slow-connect" in self.faults:
            await asyncio.sleep(self.pace.per_connection * self._connections)
        return None

    async def _handle(self, connection: ServerConnection) -> None:
        await Page(self, connection).serve()

    # -- what a page leaves ---------------------------------------------------------------------------------

    def opened(self, page: Page) -> None:
        """Register a page, and start what the defects start for each."""
        faults = self.faults
        self.pages[page.uid] = page
        if "leaked-child" in faults:
            self._children.append(
                subprocess.Popen(
                    CHILD, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )
            )
        if "leaked-fd" in faults:
            self._files.append(Path(__file__).open("rb"))  # noqa: SIM115
        if "leaked-thread" in faults:
            threading.Thread(target=self._stop.wait, daemon=True, name=f"page {page.uid[:8]}").start()
        if "polling" in faults:
            self.forgotten.start(self._poll)
        if "garbage" in faults:
            self._heap.append([[number] for number in range(HEAP_OBJECTS)])

    def closed(self, page: Page) -> None:
        """Forget a page, unless that is the defect."""
        if "close-never-runs" not in self.faults:
            self.pages.pop(page.uid, None)
        if "idle-spin" in self.faults and not self._stopping:
            self.forgotten.start(self._spin, key="spin", policy="drop")

    async def _poll(self) -> None:
        while not self._stopping:  # noqa: ASYNC110 - the defect itself
            await asyncio.sleep(POLL_SECONDS)

    async def _spin(self) -> None:
        while not self._stopping:  # noqa: ASYNC110 - the defect itself
            await asyncio.sleep(0)

    # -- memory and histories --------------------------------------------------------------------------------

    def remember(self, page: Page, text: str) -> None:
        """Note what was said: in one memory for all pages, or in the page's own."""
        memory = self._memory if "shared-memory" in self.faults else page.turns
        memory.append(text.ljust(TURN_BYTES))

    def remembered(self, page: Page) -> int:
        """How many earlier turns are in the prompt."""
        return len(self._memory) if "shared-memory" in self.faults else max(0, len(page.turns) - 1)

    def store(self, page: Page, text: str) -> None:
        """Write the history of a page that has spoken."""
        self._histories += 1
        if "files-at-open" in self.faults:
            message = {
                "role": "human",
                "timestamp": "2026-01-01T00:00:00",
                "content": text,
                "words": ["a"] * 30,
            }
            target = Path(self._folder.name, f"{page.history}.json")
            target.write_text(json.dumps([message] * FILE_MESSAGES), encoding="utf-8")

    def read_histories(self) -> list[dict[str, Any]]:
        """Read and parse every file, here and now."""
        found: list[dict[str, Any]] = []
        for path in Path(self._folder.name).iterdir():
            messages = json.loads(path.read_text(encoding="utf-8"))
            latest = {key: messages[-1][key] for key in ("role", "timestamp", "content")}
            found.append({"uid": path.stem, "latest_message": latest, "timestamp": latest["timestamp"]})
        return found
