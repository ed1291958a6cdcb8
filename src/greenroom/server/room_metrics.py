"""The rooms' series in `/metrics`, read at each scrape: a message costs nothing, a closed room has no series."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, SummaryMetricFamily
from prometheus_client.registry import Collector

from greenroom.live.room import RoomStatistics

Family = GaugeMetricFamily | CounterMetricFamily | SummaryMetricFamily


class RoomCollector(Collector):
    """As many series as there are open rooms, which is bounded by `rooms.max_rooms`."""

    def __init__(self, rooms: Callable[[], Sequence[RoomStatistics]]) -> None:
        self._rooms = rooms

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
        for room in self._rooms():
            name, queue = [room.name], room.queue
            viewers.add_metric(name, room.viewers)
            waiting.add_metric(name, queue.waiting)
            oldest.add_metric(name, queue.oldest_age)
            messages.add_metric([*name, "accepted"], queue.accepted)
            messages.add_metric([*name, "merged"], queue.merged)
            for reason, count in queue.dropped.items():
                messages.add_metric([*name, reason], count)
            start.add_metric(name, queue.started, queue.wait_seconds)
            for how, count in queue.ended.items():
                conversations.add_metric([*name, how], count)
            talk.add_metric(name, sum(queue.ended.values()), queue.conversation_seconds)
        yield from (viewers, waiting, oldest, messages, start, conversations, talk)
