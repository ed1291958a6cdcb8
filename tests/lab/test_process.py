"""Processes seen from outside: real ones, small and short."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from greenroom.lab.process import NoProcess, ProcessTree, find_by_port

PROGRAM = """
import os, subprocess, sys, threading
files = []
for line in sys.stdin:
    match line.split()[0]:
        case "file": files.append(open(os.devnull))
        case "thread": threading.Thread(target=threading.Event().wait, daemon=True).start()
        case "child": subprocess.Popen([sys.executable, "-S", "-E", "-c", "import time; time.sleep(30)"])
        case "lost":
            # A child whose parent ends at once: it hangs below process 1 from then on.
            subprocess.run(["sh", "-c", "sleep 30 & exit 0"], stdout=subprocess.DEVNULL)
        case "spin":
            for _ in range(3_000_000): pass
    print("done", flush=True)
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture
def do() -> Iterator[tuple[int, Callable[[str], None]]]:
    """A process in a session of its own that does what it is told; everything in its session ends with it."""
    process = subprocess.Popen(
        [sys.executable, "-S", "-E", "-c", PROGRAM],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None

    def order(what: str) -> None:
        process.stdin.write(what + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == "done\n"

    order("nothing")
    try:
        yield process.pid, order
    finally:
        os.killpg(process.pid, 9)
        process.wait()
        process.stdin.close()
        process.stdout.close()


def test_what_is_left_is_counted(do):
    """Files, threads and children that the process keeps are seen; what was there before is no child."""
    pid, order = do
    tree = ProcessTree(pid)
    before = tree.sample(0, 0.0)
    for what in ("file", "file", "thread", "child"):
        order(what)
    after = tree.sample(1, 0.0)
    assert (before.children, after.children) == (0, 1)
    assert after.threads == (before.threads or 0) + 1
    assert after.fd_kinds["file"] == before.fd_kinds.get("file", 0) + 2
    assert after.memory
    assert after.child_memory


def test_a_child_without_its_parent_is_found(do):
    """One that was re-parented before anybody saw it is found by its session, once."""
    pid, order = do
    tree = ProcessTree(pid)
    order("lost")
    assert tree.sample(1, 0.0).children == 0
    assert tree.adopt_strays() == 1
    assert tree.adopt_strays() == 0
    found = tree.sample(1, 0.0)
    assert (found.children, found.reparented) == (1, 1)


def test_work_shows_in_the_activity(do):
    """CPU and wake-ups of one order are seen, finer than the clock ticks of the kernel."""
    pid, order = do
    tree = ProcessTree(pid)
    before = tree.activity()
    order("spin")
    after = tree.activity()
    assert before is not None
    assert after is not None
    assert after.cpu - before.cpu > 0.01
    assert after.wakeups > before.wakeups


def test_a_process_that_ended_is_not_alive(do):
    """The end of the server is noticed, and samples of it are empty, not errors."""
    pid, _ = do
    tree = ProcessTree(pid)
    assert tree.alive()
    os.kill(pid, 9)
    deadline = time.monotonic() + 5
    while tree.alive():
        assert time.monotonic() < deadline
    assert tree.sample(1, 0.0).memory is None or not tree.alive()


def test_a_listening_port_leads_to_its_process():
    """This very process is found by its port; a closed port is told with what to do."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert find_by_port(port) == os.getpid()
    with pytest.raises(NoProcess, match="--pid"):
        find_by_port(port)


def test_a_process_that_is_not_there_is_told():
    """A wrong --pid is named."""
    with pytest.raises(NoProcess, match="no process"):
        ProcessTree(2**22 + 1)


def test_whoever_measures_its_own_parent_does_not_count_itself():
    """A server may start the soak that measures it: neither that nor what it starts is the server's."""
    measure = (
        "import os, subprocess, sys; from greenroom.lab.process import ProcessTree\n"
        "tree = ProcessTree(os.getppid()); own = subprocess.Popen(['sleep', '30']); found = tree.sample(0, 0.0)\n"
        "own.kill(); own.wait(); print(found.children, found.threads)"
    )
    server = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {measure!r}], check=True)"
    done = subprocess.run([sys.executable, "-c", server], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "1"]
