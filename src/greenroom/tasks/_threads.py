"""Blocking calls in a tree's one bounded pool of threads.

A thread cannot be cancelled. When the job that waits for a call is, the call goes on without it; what it
gives late may hold a model or a connection, so it is disposed of, in a thread, never on the loop.
"""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from ._report import log

if TYPE_CHECKING:
    from ._scope import TaskScope

T = TypeVar("T")


async def in_thread(
    root: TaskScope, fn: Callable[..., T], args: tuple[Any, ...], dispose: Callable[[T], object] | None
) -> T:
    """Run `fn(*args)` in the pool of `root`."""
    if root._executor is None:
        root._executor = ThreadPoolExecutor(root.threads, thread_name_prefix=root.name)
    call = root._executor.submit(fn, *args)
    try:
        return await asyncio.wrap_future(call)
    except asyncio.CancelledError:
        if not call.cancel():
            loop_thread = threading.get_ident()

            def late(done: Future[T]) -> None:
                if threading.get_ident() == loop_thread:
                    # It ended in this very moment: not here, for disposing may block.
                    threading.Thread(target=_throw_away, args=(root.path, done, dispose), daemon=True).start()
                else:
                    _throw_away(root.path, done, dispose)

            call.add_done_callback(late)
        raise


def _throw_away(owner: str, call: Future[T], dispose: Callable[[T], object] | None) -> None:
    if call.cancelled():
        return
    if (error := call.exception()) is not None:
        log.warning("%s: a call in a thread, no longer waited for, failed", owner, exc_info=error)
    elif dispose is not None:
        try:
            dispose(call.result())
        except Exception:  # noqa: BLE001 - reported; there is nobody left to raise it to
            log.exception("%s: disposing of a late result failed", owner)
