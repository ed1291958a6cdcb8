"""The rooms' series in `/metrics`, read at each scrape: a message costs nothing, a closed room has no series."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, SummaryMetricFamily
from prometheus_client.registry import Collector

from greenroom.live.room import RoomStatistics

MAX_NAMES = 1000
"""Rooms that get series of their own in the life of the process: whoever comes in may make a name up, and whoever
stores the series keeps those of every name. The rooms beyond share theirs."""
OTHERS = "(others)"
"""No room can be called that."""

Family = GaugeMetricFamily | CounterMetricFamily | SummaryMetricFamily


class RoomCollector(Collector):
    """As many series as there are open rooms, which is bounded by `rooms.max_rooms`."""

    def __init__(self, rooms: Callable[[], Sequence[RoomStatistics]], max_names: int = MAX_NAMES) -> None:
        self._rooms = rooms
        self._max_names = max_names
        self._names: set[str] = set()

    def _label(self, name: str) -> str:
        if name not in self._names:
            if len(self._names) >= self._max_names:
                return OTHERS
            self._names.add(name)
        return name

    def describe(self) -> Iterator[Family]:
        # Nothing to read yet when it is registered.
        return iter(())

    def collect(self) -> Iterator[Family]:
        viewers = GaugeMetricFamily("greenroom_room_viewers", "Viewers of a room.", labels=["room"])
        waiting = GaugeMetricFamily("greenroom_room_waiting", "Messages that wait.", labels=["room"])
        oldest = GaugeMetricFamily(
            "greenroom_room_oldest_seconds", "Age of the oldest message that waits.", labels=["room"]
        )
        messages = CounterMetricFamily(
            "greenroom_room_messages",
            "Messages by what became of them first: accepted, merged, or the reason they were dropped for.",
            labels=["room", "what"],
        )
        start = SummaryMetricFamily(
            "greenroom_room_start_seconds",
            "From a message to the start of its conversation.",
            labels=["room"],
        )
        conversations = CounterMetricFamily(
            "greenroom_room_conversations", "Conversations by how they ended.", labels=["room", "how"]
        )
        talk = SummaryMetricFamily(
            "greenroom_room_conversation_seconds", "Whole conversations.", labels=["room"]
        )
        labelled: dict[str, list[RoomStatistics]] = {}
        for room in self._rooms():
            labelled.setdefault(self._label(room.name), []).append(room)
        for label, rooms in labelled.items():
            name, queues = [label], [room.queue for room in rooms]
            viewers.add_metric(name, sum(room.viewers for room in rooms))
            waiting.add_metric(name, sum(queue.waiting for queue in queues))
            oldest.add_metric(name, max(queue.oldest_age for queue in queues))
            fates: Counter[str] = Counter()
            ends: Counter[str] = Counter()
            for queue in queues:
                fates.update({"accepted": queue.accepted, "merged": queue.merged, **queue.dropped})
                ends.update(queue.ended)
            for what, count in fates.items():
                messages.add_metric([*name, what], count)
            for how, count in ends.items():
                conversations.add_metric([*name, how], count)
            start.add_metric(
                name, sum(queue.started for queue in queues), sum(queue.wait_seconds for queue in queues)
            )
            talk.add_metric(name, ends.total(), sum(queue.conversation_seconds for queue in queues))
        yield from (viewers, waiting, oldest, messages, start, conversations, talk)
