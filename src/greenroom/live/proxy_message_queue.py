"""`ProxyMessageQueue`: one room's messages on their way into conversations, one at a time.

A thin shell around `QueuePolicy`. Nothing polls: a message, the end of a conversation and the age limit each
wake the one loop. The gate (`conversation_active`) closes before a message is taken; the loop opens it when
the job that held the conversation has ended, in whatever way, even one that was cancelled before its first
step. A message leaves the policy when it is taken, so none can be forwarded twice.

Across rooms `max_concurrent_forwards` conversations run; that bound is the scope the forwards are started in.
A paused queue takes messages in and starts none: nobody is there to see the reply.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any, Protocol
from uuid import uuid4

from greenroom.live.queue_policy import DropReason, Offer, QueueItem, QueueLimits, QueuePolicy
from greenroom.tasks import JobCancelled, ScopeClosed, TaskScope

log = logging.getLogger("greenroom.live")

Trigger = Callable[[QueueItem], Awaitable[str | None]]
"""Holds a conversation; may say how it ended, if it did not just finish."""


class QueueListener(Protocol):
    """Told what becomes of messages, so that it can tell their senders. Must not raise."""

    def queued(self, item: QueueItem, position: int, waiting: int) -> None: ...
    def merged(self, item: QueueItem, twin: QueueItem, retry_after: float) -> None: ...
    def moved(self, positions: list[tuple[QueueItem, int]], waiting: int) -> None: ...
    def started(self, item: QueueItem) -> None: ...
    def dropped(self, item: QueueItem, reason: DropReason, retry_after: float) -> None: ...
    def ended(self, item: QueueItem, how: str, seconds: float) -> None: ...


@dataclass(frozen=True, slots=True)
class QueueStatistics:
    """Counts since the queue was made: `offered` = `started` + `merged` + all `dropped` + `waiting`, and
    `started` is the sum of `ended`, plus one while a conversation runs. Times in seconds, in all."""

    waiting: int
    active: bool
    oldest_age: float
    offered: int
    accepted: int
    merged: int
    started: int
    ended: dict[str, int]
    """By how: `finished`, `failed`, `timed out`, `cancelled`, or the trigger's own word."""
    dropped: dict[str, int]
    """By reason."""
    wait_seconds: float
    conversation_seconds: float


class ProxyMessageQueue:
    """The queue of one room.

    Args:
        scope: owns the loop of this room.
        forwards: bounds the conversations of all rooms (`max_running` = `max_concurrent_forwards`).
        max_concurrent_forwards: that bound, so that senders can be told that they wait for it.
        conversation_trigger_callback: holds one conversation with a message; returns when it has ended.
        conversation_seconds: a conversation that takes longer is cancelled.
    """

    def __init__(
        self,
        name: str,
        scope: TaskScope,
        forwards: TaskScope,
        conversation_trigger_callback: Trigger,
        listener: QueueListener,
        *,
        limits: QueueLimits,
        max_concurrent_forwards: int = 5,
        conversation_seconds: float = 240.0,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.name = name
        self.conversation_trigger_callback = conversation_trigger_callback
        self.conversation_active = False
        self._policy = QueuePolicy(limits)
        self._scope = scope
        self._forwards = forwards
        self._listener = listener
        self._max_forwards = max_concurrent_forwards
        self._conversation_seconds = conversation_seconds
        self._clock = clock
        self._wakeup: asyncio.Future[None] | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self._expires_at: float | None = None
        self._open = True
        self._paused = False
        self._counts = dict.fromkeys(("offered", "accepted", "merged", "started"), 0)
        self._ended: dict[str, int] = {}
        self._dropped: dict[str, int] = {}
        self._waited = self._talked = 0.0

    def start(self) -> None:
        """Begin to consume."""
        self._scope.start(self._consume_loop, name="queue")

    def pause(self) -> None:
        """Start no conversation until `resume`; the one that runs goes on."""
        self._paused = True

    def resume(self) -> None:
        self._paused = False
        self._wake()

    # -- in ------------------------------------------------------------------------------------------------

    def queue_message(self, text: str, sender_id: str, message: Any = None, *, priority: int = 0) -> Offer:
        """Take a message in; the listener hears of its place, or of the reason why not."""
        item = QueueItem(uuid4().hex, sender_id, text, message, priority)
        return self.queue_item(item)

    def queue_item(self, item: QueueItem, *, age: float | None = None) -> Offer:
        """`queue_message` for an item that has its id; `age` (s) if it was accepted before a restart."""
        self._counts["offered"] += 1
        if not self._open:
            self._drop(item, "room-closed", 0.0)
            return Offer(False, "room-closed")
        now = self._clock()
        self._expire(now)
        if age is not None and age >= self._policy.limits.max_age:
            self._drop(item, "expired", 0.0)
            return Offer(False, "expired")
        since = now - max(0.0, age or 0.0)
        offer = self._policy.offer(item, since, accepted_before=age is not None)
        for displaced in offer.displaced:
            self._drop(displaced, "displaced", offer.retry_after)
        if offer.merged_into is not None:
            self._counts["merged"] += 1
            self._listener.merged(item, offer.merged_into, offer.retry_after)
            if offer.position:
                self._listener.queued(offer.merged_into, offer.position, len(self._policy))
        elif offer.accepted:
            self._counts["accepted"] += 1
            self._arm()
            if self.conversation_active or self._paused or offer.position > 1:
                self._listener.queued(item, offer.position, len(self._policy))
            self._wake()
        else:
            self._drop(item, offer.reason or "queue-full", offer.retry_after)
        return offer

    def would_take(self, item: QueueItem) -> bool:
        """Whether `queue_item` would accept it now."""
        now = self._clock()
        self._expire(now)
        return self._open and self._policy.would_take(item, now)

    def has_pending_messages(self) -> bool:
        return len(self._policy) > 0

    @property
    def waiting(self) -> int:
        """Messages that wait."""
        return len(self._policy)

    # -- through -------------------------------------------------------------------------------------------

    async def _consume_loop(self) -> None:
        """Start the next conversation whenever there is a message and the gate is open."""
        loop = asyncio.get_running_loop()
        while True:
            if self._paused or not self.has_pending_messages():
                self._wakeup = loop.create_future()
                await self._wakeup
                continue
            self.conversation_active = True
            try:
                if len(self._forwards.running) >= self._max_forwards:
                    self._tell_places()
                # Waits for its place among all rooms; which message it takes is decided when it begins.
                forward = await self._forwards.submit(self._forward_message, name=f"forward {self.name}")
                await forward.wait()
            except JobCancelled:
                # Somebody withdrew it before it began: the message still waits.
                continue
            except ScopeClosed:
                return
            finally:
                self.conversation_active = False

    async def _forward_message(self) -> None:
        """Hold one conversation; whatever happens to it, the loop opens the gate again."""
        began = self._clock()
        self._expire(began)
        item = None if self._paused else self._policy.take()
        self._arm()
        if item is None:
            return
        self._counts["started"] += 1
        self._waited += began - item.queued_at
        how = "failed"
        limit = asyncio.timeout(self._conversation_seconds)
        try:
            self._listener.started(item)
            self._tell_places()
            async with limit:
                how = await self.conversation_trigger_callback(item) or "finished"
        except TimeoutError as error:
            if limit.expired():
                how = "timed out"
                seconds = self._conversation_seconds
                log.warning("room %s: a conversation took longer than %g s", self.name, seconds)
            else:
                log.exception("room %s: a conversation failed: %s", self.name, type(error).__name__)
        except asyncio.CancelledError:
            how = "cancelled"
            raise
        except Exception as error:
            log.exception("room %s: a conversation failed: %s", self.name, type(error).__name__)
        finally:
            seconds = self._clock() - began
            self._talked += seconds
            self._policy.done(item)
            self._policy.note_pace(seconds)
            self._ended[how] = self._ended.get(how, 0) + 1
            self._listener.ended(item, how, seconds)

    def _wake(self) -> None:
        if self._wakeup is not None and not self._wakeup.done():
            self._wakeup.set_result(None)

    def _tell_places(self) -> None:
        places = [(item, place) for place, item in enumerate(self._policy.order(), 1)]
        if places:
            self._listener.moved(places, len(places))

    # -- out -----------------------------------------------------------------------------------------------

    def _drop(self, item: QueueItem, reason: DropReason, retry_after: float) -> None:
        self._dropped[reason] = self._dropped.get(reason, 0) + 1
        self._listener.dropped(item, reason, retry_after)

    def _expire(self, now: float) -> None:
        for item in self._policy.expire(now):
            self._drop(item, "expired", 0.0)

    def _arm(self) -> None:
        """One timer, for the oldest message, and only while something waits."""
        due = self._policy.next_expiry()
        if due == self._expires_at and self._expiry is not None:
            return
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        self._expires_at = due
        if due is not None:
            delay = max(0.0, due - self._clock())
            self._expiry = asyncio.get_running_loop().call_later(delay, self._on_expiry)

    def _on_expiry(self) -> None:
        self._expiry = None
        self._expire(self._clock())
        self._arm()

    def close(self) -> int:
        """Refuse more and drop what waits, telling its senders; the loop dies with its scope."""
        self._open = False
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        waiting = self._policy.clear()
        for item in waiting:
            self._drop(item, "room-closed", 0.0)
        return len(waiting)

    def statistics(self) -> QueueStatistics:
        return QueueStatistics(
            waiting=len(self._policy),
            active=self.conversation_active,
            oldest_age=self._policy.oldest_age(self._clock()),
            ended=dict(self._ended),
            dropped=dict(self._dropped),
            wait_seconds=self._waited,
            conversation_seconds=self._talked,
            **self._counts,
        )


__all__ = ["ProxyMessageQueue", "QueueListener", "QueueStatistics", "Trigger"]
