"""Several processes: one that is killed in the middle, and several that open the same file at once.

The processes are forked from a helper that has imported everything already: a round takes milliseconds.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from greenroom.history import HistoryStore

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

HELPER = r"""
import asyncio, os, sys
from pathlib import Path
import greenroom.history.database, greenroom.history.sqlite, alembic.command
from greenroom.history import HistoryStore

async def stream(path):
    # Five conversations talk at once for ever; each number is printed when it is safe.
    store = await HistoryStore.open(path)
    async def talk(uid):
        number = 0
        while True:
            await store.append("mao", uid, "human", str(number))
            os.write(1, f"{uid} {number}\n".encode())
            number += 1
    await asyncio.gather(*(talk(f"h{n}") for n in range(5)))

async def open_and_append(path):
    store = await HistoryStore.open(path)
    await store.append("mao", f"h{os.getpid()}", "human", "x")
    await store.aclose()

for line in sys.stdin:
    what, count, path = line.rstrip("\n").split(" ", 2)
    pids = []
    for _ in range(int(count)):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                asyncio.run((stream if what == "stream" else open_and_append)(Path(path)))
                code = 0
            except BaseException as error:
                os.write(1, f"failed {error!r}\n".encode())
            finally:
                os._exit(code)
        pids.append(pid)
    os.write(1, f"pids {' '.join(map(str, pids))}\n".encode())
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    os.write(1, f"ended {' '.join(map(str, codes))}\n".encode())
"""


class Helper:
    """The process that forks the others."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", HELPER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def start(self, what: str, count: int, path: Path) -> None:
        """Fork so many processes that do this with the file."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{what} {count} {path}\n")
        self._process.stdin.flush()

    def line(self) -> list[str]:
        """Return the next line any of them prints, in words."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().split()

    def close(self) -> None:
        """End the helper."""
        self._process.communicate(timeout=10)


@pytest.fixture
def helper() -> Iterator[Helper]:
    """Start the helper."""
    helper = Helper()
    yield helper
    helper.close()


async def test_every_acknowledged_message_survives_a_kill(helper: Helper, tmp_path: Path) -> None:
    """Kill -9 in a stream of appends: each acknowledged one is there, in order, without a gap."""
    for lines in (1, 7, 60, 200, 333, 500):
        path = tmp_path / f"{lines}.db"
        helper.start("stream", 1, path)
        acknowledged: dict[str, int] = {}
        pid = 0
        seen = 0
        while True:
            first, *rest = helper.line()
            if first == "pids":
                pid = int(rest[0])
            elif first == "ended":
                assert rest == [str(-signal.SIGKILL)]
                break
            else:
                assert first != "failed", rest
                acknowledged[first] = int(rest[0])
                seen += 1
            if pid and seen >= lines:
                os.kill(pid, signal.SIGKILL)
                pid, seen = 0, -1_000_000  # read on what had been acknowledged before it died
        store = await HistoryStore.open(path)
        assert acknowledged
        for uid, last in acknowledged.items():
            stored = [one.content for one in await store.messages("mao", uid, limit=100_000)]
            assert stored == [str(number) for number in range(len(stored))]
            assert len(stored) in (last + 1, last + 2)  # one more may have been stored and not yet told
        await store.aclose()


async def test_processes_that_open_a_new_file_at_once_are_safe(helper: Helper, tmp_path: Path) -> None:
    """Three processes open, migrate and write one new file at the same moment; none fails."""
    for number in range(8):
        path = tmp_path / f"{number}.db"
        helper.start("open", 3, path)
        codes: list[str] = []
        while not codes:
            first, *rest = helper.line()
            assert first != "failed", rest
            if first == "ended":
                codes = rest
        assert codes == ["0", "0", "0"]
        store = await HistoryStore.open(path)
        assert await store.count("mao") == 3
        await store.aclose()
