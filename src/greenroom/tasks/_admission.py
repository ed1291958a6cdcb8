"""Who may run, who waits, who is refused or superseded: plain data, no tasks, no loop.

A place in the queue belongs to a job without a key, or to a key (`Entry`), whose newest job takes over the
place of one it replaces. Ordered dictionaries make leaving from the middle as cheap as from the front.
"""

from __future__ import annotations

from asyncio import TimerHandle
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from typing import Any, Literal

from ._job import QueuedJob

Record = QueuedJob[Any]
Verdict = Literal["begin", "wait", "drop", "displace"]


class Entry:
    """What is alive under one key: the holder, running or in the queue, and those that wait for its end."""

    __slots__ = ("holder", "timer", "waiting")

    def __init__(self, holder: Record) -> None:
        self.holder = holder
        self.waiting: OrderedDict[Record, None] = OrderedDict()
        self.timer: TimerHandle | None = None
        """Runs while the holder is superseded and has not ended yet."""

    def stop_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class Admission:
    """The bounds and the queue of one scope."""

    __slots__ = ("keys", "max_running", "max_waiting", "max_waiting_per_key", "queue", "waiting")

    def __init__(self, max_running: int, max_waiting: int, max_waiting_per_key: int) -> None:
        self.max_running = max_running
        self.max_waiting = max_waiting
        self.max_waiting_per_key = max_waiting_per_key
        self.queue: OrderedDict[Record | Entry, None] = OrderedDict()
        self.keys: dict[Hashable, Entry] = {}
        self.waiting = 0

    def has_room(self, record: Record, running: int) -> bool:
        """Whether it can run, wait, or replace one that waits."""
        entry = self._entry(record)
        if entry is None:
            return self.waiting < self.max_waiting or (running < self.max_running and not self.queue)
        if record.policy != "queue":
            # Each key has one place of its own: for the one that replaces, or waits to replace.
            return True
        return self.waiting < self.max_waiting and len(entry.waiting) < self.max_waiting_per_key

    def offer(self, record: Record, running: int) -> tuple[Verdict, list[Record]]:
        """Take in a record there is room for.

        Returns what to do with it, and which waiting ones it supersedes. `displace` means that it waits, and
        that the holder of its key is to be cancelled.
        """
        entry = self._entry(record)
        if entry is None:
            place: Record | Entry = record
            if record.key is not None:
                place = self.keys[record.key] = Entry(record)
            if running < self.max_running and not self.queue:
                return "begin", []
            self.queue[place] = None
            self.waiting += 1
            return "wait", []
        if record.policy == "drop":
            return "drop", []
        superseded: list[Record] = []
        verdict: Verdict = "wait"
        if record.policy != "queue":
            superseded.extend(entry.waiting)
            self.waiting -= len(entry.waiting)
            entry.waiting.clear()
            if entry.holder.job is None:
                superseded.append(entry.holder)
                entry.holder = record
                return "wait", superseded
            if record.policy == "restart":
                verdict = "displace"
        entry.waiting[record] = None
        self.waiting += 1
        return verdict, superseded

    def take(self, running: int) -> Record | None:
        """The next one to begin, if there is room for it."""
        if not self.queue or running >= self.max_running:
            return None
        self.waiting -= 1
        place, _ = self.queue.popitem(last=False)
        return place.holder if isinstance(place, Entry) else place

    def ended(self, record: Record) -> None:
        """The job of this record has ended: the next of its key comes into the queue."""
        entry = self._entry(record)
        if entry is not None and entry.holder is record:
            entry.stop_timer()
            if self._promote(record.key, entry):
                self.queue[entry] = None

    def withdraw(self, record: Record) -> bool:
        """Take out one that waits; False if it does not."""
        entry = self._entry(record)
        if entry is None:
            if record not in self.queue:
                return False
            del self.queue[record]
        elif entry.holder is record:
            if entry not in self.queue:
                return False
            if not self._promote(record.key, entry):
                del self.queue[entry]
        elif record in entry.waiting:
            del entry.waiting[record]
        else:
            return False
        self.waiting -= 1
        return True

    def records(self) -> Iterator[Record]:
        """All that wait: first those in line for room, in order, then those behind one of their key."""
        for place in self.queue:
            yield place.holder if isinstance(place, Entry) else place
        for entry in self.keys.values():
            yield from entry.waiting

    def clear(self) -> list[Record]:
        """Forget everything; returns those that waited."""
        records = list(self.records())
        for entry in self.keys.values():
            entry.stop_timer()
        self.queue.clear()
        self.keys.clear()
        self.waiting = 0
        return records

    def _entry(self, record: Record) -> Entry | None:
        return None if record.key is None else self.keys.get(record.key)

    def _promote(self, key: Hashable, entry: Entry) -> bool:
        if entry.waiting:
            entry.holder = entry.waiting.popitem(last=False)[0]
            return True
        del self.keys[key]
        return False
