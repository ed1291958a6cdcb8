"""Who is next: the policy of a room's queue, without I/O and without a clock of its own.

Within a priority the senders take turns, so one who floods waits behind himself, not in front of the others.
Everything is bounded, in number, per sender and in age, and everybody can be told what became of a message:
each one that is not taken comes back with a reason.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

DropPolicy = Literal["reject-new", "drop-oldest"]
DropReason = Literal["queue-full", "sender-full", "expired", "displaced", "room-closed", "duplicate"]
PRIORITIES = (2, 1, 0)
"""Owner, paid, everybody."""


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """The bounds of one room's queue; ages and windows in seconds."""

    max_waiting: int = 100
    per_sender: int = 3
    max_age: float = 120.0
    merge_window: float = 5.0
    """The same text of the same sender within it is one message, until that is answered; 0 merges nothing."""
    drop: DropPolicy = "reject-new"
    max_bytes: int = 64 * 1024 * 1024
    """Of all that waits, pictures included."""


@dataclass(slots=True, eq=False)
class QueueItem:
    """One message in the queue. `message` is opaque to the policy; `id` names it for ever."""

    id: str
    sender_id: str
    text: str
    message: Any = None
    priority: int = 0
    queued_at: float = 0.0
    size: int = 0
    """In bytes."""
    copies: int = field(default=1)
    """How many identical messages it stands for."""
    request_id: str | int | None = None
    """The sender's own name for it."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What became of an offered message, and of those it displaced.

    `retry_after`: seconds after which trying again makes sense. `position` is that of `merged_into` if there
    is one, 0 if that is being answered already.
    """

    accepted: bool
    reason: DropReason | None = None
    retry_after: float = 0.0
    position: int = 0
    displaced: tuple[QueueItem, ...] = ()
    merged_into: QueueItem | None = None


class QueuePolicy:
    """The waiting messages of one room. All times are the caller's, from one monotonic clock."""

    def __init__(self, limits: QueueLimits) -> None:
        self.limits = limits
        self._lanes: dict[int, OrderedDict[str, deque[QueueItem]]] = {p: OrderedDict() for p in PRIORITIES}
        self._by_age: OrderedDict[str, QueueItem] = OrderedDict()
        self._per_sender: dict[str, int] = {}
        self._recent: dict[tuple[str, str], QueueItem] = {}
        self._bytes = 0
        self._pace = 5.0

    def __len__(self) -> int:
        return len(self._by_age)

    def offer(self, item: QueueItem, now: float, *, accepted_before: bool = False) -> Offer:
        """Take a message in, or say why not. Call `expire` first: what is too old must not hold a place.

        `accepted_before`: it was taken in once already, before a restart; no bound may turn it away now.
        """
        item.priority = min(max(item.priority, PRIORITIES[-1]), PRIORITIES[0])
        # Ages only fall towards the end of the queue, whatever a clock did across a restart.
        item.queued_at = max(now, self._newest()) if self._by_age else now
        if accepted_before:
            self._add(item)
            return Offer(True, position=self.position(item))
        twin = self._twin(item, now)
        if twin is not None:
            twin.copies += 1
            return Offer(False, "duplicate", self._merges_until(twin, now), self.position(twin), (), twin)
        reason, victim = self._make_room(item)
        if reason is not None:
            waiting = self.limits.per_sender if reason == "sender-full" else len(self._by_age)
            return Offer(False, reason, self._retry_after(waiting))
        displaced: tuple[QueueItem, ...] = ()
        if victim is not None:
            self._remove(victim)
            self.done(victim)
            displaced = (victim,)
        self._add(item)
        if self.limits.merge_window:
            self._recent[(item.sender_id, item.text)] = item
        retry_after = self._retry_after(len(self._by_age)) if displaced else 0.0
        return Offer(True, None, retry_after, self.position(item), displaced)

    def would_take(self, item: QueueItem, now: float) -> bool:
        """Whether `offer` would accept it, without doing so."""
        return self._twin(item, now) is None and self._make_room(item)[0] is None

    def take(self) -> QueueItem | None:
        """The next message: of the highest priority, from the sender whose turn it is.

        Call `done` when it is answered: until then the same words again are no new message.
        """
        for priority in PRIORITIES:
            lane = self._lanes[priority]
            if lane:
                sender, items = next(iter(lane.items()))
                item = items[0]
                self._remove(item)
                if sender in lane:
                    lane.move_to_end(sender)
                return item
        return None

    def done(self, item: QueueItem) -> None:
        """A taken message was answered, or will not be: the same words are a new message from now on."""
        key = (item.sender_id, item.text)
        if self._recent.get(key) is item:
            del self._recent[key]

    def expire(self, now: float) -> list[QueueItem]:
        """Remove and return what has waited too long."""
        gone: list[QueueItem] = []
        while self._by_age:
            oldest = next(iter(self._by_age.values()))
            if now < oldest.queued_at + self.limits.max_age:
                break
            self._remove(oldest)
            self.done(oldest)
            gone.append(oldest)
        return gone

    def next_expiry(self) -> float | None:
        """When the oldest will have waited too long; None while nothing waits."""
        if not self._by_age:
            return None
        return next(iter(self._by_age.values())).queued_at + self.limits.max_age

    def clear(self) -> list[QueueItem]:
        """Remove and return everything, oldest first."""
        gone = list(self._by_age.values())
        for lane in self._lanes.values():
            lane.clear()
        self._by_age.clear()
        self._per_sender.clear()
        self._recent.clear()
        self._bytes = 0
        return gone

    def order(self) -> Iterator[QueueItem]:
        """What `take` would return, in order, if nothing else came."""
        for priority in PRIORITIES:
            lines = deque(deque(items) for items in self._lanes[priority].values())
            while lines:
                line = lines.popleft()
                yield line.popleft()
                if line:
                    lines.append(line)

    def position(self, item: QueueItem) -> int:
        """The place of a waiting message, from 1; 0 if it does not wait."""
        for place, other in enumerate(self.order(), 1):
            if other is item:
                return place
        return 0

    def oldest_age(self, now: float) -> float:
        """Seconds the oldest has waited; 0 while nothing waits."""
        return now - next(iter(self._by_age.values())).queued_at if self._by_age else 0.0

    def note_pace(self, seconds: float) -> None:
        """A conversation took so long; the moving mean makes `retry_after` honest."""
        self._pace += 0.2 * (seconds - self._pace)

    def _retry_after(self, waiting: int) -> float:
        return round(min(self.limits.max_age, max(1.0, waiting * self._pace)), 1)

    def _newest(self) -> float:
        return next(reversed(self._by_age.values())).queued_at

    def _twin(self, item: QueueItem, now: float) -> QueueItem | None:
        twin = self._recent.get((item.sender_id, item.text))
        if twin is None or self._merges_until(twin, now) <= 0:
            return None
        # Other pictures, or words that were paid for this time, make it another message.
        return twin if twin.message == item.message and twin.priority >= item.priority else None

    def _merges_until(self, twin: QueueItem, now: float) -> float:
        return twin.queued_at + self.limits.merge_window - now

    def _make_room(self, item: QueueItem) -> tuple[DropReason | None, QueueItem | None]:
        """Why there is no room for it, or whom it has to displace for it (None: nobody)."""
        if self._per_sender.get(item.sender_id, 0) >= self.limits.per_sender:
            victim = self._own_victim(item)
            if victim is None:
                return "sender-full", None
        elif len(self._by_age) >= self.limits.max_waiting:
            victim = self._victim(item)
            if victim is None:
                return "queue-full", None
        else:
            victim = None
        freed = victim.size if victim is not None else 0
        if self._bytes - freed + item.size > self.limits.max_bytes:
            return "queue-full", None
        return None, victim

    def _own_victim(self, item: QueueItem) -> QueueItem | None:
        """What a sender with a full share gives up for a new message: never something more urgent."""
        own = [other for other in self._by_age.values() if other.sender_id == item.sender_id]
        least = min(own, key=lambda other: (other.priority, other.queued_at))
        if least.priority < item.priority:
            return least
        return least if self.limits.drop == "drop-oldest" and least.priority == item.priority else None

    def _victim(self, item: QueueItem) -> QueueItem | None:
        """Whom a newcomer may displace from a full queue: someone less urgent, or just the oldest, by policy.

        Of several it is the one whose sender has most waiting: whoever has the most loses first.
        """
        lower = [other for other in self._by_age.values() if other.priority < item.priority]
        if lower:
            lowest = min(other.priority for other in lower)
            lower = [other for other in lower if other.priority == lowest]
            return max(lower, key=lambda other: (self._per_sender[other.sender_id], other.queued_at))
        if self.limits.drop == "drop-oldest":
            return next((other for other in self._by_age.values() if other.priority == item.priority), None)
        return None

    def _add(self, item: QueueItem) -> None:
        self._lanes[item.priority].setdefault(item.sender_id, deque()).append(item)
        self._by_age[item.id] = item
        self._per_sender[item.sender_id] = self._per_sender.get(item.sender_id, 0) + 1
        self._bytes += item.size

    def _remove(self, item: QueueItem) -> None:
        lane = self._lanes[item.priority]
        items = lane[item.sender_id]
        items.remove(item)
        if not items:
            del lane[item.sender_id]
        del self._by_age[item.id]
        self._bytes -= item.size
        left = self._per_sender[item.sender_id] - 1
        if left:
            self._per_sender[item.sender_id] = left
        else:
            del self._per_sender[item.sender_id]
