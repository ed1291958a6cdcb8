"""The threads of one store together: started, fed within bounds, ended within a deadline.

One lock orders what callers hand in against the closing, so that nothing can slip in behind the threads' last
job and wait for ever. It is held for a few instructions and never across I/O.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from greenroom.history.errors import HistoryBusy, HistoryError
from greenroom.history.records import Change, HistoryStatistics
from greenroom.history.worker import Ask, Outcome, Reader, Stop, Write, Writer, deliver

if TYPE_CHECKING:
    from greenroom.history.database import Database

__all__ = ["MAX_READS_WAITING", "MAX_WAITING", "MAX_WAITING_CHARACTERS", "Crew"]

log = logging.getLogger("greenroom.history")

MAX_WAITING = 10_000
"""Messages and other changes that may wait for the disk."""
MAX_WAITING_CHARACTERS = 64_000_000
"""Characters of content that may wait for the disk."""
MAX_READS_WAITING = 1_000
"""Questions that may wait for a thread."""


class Crew:
    """One writing thread, and reading ones where the database allows several connections.

    Args:
        connect_writer: opens and migrates the database; runs in the writing thread.
        connect_reader: opens a connection for questions; None where there is only the writer's (in memory).
        readers: how many reading threads.
    """

    def __init__(
        self,
        connect_writer: Callable[[], Database],
        connect_reader: Callable[[], Database] | None,
        readers: int,
    ) -> None:
        self._lock = threading.Lock()
        self._closed = False
        self._waiting = 0
        self._waiting_characters = 0
        self._asking = 0
        self._unheard = 0
        self._threads: list[threading.Thread] = []
        self._alive = 0
        self._closers: list[asyncio.Future[None]] = []
        self._writer = Writer(
            connect_writer,
            keep=connect_reader is None,
            settled=self._count_settled,
            answered=self._count_answered,
            unheard=self._count_unheard,
        )
        self._questions: SimpleQueue[Ask | Stop] = SimpleQueue()
        self._readers: list[Reader] = []
        if connect_reader is not None:
            self._readers = [
                Reader(self._questions, connect_reader, self._count_answered, self._count_unheard)
                for _ in range(readers)
            ]

    async def open(self) -> None:
        """Start the threads; return when the database is open. Raises `HistoryError` if it cannot be."""
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._start("history-writer", lambda: self._write(ready))
        try:
            await ready
        except asyncio.CancelledError:
            self.refuse()  # the thread ends by itself when it has finished opening
            raise
        except HistoryError:
            self._threads[0].join(0.1)  # it has only its last instructions left
            raise

    def write(self, entry: Change, characters: int) -> asyncio.Future[Any]:
        """Put an entry before the writer; the future is done when it is stored, or tells why it is not."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        with self._lock:
            self._check_open()
            if self._waiting >= MAX_WAITING or self._waiting_characters + characters > MAX_WAITING_CHARACTERS:
                raise HistoryBusy(
                    f"histories: {self._waiting} entries with {self._waiting_characters} characters wait for "
                    f"the disk already ({MAX_WAITING} and {MAX_WAITING_CHARACTERS} may); try again later"
                )
            self._waiting += 1
            self._waiting_characters += characters
            self._writer.queue.put(Write(future, entry))
        return future

    def ask(self, question: Callable[[Database], Any], *, own_writes: bool = False) -> asyncio.Future[Any]:
        """Put a question before a reading thread; in memory before the writer, who has the one connection.

        With `own_writes` also before the writer while anything waits for the disk: the answer then knows
        what was handed in before.
        """
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        with self._lock:
            self._check_open()
            if self._asking >= MAX_READS_WAITING:
                raise HistoryBusy(f"histories: {self._asking} questions wait already; try again later")
            self._asking += 1
            to_writer = not self._readers or (own_writes and self._waiting)
            (self._writer.queue if to_writer else self._questions).put(Ask(future, question))
        return future

    def statistics(self) -> HistoryStatistics:
        """Return the counts; cheap, from any thread."""
        writer = self._writer
        return HistoryStatistics(
            waiting=self._waiting,
            waiting_reads=self._asking,
            batches=writer.batches,
            rows=writer.rows,
            largest_batch=writer.largest_batch,
            failures=writer.failures,
            unheard=self._unheard,
            threads=sum(thread.is_alive() for thread in self._threads),
        )

    def refuse(self) -> None:
        """Let nothing more in and tell the threads to end after what they have; once."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._put_stops()

    async def close(self, deadline: float) -> None:
        """Refuse, wait until everything accepted is done, and join the threads. See `HistoryStore.aclose`."""
        self.refuse()
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        with self._lock:
            if self._alive:
                self._closers.append(ended)
            else:
                ended.set_result(None)
        try:
            await asyncio.wait([ended], timeout=deadline)
        finally:
            with self._lock:
                if ended in self._closers:
                    self._closers.remove(ended)
        if not ended.done():
            names = ", ".join(thread.name for thread in self._threads if thread.is_alive())
            left = self._fail_all(
                HistoryError("the history store was closed before this was stored", "stuck")
            )
            raise HistoryError(
                f"histories: {names} did not end within {deadline:g} s; {left} entries may be lost", "stuck"
            )
        for thread in self._threads:
            thread.join(0.1)  # each has only its last instructions left

    def _check_open(self) -> None:
        if self._closed:
            raise HistoryError("the history store is closed; open a new one", "closed")

    def _put_stops(self) -> None:
        self._writer.queue.put(Stop())
        for _ in self._readers:
            self._questions.put(Stop())

    def _fail_all(self, error: HistoryError) -> int:
        """Fail what waits or is in the writer's hands, so that no caller waits for ever; return how many."""
        left: list[Write | Ask] = list(self._writer.in_hand)
        for queue in (self._writer.queue, self._questions):
            try:
                while True:
                    job = queue.get_nowait()
                    if not isinstance(job, Stop):
                        left.append(job)
            except Empty:
                pass
        self._put_stops()
        deliver([Outcome(job.future, error=error.again()) for job in left], self._count_unheard)
        return len(left)

    # What follows runs in the threads.

    def _start(self, name: str, body: Callable[[], None]) -> None:
        """Start a thread, as a daemon: a program that forgets to close its store still ends."""
        thread = threading.Thread(target=self._live, args=(body,), name=name, daemon=True)
        with self._lock:
            self._threads.append(thread)
            self._alive += 1
        thread.start()

    def _live(self, body: Callable[[], None]) -> None:
        """Run a thread's body. Should it die, nobody is left waiting for it."""
        try:
            body()
        except BaseException as error:
            log.exception("a thread of the history store died; the store is closed")
            self.refuse()
            self._fail_all(_unforeseen("could not be stored", error))
        finally:
            with self._lock:
                self._alive -= 1
                closers = [] if self._alive else self._closers
            deliver([Outcome(closer) for closer in closers], self._count_unheard)

    def _write(self, ready: asyncio.Future[None]) -> None:
        """The writing thread: open, start the readers, say so, work."""
        try:
            self._writer.open()
        except Exception as error:  # noqa: BLE001 - whoever opens the store is told, whatever it is
            with self._lock:
                self._closed = True
            failed = error if isinstance(error, HistoryError) else _unforeseen("cannot be opened", error)
            deliver([Outcome(ready, error=failed)], self._count_unheard)
            return
        for number, reader in enumerate(self._readers, 1):
            self._start(f"history-reader-{number}", reader.run)
        deliver([Outcome(ready)], self._count_unheard)
        self._writer.run()

    def _count_settled(self, entries: int, characters: int) -> None:
        with self._lock:
            self._waiting -= entries
            self._waiting_characters -= characters

    def _count_answered(self) -> None:
        with self._lock:
            self._asking -= 1

    def _count_unheard(self, count: int) -> None:
        with self._lock:
            self._unheard += count


def _unforeseen(what: str, cause: BaseException) -> HistoryError:
    error = HistoryError(f"histories {what}: {type(cause).__name__}: {cause}")
    error.__cause__ = cause
    return error
