"""The threads of a store: one that writes, and one or two that answer questions.

Why threads with a queue, and not one task per statement on an asynchronous driver: such a driver hops between
the loop and its thread for every statement, several times per message. Here a message crosses once each way,
and whatever arrives while the disk is busy is written together in the next transaction (group commit). So the
store gets cheaper per message the busier it is.

The loop's side is one put into a `SimpleQueue`; all results of a batch come back through a single
`call_soon_threadsafe` per loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from greenroom.history.errors import HistoryError
from greenroom.history.records import Append, Change

if TYPE_CHECKING:  # SQLAlchemy takes half a second to import: the writer's thread does it, not the loop's
    from greenroom.history.database import Database

__all__ = ["Ask", "Outcome", "Reader", "Stop", "Write", "Writer", "deliver"]

log = logging.getLogger("greenroom.history")

_MOST_TOGETHER = 1_000
"""Most entries of one transaction: a bound for the time other processes wait for the file."""

_BROKEN = frozenset({"io", "corrupt", "cannot-open", "read-only"})
"""Kinds of errors after which the connection is thrown away; the next batch opens a new one."""
_OF_THE_FILE = _BROKEN | {"full", "locked", "newer"}
"""Kinds that no smaller batch would escape, so that trying row by row is useless."""


class Write(Struct):
    """A message or another change on its way to the disk."""

    future: asyncio.Future[Any]
    entry: Change


class Ask(Struct):
    """A question on its way to the database."""

    future: asyncio.Future[Any]
    question: Callable[[Database], Any]


class Stop(Struct):
    """The end of a queue."""


class Outcome(Struct):
    """What became of a `Write` or an `Ask`."""

    future: asyncio.Future[Any]
    result: Any = None
    error: HistoryError | None = None


def deliver(outcomes: Iterable[Outcome], unheard: Callable[[int], None]) -> None:
    """Hand results to the loops that wait for them, with one call per loop; call it from any thread.

    `unheard` is told how many found nobody waiting: a cancelled caller, or a loop that is closed.
    """
    loops: dict[asyncio.AbstractEventLoop, list[Outcome]] = {}
    for outcome in outcomes:
        loops.setdefault(outcome.future.get_loop(), []).append(outcome)
    for loop, share in loops.items():
        try:
            loop.call_soon_threadsafe(_settle, share, unheard)
        except RuntimeError:  # the loop is closed and its callers are gone
            _report(share)
            unheard(len(share))


def _settle(outcomes: list[Outcome], unheard: Callable[[int], None]) -> None:
    """Wake the callers; runs in their loop."""
    late = []
    for outcome in outcomes:
        if outcome.future.done():
            late.append(outcome)
        elif outcome.error is None:
            outcome.future.set_result(outcome.result)
        else:
            outcome.future.set_exception(outcome.error)
    if late:
        _report(late)
        unheard(len(late))


def _report(outcomes: list[Outcome]) -> None:
    """Log failures that no caller hears of any more, one line for all of the same cause."""
    failed = [outcome.error for outcome in outcomes if outcome.error is not None]
    if failed:
        log.warning(
            "%d history entries failed after their caller had gone; the first: %s", len(failed), failed[0]
        )


class Writer:
    """The body of the writing thread: takes everything that waits, commits it together, reports back.

    Args:
        connect: opens the database; called in the thread, and again after the connection broke.
        keep: never throw the connection away (a database in memory lives in it).
        answered: told after each question that it is off the waiting list.
        settled: told how many entries, and how many characters of content, are off the waiting list.
        unheard: see `deliver`.
    """

    def __init__(
        self,
        connect: Callable[[], Database],
        *,
        keep: bool,
        answered: Callable[[], None],
        settled: Callable[[int, int], None],
        unheard: Callable[[int], None],
    ) -> None:
        self.queue: SimpleQueue[Write | Ask | Stop] = SimpleQueue()
        self.in_hand: list[Write] = []
        self.batches = 0
        self.rows = 0
        self.largest_batch = 0
        self.failures = 0
        self._connect = connect
        self._keep = keep
        self._answered = answered
        self._settled = settled
        self._unheard = unheard
        self._database: Database | None = None

    def open(self) -> None:
        """Open (and migrate) the database now. Raises `HistoryError`."""
        self._database = self._connect()

    def run(self) -> None:
        """Work until the queue says stop, then close the database."""
        while True:
            job = self._gather(self.queue.get())
            if self.in_hand:
                self._write(self.in_hand)
                self.in_hand = []
            if isinstance(job, Ask):
                self._answered()
                if not job.future.cancelled():
                    deliver([_answer(job, self._ready)], self._unheard)
            elif isinstance(job, Stop):
                break
        _close(self._database)

    def _gather(self, job: Write | Ask | Stop | None) -> Ask | Stop | None:
        """Take this and the writes directly behind it in hand; return what ended the row, if anything."""
        while isinstance(job, Write):
            self.in_hand.append(job)
            if len(self.in_hand) == _MOST_TOGETHER:
                return None
            try:
                job = self.queue.get_nowait()
            except Empty:
                return None
        return job

    def _ready(self) -> Database:
        if self._database is None:
            self._database = self._connect()
        return self._database

    def _write(self, jobs: list[Write]) -> None:
        try:
            outcomes = self._together(jobs)
        except HistoryError as error:
            if len(jobs) == 1 or error.kind in _OF_THE_FILE:
                outcomes = [Outcome(job.future, error=error.again()) for job in jobs]
            else:
                outcomes = [self._alone(job) for job in jobs]
            self.failures += sum(outcome.error is not None for outcome in outcomes)
            if error.kind in _BROKEN and not self._keep:
                _close(self._database)
                self._database = None
        self._settled(len(jobs), sum(len(job.entry.content) for job in jobs if isinstance(job.entry, Append)))
        deliver(outcomes, self._unheard)

    def _together(self, jobs: list[Write]) -> list[Outcome]:
        """Write all in one transaction."""
        results = self._ready().write([job.entry for job in jobs])
        self.batches += 1
        self.rows += sum(isinstance(job.entry, Append) for job in jobs)
        self.largest_batch = max(self.largest_batch, len(jobs))
        return [Outcome(job.future, result) for job, result in zip(jobs, results, strict=True)]

    def _alone(self, job: Write) -> Outcome:
        """Write one in a transaction of its own, after the batch it was in failed."""
        try:
            return self._together([job])[0]
        except HistoryError as error:
            return Outcome(job.future, error=error)


class Reader:
    """The body of a reading thread: opens its own connection at the first question and answers one by one."""

    def __init__(
        self,
        queue: SimpleQueue[Ask | Stop],
        connect: Callable[[], Database],
        answered: Callable[[], None],
        unheard: Callable[[int], None],
    ) -> None:
        self._queue = queue
        self._connect = connect
        self._answered = answered
        self._unheard = unheard
        self._database: Database | None = None

    def run(self) -> None:
        """Work until the queue says stop, then close the database."""
        while isinstance(ask := self._queue.get(), Ask):
            self._answered()
            if ask.future.cancelled():
                continue
            outcome = _answer(ask, self._ready)
            if outcome.error is not None and outcome.error.kind in _BROKEN:
                _close(self._database)
                self._database = None
            deliver([outcome], self._unheard)
        _close(self._database)

    def _ready(self) -> Database:
        if self._database is None:
            self._database = self._connect()
        return self._database


def _answer(ask: Ask, ready: Callable[[], Database]) -> Outcome:
    try:
        return Outcome(ask.future, ask.question(ready()))
    except HistoryError as error:
        return Outcome(ask.future, error=error)
    except Exception as error:  # noqa: BLE001 - its caller hears of it, and the thread lives on
        failed = HistoryError(f"histories could not be read: {type(error).__name__}: {error}")
        failed.__cause__ = error
        return Outcome(ask.future, error=failed)


def _close(database: Database | None) -> None:
    """Close it if it is open; what was committed is safe already, so a failure is only worth a line."""
    if database is not None:
        try:
            database.close()
        except HistoryError as error:
            log.warning("closing failed: %s", error)
