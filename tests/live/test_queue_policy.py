"""The policy of a room's queue: who is next, who is turned away, and that nobody vanishes."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from greenroom.live.queue_policy import Offer, QueueItem, QueueLimits, QueuePolicy

NUMBER = iter(range(10**9))


def item(
    sender: str = "a", text: str | None = None, priority: int = 0, size: int = 0, message: Any = None
) -> QueueItem:
    number = next(NUMBER)
    return QueueItem(
        f"id{number}", sender, text if text is not None else f"text {number}", message, priority, size=size
    )


def taken(policy: QueuePolicy) -> list[QueueItem]:
    """Everything, in the order in which it is taken."""
    found: list[QueueItem] = []
    while (one := policy.take()) is not None:
        found.append(one)
    return found


def offered(policy: QueuePolicy, *items: QueueItem, now: float = 0.0) -> list[Offer]:
    return [policy.offer(one, now) for one in items]


# -- order ----------------------------------------


def test_senders_take_turns() -> None:
    """One who floods waits behind himself, not in front of the others."""
    policy = QueuePolicy(QueueLimits(per_sender=10))
    flood = [item("flood") for _ in range(5)]
    polite = [item(f"polite {number}") for number in range(3)]
    offered(policy, *flood, *polite)
    assert taken(policy) == [flood[0], *polite, *flood[1:]]


def test_more_urgent_messages_go_first() -> None:
    """Owner, then paid, then everybody; a priority out of range counts as the nearest."""
    policy = QueuePolicy(QueueLimits())
    free, paid, owner = item("a", priority=-5), item("b", priority=1), item("c", priority=99)
    offered(policy, free, paid, owner)
    assert [one.priority for one in taken(policy)] == [2, 1, 0]


def test_each_message_knows_its_place() -> None:
    """Places count from 1 in the order of taking; who does not wait has place 0."""
    policy = QueuePolicy(QueueLimits())
    first, second, paid = item("a"), item("b"), item("c", priority=1)
    places = [offer.position for offer in offered(policy, first, second, paid)]
    assert places == [1, 2, 1]
    assert [policy.position(one) for one in (first, second, paid)] == [2, 3, 1]
    assert policy.take() is paid
    assert policy.position(paid) == 0


# -- bounds ----------------------------------------


def test_a_full_share_is_told_as_such() -> None:
    """Beyond the share of one sender a message is refused, with a time after which to try again."""
    policy = QueuePolicy(QueueLimits(per_sender=2))
    offers = offered(policy, item("a"), item("a"), item("a"), item("b"))
    assert [offer.reason for offer in offers] == [None, None, "sender-full", None]
    assert offers[2].retry_after >= 1


def test_a_full_queue_is_told_as_such() -> None:
    """Beyond the queue's length a message is refused."""
    policy = QueuePolicy(QueueLimits(max_waiting=2))
    assert [offer.reason for offer in offered(policy, item("a"), item("b"), item("c"))] == [
        None,
        None,
        "queue-full",
    ]


def test_drop_oldest_displaces() -> None:
    """With `drop-oldest` the newcomer takes the place of the oldest, in a full share of the sender's own."""
    policy = QueuePolicy(QueueLimits(max_waiting=3, per_sender=2, drop="drop-oldest"))
    a1, a2, a3, b, c = item("a"), item("a"), item("a"), item("b"), item("c")
    offers = offered(policy, a1, a2, a3, b, c)
    assert [offer.accepted for offer in offers] == [True] * 5
    assert [offer.displaced for offer in offers] == [(), (), (a1,), (), (a2,)]
    assert taken(policy) == [a3, b, c]


def test_a_full_share_never_costs_something_more_urgent() -> None:
    """A free message does not displace the same sender's paid one; a paid one displaces a free one."""
    policy = QueuePolicy(QueueLimits(per_sender=2, drop="drop-oldest"))
    paid, free, more, owner = item("a", priority=1), item("a"), item("a"), item("a", priority=2)
    offers = offered(policy, paid, free, more, owner)
    assert [offer.displaced for offer in offers] == [(), (), (free,), (more,)]
    strict = QueuePolicy(QueueLimits(per_sender=1))
    cheap, dear = item("a"), item("a", priority=1)
    assert [offer.displaced for offer in offered(strict, cheap, dear)] == [(), (cheap,)]
    assert [offer.reason for offer in offered(strict, item("a", priority=1))] == ["sender-full"]


def test_a_paid_message_displaces_the_one_who_has_most() -> None:
    """In a full queue somebody less urgent makes room: the newest of the sender who has most waiting."""
    policy = QueuePolicy(QueueLimits(max_waiting=4, per_sender=3))
    greedy = [item("greedy") for _ in range(3)]
    modest, paid = item("modest"), item("payer", priority=1)
    policy.offer(modest, 0.0)
    for number, one in enumerate(greedy):
        policy.offer(one, float(number))
    assert policy.offer(paid, 9.0).displaced == (greedy[2],)
    assert policy.take() is paid


def test_bytes_are_bounded() -> None:
    """Pictures count: what waits has an upper bound in bytes, and a place is free again when one is taken."""
    policy = QueuePolicy(QueueLimits(max_bytes=100))
    first = item("a", size=60)
    assert [offer.reason for offer in offered(policy, first, item("b", size=60), item("c", size=40))] == [
        None,
        "queue-full",
        None,
    ]
    assert policy.take() is first
    assert policy.offer(item("b", size=60), 0.0).accepted


# -- ages ----------------------------------------


def test_old_messages_expire() -> None:
    """What has waited for the age limit is handed back, not before; the next expiry is known."""
    policy = QueuePolicy(QueueLimits(max_age=10))
    early, late = item("a"), item("b")
    policy.offer(early, 0.1)
    policy.offer(late, 5.0)
    due = policy.next_expiry()
    assert due is not None
    assert policy.expire(due - 0.01) == []
    assert policy.expire(due) == [early]
    assert policy.oldest_age(11.0) == 6.0
    assert policy.expire(100.0) == [late]
    assert policy.next_expiry() is None


def test_what_was_accepted_before_a_restart_gets_in() -> None:
    """No bound turns it away, its age counts, and it expires in its turn."""
    policy = QueuePolicy(QueueLimits(max_waiting=1, per_sender=1, max_age=10))
    items = [item("a"), item("a"), item("b")]
    for number, one in enumerate(items):
        assert policy.offer(one, -5.0 + number, accepted_before=True).accepted
    assert policy.offer(item("c"), 0.0).reason == "queue-full"
    assert policy.expire(5.5) == items[:1]
    assert taken(policy) == items[1:]


def test_ages_fall_towards_the_end_whatever_the_clock_did() -> None:
    """A restored message that claims to be older than the one before it counts as old as that one."""
    policy = QueuePolicy(QueueLimits(max_age=10))
    first, second = item("a"), item("b")
    policy.offer(first, 5.0)
    policy.offer(second, -100.0, accepted_before=True)
    assert policy.expire(14.9) == []
    assert policy.expire(15.0) == [first, second]


# -- merging ----------------------------------------


def test_the_same_words_merge_until_they_are_answered() -> None:
    """While the first waits or is being answered, the same words of the same sender are no new message."""
    policy = QueuePolicy(QueueLimits(merge_window=5))
    first = item("a", "hi")
    policy.offer(first, 0.0)
    again = policy.offer(item("a", "hi"), 1.0)
    assert (again.reason, again.merged_into, again.position) == ("duplicate", first, 1)
    assert first.copies == 2
    assert policy.offer(item("b", "hi"), 1.0).accepted
    assert policy.take() is first
    talking = policy.offer(item("a", "hi"), 2.0)
    assert (talking.merged_into, talking.position, talking.retry_after) == (first, 0, 3.0)
    policy.done(first)
    assert policy.offer(item("a", "hi"), 2.1).accepted


@pytest.mark.parametrize(
    "second",
    [
        {"now": 5.0},
        {"message": "another picture"},
        {"priority": 1},
    ],
)
def test_what_does_not_merge(second: dict[str, Any]) -> None:
    """Later words, other pictures, and words that were paid for this time."""
    policy = QueuePolicy(QueueLimits(merge_window=5))
    policy.offer(item("a", "hi"), 0.0)
    now = second.pop("now", 1.0)
    assert policy.offer(item("a", "hi", **second), now).accepted


def test_nothing_merges_into_what_was_dropped() -> None:
    """The words of a displaced or expired message are a new message: it will not be answered for them."""
    policy = QueuePolicy(QueueLimits(per_sender=1, drop="drop-oldest", max_age=3, merge_window=60))
    policy.offer(item("a", "hi"), 0.0)
    assert policy.offer(item("a", "ho"), 0.1).displaced
    assert policy.offer(item("a", "hi"), 0.2).accepted
    policy.expire(10.0)
    assert policy.offer(item("a", "hi"), 10.0).accepted


def test_the_pace_makes_retry_after_honest() -> None:
    """After slow conversations one is asked to come back later, never later than the age limit."""
    policy = QueuePolicy(QueueLimits(per_sender=1, max_age=50))
    policy.offer(item("a"), 0.0)
    before = policy.offer(item("a"), 0.0).retry_after
    for _ in range(20):
        policy.note_pace(30.0)
    assert policy.offer(item("a"), 0.0).retry_after > before
    for _ in range(20):
        policy.note_pace(3000.0)
    assert policy.offer(item("a"), 0.0).retry_after == 50


# -- against a model ----------------------------------------


class PolicyMachine(RuleBasedStateMachine):
    """Random offers, takes and waits, against a list and a ring of senders for each priority."""

    LIMITS = QueueLimits(max_waiting=6, per_sender=2, max_age=10, merge_window=3, max_bytes=100)

    def __init__(self) -> None:
        super().__init__()
        self.policy = QueuePolicy(self.LIMITS)
        self.now = 0.0
        self.waiting: list[QueueItem] = []
        self.rings: dict[int, list[str]] = {0: [], 1: [], 2: []}
        self.talking: QueueItem | None = None
        self.fate: Counter[str] = Counter()
        self.turn = 0

    def gone(self, one: QueueItem) -> None:
        self.waiting.remove(one)
        if not any(o.sender_id == one.sender_id and o.priority == one.priority for o in self.waiting):
            self.rings[one.priority].remove(one.sender_id)

    @rule(
        sender=st.sampled_from("abcd"),
        text=st.sampled_from("vwxyz"),
        # Mostly equal, or the turns of the senders hardly ever matter.
        priority=st.sampled_from([0, 0, 0, 1, 2]),
        size=st.integers(0, 30),
    )
    def offer(self, sender: str, text: str, priority: int, size: int) -> None:
        for one in self.policy.expire(self.now):
            self.gone(one)
            self.fate["dropped"] += 1
        new = item(sender, text, priority, size)
        would = self.policy.would_take(new, self.now)
        offer = self.policy.offer(new, self.now)
        self.fate["offered"] += 1
        assert offer.accepted == would
        assert offer.accepted == (offer.reason is None)
        for one in offer.displaced:
            assert one.priority < new.priority
            self.gone(one)
            self.fate["dropped"] += 1
        own = sum(o.sender_id == sender for o in self.waiting)
        if offer.reason == "duplicate":
            twin = offer.merged_into
            assert twin is not None
            assert twin in [*self.waiting, self.talking]
            assert (twin.sender_id, twin.text) == (sender, text)
            assert self.now - twin.queued_at < self.LIMITS.merge_window
            self.fate["merged"] += 1
        elif offer.reason is not None:
            full = {
                "sender-full": own >= self.LIMITS.per_sender,
                "queue-full": len(self.waiting) >= self.LIMITS.max_waiting
                or sum(o.size for o in self.waiting) + size > self.LIMITS.max_bytes - 30,
            }
            assert full[offer.reason]
            assert offer.retry_after > 0
            self.fate["dropped"] += 1
        else:
            self.waiting.append(new)
            if sender not in self.rings[new.priority]:
                self.rings[new.priority].append(sender)

    @rule()
    def take(self) -> None:
        if self.talking is not None:
            self.policy.done(self.talking)
            self.talking = None
        found = self.policy.take()
        priority = max((o.priority for o in self.waiting), default=None)
        if priority is None:
            assert found is None
            return
        assert found is not None
        ring = self.rings[priority]
        expected = next(o for o in self.waiting if o.priority == priority and o.sender_id == ring[0])
        assert found is expected
        self.turn += 1
        ring.append(ring.pop(0))
        self.gone(found)
        self.talking = found
        self.fate["taken"] += 1

    @rule(seconds=st.floats(0.1, 6))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        for one in self.policy.expire(self.now):
            assert self.now - one.queued_at > self.LIMITS.max_age - 1e-6
            self.gone(one)
            self.fate["dropped"] += 1
        assert all(self.now - o.queued_at < self.LIMITS.max_age + 1e-6 for o in self.waiting)

    @precondition(lambda self: self.turn > 5)
    @rule()
    def clear(self) -> None:
        gone = self.policy.clear()
        assert gone == self.waiting
        for one in gone:
            self.gone(one)
        self.fate["dropped"] += len(gone)
        assert self.policy.next_expiry() is None

    @invariant()
    def bounds_hold(self) -> None:
        assert len(self.policy) == len(self.waiting) <= self.LIMITS.max_waiting
        assert max(Counter(o.sender_id for o in self.waiting).values(), default=0) <= self.LIMITS.per_sender
        assert sum(o.size for o in self.waiting) <= self.LIMITS.max_bytes
        assert len(self.policy._recent) <= len(self.waiting) + 1

    @invariant()
    def order_tells_the_future(self) -> None:
        order = list(self.policy.order())
        assert sorted(map(id, order)) == sorted(map(id, self.waiting))
        assert [self.policy.position(o) for o in order] == list(range(1, len(order) + 1))
        rings = {priority: list(ring) for priority, ring in self.rings.items()}
        lines = {
            (p, s): [o for o in self.waiting if (o.priority, o.sender_id) == (p, s)]
            for p in rings
            for s in rings[p]
        }
        expected: list[QueueItem] = []
        for priority in (2, 1, 0):
            ring = rings[priority]
            while ring:
                sender = ring.pop(0)
                expected.append(lines[priority, sender].pop(0))
                if lines[priority, sender]:
                    ring.append(sender)
        assert order == expected

    @invariant()
    def nobody_vanishes(self) -> None:
        told = self.fate["merged"] + self.fate["dropped"] + self.fate["taken"]
        assert self.fate["offered"] == told + len(self.waiting)


PolicyMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
TestPolicyAgainstModel = PolicyMachine.TestCase
