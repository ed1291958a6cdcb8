"""The ops room: put together from its parts, started and stopped with the server."""

from __future__ import annotations

import asyncio

from greenroom.config.settings import Settings
from greenroom.live.rooms import Rooms
from greenroom.server.freed_memory import FreedMemory, library_trim
from greenroom.server.ops.broadcast import Broadcast, Subscriber, event
from greenroom.server.ops.messages import OpsAbandonedList, OpsCloses, OpsQueues, OpsSample
from greenroom.server.ops.recorder import Recorder
from greenroom.server.ops.sampler import Sampler
from greenroom.server.ops.samples import SampleHistory
from greenroom.server.ops.soak import SoakRunner
from greenroom.server.ops.state import StateBook
from greenroom.server.ops.tree import abandoned_tasks
from greenroom.sessions.services import Services
from greenroom.tasks import TaskScope


class OpsRoom:
    """What `/ops` and `greenroom top` show.

    Args:
        root: the scope of the whole server; its own tasks are in a child of it.
        recorder: fed by the metrics.
    """

    def __init__(
        self, settings: Settings, root: TaskScope, services: Services, rooms: Rooms, recorder: Recorder
    ) -> None:
        limits = self.settings = settings.ops
        self.root = root
        self.scope = root.child("ops")
        self.broadcast = Broadcast(limits.max_subscribers, limits.subscriber_bytes, limits.subscriber_seconds)
        self.soak = SoakRunner(self.scope.child("soak"), limits, services, self._soak_changed)
        self._recorder = recorder
        history = SampleHistory(limits.history_seconds, limits.history_hours)
        self.book = StateBook(settings, services, rooms, recorder, history, lambda: self.soak.current)
        self._freed = FreedMemory(self.scope.child("memory"), library_trim())
        self._sampler = Sampler(root, recorder, history, self.book.gauges, self._sampled)
        self._told_visits = self._told_closes = 0
        self._told_abandoned: tuple[str, ...] = ()
        self._told_queues: OpsQueues | None = None
        self._soak_news = False

    def start(self) -> None:
        """Begin to watch: what happened before was the server's own warm-up."""
        self._recorder.awake = True
        self.scope.start(self._sampler.run, name="sampler")

    def stop(self) -> None:
        """First step of a shutdown: end the streams, so that nobody's page holds the server up."""
        self.broadcast.close()

    async def close(self) -> None:
        """End the sampler, and the soak that may run."""
        await self.scope.close(reason="shutdown")

    def subscribe(self, transport: asyncio.WriteTransport) -> Subscriber:
        """Join the stream, beginning with the whole state. Raises `broadcast.Full`."""
        # The others hear now what would come with the next second: the state has it already.
        if news := self._news():
            self.broadcast.send(news)
        return self.broadcast.join(transport, event("state", self.book.state()))

    def _soak_changed(self) -> None:
        self._soak_news = True

    def _sampled(self, sample: OpsSample) -> None:
        self.book.tasks_by_kind = sample.tasks_by_kind
        self.book.learn()
        self._freed.look(sample.rss_mb, sample.cpu_pct)
        if len(self.broadcast):
            self.broadcast.send(event("sample", sample) + self._news())

    def _news(self) -> bytes:
        """What has changed since the last time."""
        recorder = self._recorder
        found: list[bytes] = []
        if recorder.visits_total != self._told_visits:
            found.append(event("visits", self.book.new_visits(self._told_visits)))
            self._told_visits = recorder.visits_total
        if recorder.closes_total != self._told_closes:
            closes = recorder.closes.since(self._told_closes)
            found.append(event("closes", OpsCloses(closes, recorder.closes_total)))
            self._told_closes = recorder.closes_total
        abandoned = abandoned_tasks()
        ids = tuple(task.id for task in abandoned)
        if ids != self._told_abandoned:
            found.append(event("abandoned", OpsAbandonedList(abandoned, recorder.abandoned)))
            self._told_abandoned = ids
        queues = self.book.queues()
        if queues != self._told_queues:
            found.append(event("queues", queues))
            self._told_queues = queues
        if self._soak_news and self.soak.current is not None:
            found.append(event("soak", self.soak.current))
            self._soak_news = False
        return b"".join(found)
