"""Who may wait, who supersedes whom, and who is next: plain data, no tasks, no loop."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from itertools import islice
from typing import Any

from ._job import QueuedJob

Record = QueuedJob[Any]


class Admission:
    """The bounds and the queue of one scope; leaving from the middle is as cheap as from the front."""

    def __init__(self, max_waiting: int, max_waiting_per_key: int | None) -> None:
        self.max_waiting = max_waiting
        self.max_waiting_per_key = max_waiting if max_waiting_per_key is None else max_waiting_per_key
        self.waiting = 0
        self.keys: dict[Hashable, OrderedDict[Record, None]] = {}
        """All alive of a key. The first is its holder, running or in the queue; the others wait for its end."""
        self.queue: OrderedDict[Hashable, Record] = OrderedDict()
        """In line for room: by `(key,)`, so that a newer one takes over the place, or by the record itself."""

    def holder(self, key: Hashable) -> Record | None:
        """The one of this key that runs, or is the next to."""
        return next(iter(self.keys[key])) if key in self.keys else None

    def has_room(self, record: Record, free: bool) -> bool:
        """Whether it can run, wait, or replace one that waits; `free` says whether fewer run than may."""
        alive = self.keys.get(record.key)
        if alive is None:
            return self.waiting < self.max_waiting or (free and not self.queue)
        if record.policy not in (None, "queue"):
            return True  # Each key has one place of its own, for what replaces, or waits to replace.
        return self.waiting < self.max_waiting and len(alive) <= self.max_waiting_per_key

    def add(self, record: Record) -> list[Record]:
        """Let it wait; returns those it supersedes, which have left."""
        alive: OrderedDict[Record, None] = self.keys.get(record.key) or OrderedDict()
        superseded = [old for old in alive if old.job is None and record.policy not in (None, "queue")]
        for old in superseded:
            del alive[old]
        if not alive:
            self.queue[_place(record)] = record
        alive[record] = None
        if record.key is not None:
            self.keys[record.key] = alive
        self.waiting += 1 - len(superseded)
        return superseded

    def take(self) -> Record:
        """The next one to begin."""
        self.waiting -= 1
        return self.queue.popitem(last=False)[1]

    def remove(self, record: Record) -> None:
        """It has ended, or does not wait any more: the next of its key takes its place."""
        place, alive = _place(record), self.keys.get(record.key, {record: None})
        if record not in alive:
            return
        held = next(iter(alive)) is record
        del alive[record]
        if not alive:
            self.queue.pop(place, None)
            self.keys.pop(record.key, None)
        elif held:
            self.queue[place] = next(iter(alive))
        if record.job is None:
            self.waiting -= 1

    def records(self) -> Iterator[Record]:
        """All that wait: first those in line for room, in order, then those behind one of their key."""
        yield from self.queue.values()
        for alive in self.keys.values():
            yield from islice(alive, 1, None)


def _place(record: Record) -> Hashable:
    return record if record.key is None else (record.key,)
