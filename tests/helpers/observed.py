"""The `greenroom` command with a window: on SIGUSR1 it writes what the interpreter holds.

Not a test: `ServerProcess(observed=True)` runs it instead of `python -m greenroom`. The answer goes to
`observed.json` in the working folder: tasks of the event loop, threads, file descriptors, live objects by type,
and the summed length of all containers by type. It counts what is alive, whoever made it, so a leak shows here
also where the server forgot to count.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import sys
import threading
from collections import Counter, deque
from pathlib import Path
from typing import Any
from weakref import ReferenceType

CONTAINERS = (dict, list, set, deque)


def facts() -> dict[str, Any]:
    """What is alive now, garbage taken away first."""
    loop = asyncio.get_running_loop()
    gc.collect()
    objects = gc.get_objects()
    types: Counter[str] = Counter()
    lengths: Counter[str] = Counter()
    for found in objects:
        if found is objects:
            continue
        kind = type(found)
        types[f"{kind.__module__}.{kind.__qualname__}"] += 1
        # Lists of weak references are left out: asyncio keeps the dead ones of ended tasks until its next look.
        if isinstance(found, CONTAINERS) and not (
            kind is list and found and isinstance(found[0], ReferenceType)
        ):
            lengths[kind.__name__] += len(found)
    return {
        "tasks": sorted(task.get_name() for task in asyncio.all_tasks(loop)),
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "fds": len(os.listdir("/proc/self/fd")),
        "types": types,
        "lengths": lengths,
    }


def answer(_number: int, _frame: object) -> None:
    target = Path("observed.json")
    partial = target.with_suffix(".part")
    partial.write_text(json.dumps(facts()), encoding="utf-8")
    partial.replace(target)


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, answer)
    from greenroom.cli import main

    sys.argv[0] = "greenroom"
    main()
