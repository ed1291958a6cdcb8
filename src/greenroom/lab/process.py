"""The server seen by the operating system: its process tree, what it holds and how often it wakes.

The tree as it is at the beginning is the *core* (a server may have workers of its own); what is born
later is a child. A child that loses its parent is remembered: a leak that hides behind process 1 is still
a leak.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

from greenroom.lab.record import Sample

LINUX = sys.platform == "linux"
Identity = tuple[int, float]
"""A process for certain: its id and when it was born."""


class NoProcess(Exception):
    """The server's process cannot be found or looked at; the text says what to do."""


@dataclass(frozen=True)
class Activity:
    """CPU seconds and wake-ups of the core up to now."""

    cpu: float
    wakeups: int
    waited: float = 0.0
    """Seconds it was ready to run, but others had the cores."""
    children: float = 0.0
    """CPU seconds of the processes born since, as far as the latest sample knew them."""


def find_by_port(port: int) -> int:
    """The process that listens on a port of this machine; the parent, if several do. Raises NoProcess."""
    try:
        found = {
            connection.pid
            for connection in psutil.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port
        }
    except psutil.AccessDenied as error:
        raise NoProcess(
            "this system does not show who listens on a port: name the server with --pid"
        ) from error
    pids = {pid for pid in found if pid}
    if not pids:
        raise NoProcess(
            f"no process of yours listens on port {port}: name the server with --pid, or run as its user"
        )
    for pid in pids:
        if not any(parent.pid in pids for parent in psutil.Process(pid).parents()):
            return pid
    return min(pids)


class ProcessTree:
    """Samples a process and what it starts. Each method reads the operating system: call it in a thread."""

    def __init__(self, pid: int) -> None:
        try:
            self.root = psutil.Process(pid)
            self.root.cpu_times()
        except psutil.NoSuchProcess as error:
            raise NoProcess(f"there is no process {pid}") from error
        except psutil.AccessDenied as error:
            raise NoProcess(f"process {pid} may not be looked at: run as its user") from error
        self.pid = pid
        self._core = [self.root, *_below(self.root)]
        self._core_ids = {_identity(process) for process in self._core}
        self._seen: dict[Identity, psutil.Process] = {}
        self._born = max(identity[1] for identity in self._core_ids)
        self._session = _session(pid)

    def alive(self) -> bool:
        """Whether the server is still there."""
        try:
            return self.root.is_running() and self.root.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def sample(self, visit: int, at: float) -> Sample:
        """Everything that is held now; None for what this system does not tell."""
        found = Sample(visit, at)
        cpu = memory = threads = fds = 0.0
        try:
            for process in self._living_core():
                times = process.cpu_times()
                cpu += times.user + times.system
                memory += process.memory_info().rss
                threads += process.num_threads()
                kinds = _fd_kinds(process)
                fds += sum(kinds.values())
                for kind, count in kinds.items():
                    found.fd_kinds[kind] = found.fd_kinds.get(kind, 0) + count
        except psutil.Error:
            return found
        found.cpu, found.memory, found.threads, found.fds = cpu, int(memory), int(threads), int(fds)
        found.reads, found.read_bytes = self.reads()
        self._children(found)
        return found

    def activity(self) -> Activity | None:
        """CPU and wake-ups, to the microsecond where the kernel tells; None if the server is gone."""
        cpu, waited, wakeups = 0.0, 0.0, 0
        try:
            for process in self._living_core():
                if LINUX:
                    for path in Path(f"/proc/{process.pid}/task").iterdir():
                        spent, ready, slices = (path / "schedstat").read_text().split()
                        cpu += int(spent) / 1e9
                        waited += int(ready) / 1e9
                        wakeups += int(slices)
                else:
                    times = process.cpu_times()
                    cpu += times.user + times.system
                    switches = process.num_ctx_switches()
                    wakeups += switches.voluntary + switches.involuntary
        except (OSError, ValueError, psutil.Error):
            return self._coarse_activity()
        return Activity(cpu, wakeups, waited, self._child_cpu())

    def _child_cpu(self) -> float:
        spent = 0.0
        for process in self._seen.values():
            try:
                times = process.cpu_times()
            except psutil.Error:
                continue
            spent += times.user + times.system
        return spent

    def _coarse_activity(self) -> Activity | None:
        """For kernels without schedstat, and for a thread that ended while it was looked at."""
        try:
            times = self.root.cpu_times()
            switches = self.root.num_ctx_switches()
        except psutil.Error:
            return None
        return Activity(times.user + times.system, switches.voluntary + switches.involuntary)

    def _living_core(self) -> list[psutil.Process]:
        return [process for process in self._core if process is self.root or process.is_running()]

    def reads(self) -> tuple[int | None, int | None]:
        """Read calls and bytes read so far; None where the kernel does not tell."""
        if not LINUX:
            return None, None
        calls = size = 0
        try:
            for process in self._living_core():
                lines = Path(f"/proc/{process.pid}/io").read_text().splitlines()
                fields = dict(line.split(": ") for line in lines)
                calls += int(fields["syscr"])
                size += int(fields["rchar"])
        except (OSError, KeyError, ValueError):
            return None, None
        return calls, size

    def _children(self, found: Sample) -> None:
        """Count what was born since, wherever it hangs now."""
        try:
            below = _below(self.root)
        except psutil.Error:
            return
        inside: set[Identity] = set()
        for process in below:
            try:
                identity = _identity(process)
            except psutil.Error:
                continue
            if identity not in self._core_ids:
                inside.add(identity)
                self._seen.setdefault(identity, process)
        memory = 0
        for identity, process in list(self._seen.items()):
            try:
                if not process.is_running():
                    del self._seen[identity]
                    continue
                memory += process.memory_info().rss
            except psutil.Error:
                del self._seen[identity]
        found.children = len(self._seen)
        found.reparented = len(set(self._seen) - inside)
        found.child_memory = memory

    def adopt_strays(self) -> int:
        """Look through all processes for children that left the tree before they were seen; returns how many.

        A stray was born after the server, belongs to its session, and has no living parent of its own.
        """
        if self._session is None or self._session == _session(os.getpid()):
            return 0
        strays = 0
        for process in psutil.process_iter():
            try:
                identity = _identity(process)
                if (
                    identity not in self._core_ids
                    and identity not in self._seen
                    and identity[1] >= self._born
                    and _session(process.pid) == self._session
                    and process.ppid() == 1
                ):
                    self._seen[identity] = process
                    strays += 1
            except psutil.Error:
                continue
        return strays


def own_wait() -> float:
    """Seconds this process was ready to run, but others had the cores; 0 where the kernel does not tell."""
    try:
        return int(Path("/proc/self/schedstat").read_text().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


def _below(root: psutil.Process) -> list[psutil.Process]:
    """All that a process has started, without this one, which a server may have started to measure itself."""
    below = root.children(recursive=True)
    me = psutil.Process()
    if me not in below:
        return below
    mine = {me, *me.children(recursive=True)}
    return [process for process in below if process not in mine]


def _identity(process: psutil.Process) -> Identity:
    return process.pid, process.create_time()


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except (OSError, AttributeError):
        return None


def _fd_kinds(process: psutil.Process) -> dict[str, int]:
    """Open files by kind where the kernel tells, else all as `file`."""
    if not LINUX:
        numbers = process.as_dict(["num_handles" if sys.platform == "win32" else "num_fds"])
        return {"file": sum(numbers.values())}
    kinds: dict[str, int] = {}
    try:
        for entry in os.scandir(f"/proc/{process.pid}/fd"):
            try:
                target = os.readlink(entry.path)
            except OSError:
                continue  # Closed meanwhile.
            kind = target.partition(":")[0] if not target.startswith("/") else "file"
            kind = "other" if kind not in ("socket", "pipe", "file") else kind
            kinds[kind] = kinds.get(kind, 0) + 1
    except OSError as error:
        raise psutil.AccessDenied(process.pid) from error
    return kinds
