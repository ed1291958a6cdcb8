"""This process's own figures, read in microseconds.

`psutil` is thorough and takes some 100 µs a figure; once a second that is most of what an idle server does. On
Linux one read of a file that stays open gives memory and threads.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from dataclasses import dataclass

import psutil

MB = 1024 * 1024
FDS_EVERY = 10
"""Open files are counted every so many samples: with a thousand pages that takes a third of a millisecond."""


@dataclass(frozen=True, slots=True)
class Usage:
    """`cpu_pct` of one core since the last look; children not included."""

    rss_mb: float
    cpu_pct: float
    threads: int
    fds: int


class Process:
    """Call `look` once a second."""

    def __init__(self) -> None:
        self._stat: int | None = None
        with contextlib.suppress(OSError):  # No such file but on Linux: psutil knows there.
            self._stat = os.open("/proc/self/stat", os.O_RDONLY | os.O_CLOEXEC)
        self._page = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
        self._cpu = time.process_time()
        self._at = time.monotonic()
        self._looks = 0
        self._fds = 0

    def look(self) -> Usage:
        cpu, at = time.process_time(), time.monotonic()
        share = (cpu - self._cpu) / max(at - self._at, 1e-3)
        self._cpu, self._at = cpu, at
        if self._looks % FDS_EVERY == 0:
            self._fds = _open_files()
        self._looks += 1
        rss, threads = self._memory_and_threads()
        return Usage(round(rss / MB, 2), round(share * 100, 2), threads, self._fds)

    def _memory_and_threads(self) -> tuple[int, int]:
        if self._stat is None:
            return psutil.Process().memory_info().rss, threading.active_count()
        # Behind the program's name, which may hold spaces and brackets, come fields 3, 4, 5 … of proc(5).
        fields = os.pread(self._stat, 1024, 0).rpartition(b")")[2].split()
        return int(fields[21]) * self._page, int(fields[17])

    def close(self) -> None:
        if self._stat is not None:
            os.close(self._stat)
            self._stat = None


def _open_files() -> int:
    try:
        return len(os.listdir("/proc/self/fd")) - 1
    except OSError:
        found = psutil.Process()
        return found.num_fds() if hasattr(found, "num_fds") else 0
