"""Tests of the process's own figures."""

from __future__ import annotations

import os
import threading
import time

import psutil
import pytest

from greenroom.server.ops.process import Process


@pytest.fixture(params=["proc", "psutil"])
def process(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Process:
    """As on Linux, and as elsewhere."""
    if request.param == "psutil":
        real = os.open

        def no_proc(path: str, *args: int) -> int:
            if str(path).startswith("/proc"):
                raise FileNotFoundError(path)
            return real(path, *args)

        monkeypatch.setattr(os, "open", no_proc)
    return Process()


def test_it_sees_what_psutil_sees(process: Process) -> None:
    """Memory, threads and open files."""
    stop = threading.Event()
    threads = [threading.Thread(target=stop.wait) for _ in range(3)]
    before = process.look().threads
    for thread in threads:
        thread.start()
    try:
        usage = process.look()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    own = psutil.Process()
    assert usage.rss_mb == pytest.approx(own.memory_info().rss / 2**20, rel=0.1)
    assert usage.threads == before + 3
    assert usage.fds == pytest.approx(own.num_fds(), abs=2)
    process.close()


def test_cpu_is_that_since_the_last_look(process: Process) -> None:
    """A busy while takes most of a core, a quiet one next to nothing."""
    process.look()
    until = time.process_time() + 0.05
    while time.process_time() < until:
        pass
    busy = process.look().cpu_pct
    time.sleep(0.02)
    quiet = process.look().cpu_pct
    process.close()
    assert busy > 10
    assert quiet < busy / 2
