"""What is measured: an address from the command line, or a Greenroom that the lab starts itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx

from greenroom.lab.visitors import Access
from greenroom.protocol.address import parse_address

LOOPBACK = {"127.0.0.1", "::1", "localhost"}
START_SECONDS = 30.0
OWN_SETTINGS: dict[str, Any] = {
    "agent": {
        "kind": "builtin",
        "builtin": {"first_token_seconds": 0.1, "tokens_per_second": 250, "words": 40, "slots": 4},
    },
    "voice": {"tts": {"engine": "tone", "seconds_per_sentence": 0.04, "slots": 1}},
}
"""A quick pace, so that many visits fit into a short time, with few provider slots and one serial voice,
so that whatever a closed page held on to would be missed by the next one.
"""


def websocket_url(text: str, path: str = "/client-ws") -> str:
    """The WebSocket address for what somebody typed: `12393`, `host:port`, `http://…`, `ws://…/path`."""
    parts, secure = parse_address(text, f"ws://127.0.0.1:12393{path}")
    found = parts.path if parts.path not in ("", "/") else path
    return urlunsplit(("wss" if secure else "ws", parts.netloc, found, parts.query, ""))


def port_of(url: str) -> int | None:
    """The port, if the server runs on this machine."""
    parts = urlsplit(url)
    if parts.hostname not in LOOPBACK:
        return None
    return parts.port or (443 if parts.scheme == "wss" else 80)


async def task_counter(url: str, access: Access) -> TaskCounter | None:
    """Something that asks the server how many tasks it has; None if this one does not tell. Close it."""
    parts = urlsplit(url)
    address = urlunsplit(
        ("https" if parts.scheme == "wss" else "http", parts.netloc, "/ops/statistics.json", "", "")
    )
    counter = TaskCounter(address, access)
    if await counter() is None:
        await counter.aclose()
        return None
    return counter


class TaskCounter:
    """Call it for the number of tasks; None if the server does not say."""

    def __init__(self, address: str, access: Access) -> None:
        self._address = address
        self._client = httpx.AsyncClient(
            timeout=5.0, trust_env=False, headers=dict(access.headers), verify=not access.insecure
        )

    async def __call__(self) -> int | None:
        try:
            answer = await self._client.get(self._address)
            return int(answer.json()["tasks"]["running"])
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return None

    async def aclose(self) -> None:
        await self._client.aclose()


class CannotStart(Exception):
    """Greenroom did not come up; the text holds the end of its log."""


class OwnServer:
    """`greenroom serve` in a process and a session of its own, with a data folder that is thrown away."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="greenroom-soak-", ignore_cleanup_errors=True)
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""
        self.pid = 0

    def __enter__(self) -> OwnServer:
        folder = Path(self._folder.name)
        config, log = folder / "greenroom.yaml", folder / "server.log"
        config.write_text(json.dumps(OWN_SETTINGS), encoding="utf-8")
        command = [
            sys.executable, "-m", "greenroom", "serve", "--port", "0", "--log-json",
            "--data-dir", str(folder / "data"), "--config", str(config),
        ]  # fmt: skip
        environ = {name: value for name, value in os.environ.items() if not name.startswith("GREENROOM_")}
        with log.open("ab") as target:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=target,
                stderr=target,
                env=environ,
                start_new_session=True,
            )
        self._process = process
        deadline = monotonic() + START_SECONDS
        while not self.url and process.poll() is None and monotonic() < deadline:
            sleep(0.02)
            self.url = _address_in(log)
        if not self.url:
            self.__exit__()
            raise CannotStart(
                f"greenroom serve did not start:\n{log.read_text(encoding='utf-8', errors='replace')[-2000:]}"
            )
        self.url = websocket_url(self.url)
        self.pid = process.pid
        return self

    def __exit__(self, *_: object) -> None:
        process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._folder.cleanup()


def _address_in(log: Path) -> str:
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and entry.get("event") == "server started":
            return str(entry["url"])
    return ""
