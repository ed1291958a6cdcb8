"""The tree of scopes: who lives in whom, within which limits, and what was counted.

The part of `TaskScope` that starts and ends nothing.
"""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from time import monotonic
from typing import Any, Literal, Self, TypedDict, Unpack, get_args
from weakref import WeakSet

from ._admission import Admission
from ._close import Closing
from ._errors import ScopeClosed
from ._job import Job, Policy, QueuedJob
from ._report import LoggingObserver, Observer, ScopeStatistics, log

OnClose = Literal["cancel", "finish"]
COUNTERS = (
    "started", "finished", "failed", "timed_out", "cancelled", "refused", "superseded", "dropped",
    "abandoned",
)  # fmt: skip
NO_LIMIT = sys.maxsize
_to_log = LoggingObserver()

roots: WeakSet[ScopeTree] = WeakSet()
"""All scopes without a parent that are alive."""


class Options(TypedDict, total=False):
    """What `start` takes beside the work."""

    name: str | None
    key: Hashable
    policy: Policy | None
    timeout: float | None
    on_close: OnClose


class Limits(TypedDict, total=False):
    """What a child scope may differ in from its parent."""

    max_running: int | None
    max_waiting: int
    max_waiting_per_key: int | None
    close_timeout: float | None
    observer: Observer | None


def wrong_options(key: Hashable, policy: Policy | None, on_close: OnClose) -> str:
    """What is wrong with these options of `start`; empty if nothing."""
    if policy is not None and key is None:
        return f"policy {policy!r} needs a key: say which jobs must not overlap"
    if policy is not None and policy not in get_args(Policy):
        return f"no policy {policy!r}: it is one of {', '.join(get_args(Policy))}"
    if on_close not in get_args(OnClose):
        return f"on_close is 'cancel' or 'finish', not {on_close!r}"
    return ""


class ScopeTree:
    """A node of the tree."""

    __slots__ = (
        "__weakref__", "_children", "_closing", "_executor", "_limits", "_line", "_max_running", "_observer",
        "_running", "_submitters", "close_timeout", "closed_by", "created", "depth", "name", "open", "parent",
        "path", "threads", *COUNTERS,
    )  # fmt: skip

    started: int
    finished: int
    failed: int
    timed_out: int
    cancelled: int
    refused: int
    superseded: int
    dropped: int
    abandoned: int

    def __init__(
        self,
        name: str,
        *,
        parent: Self | None = None,
        max_running: int | None = None,
        max_waiting: int = 0,
        max_waiting_per_key: int | None = None,
        close_timeout: float | None = None,
        observer: Observer | None = None,
        threads: int = 4,
    ) -> None:
        self.name = name
        self.parent = parent
        self.open = True
        self.created = monotonic()
        self.closed_by: str | None = None
        self.threads = threads
        self._max_running = NO_LIMIT if max_running is None else max_running
        per_key = NO_LIMIT if max_waiting_per_key is None else max_waiting_per_key
        self._limits = (self._max_running, max_waiting, per_key)
        if min(self._limits) < 0:
            raise ValueError(f"the limits of scope {name!r} are numbers from 0, or None for no limit")
        self._running: set[Job[Any]] = set()
        self._line: Admission | None = None
        self._submitters = 0
        self._children: set[Self] = set()
        self._closing: Closing | None = None
        self._executor: ThreadPoolExecutor | None = None
        self.started = self.finished = self.failed = self.timed_out = self.cancelled = 0
        self.refused = self.superseded = self.dropped = self.abandoned = 0
        if parent is None:
            self.path: str = name
            self.depth = 0
            self.close_timeout = 5.0 if close_timeout is None else close_timeout
            self._observer: Observer = observer or _to_log
            roots.add(self)
            return
        if not parent.open:
            raise ScopeClosed(f"{parent.path} is closed: no child {name!r} can live in it")
        self.path = f"{parent.path}/{name}"
        self.depth = parent.depth + 1
        self.close_timeout = parent.close_timeout if close_timeout is None else close_timeout
        self._observer = observer or parent._observer
        parent._children.add(self)

    def child(self, name: str, **limits: Unpack[Limits]) -> Self:
        """A scope inside this one; takes the limits of the constructor. Raises `ScopeClosed`."""
        return type(self)(name, parent=self, **limits)

    @property
    def root(self) -> Self:
        scope = self
        while scope.parent is not None:
            scope = scope.parent
        return scope

    @property
    def running(self) -> frozenset[Job[Any]]:
        return frozenset(self._running)

    @property
    def children(self) -> frozenset[Self]:
        return frozenset(self._children)

    @property
    def load(self) -> tuple[int, int]:
        """How many jobs of its own run and wait, without those of its children; costs next to nothing."""
        return len(self._running), self._waiting

    def waiting_jobs(self, limit: int) -> list[QueuedJob[Any]]:
        """Its own jobs that have not begun, at most `limit`, in order."""
        return [] if self._line is None else list(islice(self._line.records(), limit))

    @property
    def _waiting(self) -> int:
        return 0 if self._line is None else self._line.waiting

    def walk(self) -> Iterator[Self]:
        """This scope and all under it, parents first."""
        todo = [self]
        while todo:
            scope = todo.pop()
            yield scope
            todo.extend(scope._children)

    def statistics(self) -> ScopeStatistics:
        """Counts of this scope and everything that lives or lived under it."""
        scopes = list(self.walk())
        totals = {counter: sum(getattr(scope, counter) for scope in scopes) for counter in COUNTERS}
        return ScopeStatistics(
            running=sum(len(scope._running) for scope in scopes),
            waiting=sum(scope._waiting for scope in scopes),
            scopes=len(scopes),
            submitters=sum(scope._submitters for scope in scopes),
            **totals,
        )

    def __repr__(self) -> str:
        closed = self._closing is not None and self._closing.report is not None
        state = "open" if self.open else "closed" if closed else "closing"
        return f"<TaskScope {self.path} {state}, {len(self._running)} running, {self._waiting} waiting>"

    def _tell(self, event: Callable[..., None], *values: Any) -> None:
        try:
            event(*values)
        except Exception:  # noqa: BLE001 - an observer's own error must not stop the books being kept
            log.exception("an observer of %s raised", self.path)

    def _absorb(self, child: Self) -> None:
        """Last step of a child's close (for `Closing`): it leaves the tree, its counts stay."""
        self._children.discard(child)
        for counter in COUNTERS if child.started or child.refused or child.dropped else ():
            setattr(self, counter, getattr(self, counter) + getattr(child, counter))
        if child._executor is not None:
            child._executor.shutdown(wait=False, cancel_futures=True)
