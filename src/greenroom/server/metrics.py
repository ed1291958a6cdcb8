"""Prometheus metrics, and the hooks through which the lower layers feed them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from greenroom.live.room import RoomStatistics
from greenroom.server.inbox import Inbox
from greenroom.server.ops.recorder import Recorder
from greenroom.server.room_metrics import RoomCollector
from greenroom.sessions.registry import Registry
from greenroom.sessions.services import TurnEnd
from greenroom.tasks import CloseReport, Job, JobInfo, TaskScope

log = structlog.stdlib.get_logger("greenroom.tasks")

REPLY_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """What the server counts: implements `sessions.services.Meter` and `tasks.Observer`.

    Args:
        recorder: keeps what the ops page shows.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self.registry = CollectorRegistry()
        self._turns = Counter(
            "greenroom_turns_total", "Turns by how they ended.", ["how"], registry=self.registry
        )
        self._first = Histogram(
            "greenroom_first_reply_seconds",
            "From a message to its first sentence, the agent's time included.",
            buckets=REPLY_BUCKETS,
            registry=self.registry,
        )
        self._turn = Histogram(
            "greenroom_turn_seconds", "Whole turns.", buckets=REPLY_BUCKETS, registry=self.registry
        )
        self._closes = Histogram(
            "greenroom_close_seconds", "Closing one client.", buckets=REPLY_BUCKETS, registry=self.registry
        )
        self._unclean = Counter(
            "greenroom_unclean_closes_total", "Clients that left something behind.", registry=self.registry
        )
        self._refused = Counter(
            "greenroom_refused_total", "What was refused, by kind.", ["what"], registry=self.registry
        )
        self._token_connections = Gauge(
            "greenroom_token_connections",
            "Open connections by the token's name.",
            ["token"],
            registry=self.registry,
        )
        self._token_messages = Counter(
            "greenroom_token_messages_total",
            "Messages by the token's name.",
            ["token"],
            registry=self.registry,
        )
        self._failed = Counter(
            "greenroom_task_failures_total", "Background tasks that failed.", registry=self.registry
        )
        self._abandoned = Counter(
            "greenroom_tasks_abandoned_total",
            "Tasks that did not end when they should.",
            registry=self.registry,
        )

    def watch(self, clients: Registry, scope: TaskScope) -> None:
        """Let a scrape read how many clients and tasks there are now."""
        Gauge("greenroom_clients", "Connected clients.", registry=self.registry).set_function(
            lambda: len(clients)
        )
        Gauge("greenroom_tasks", "Background tasks alive.", registry=self.registry).set_function(
            lambda: scope.statistics().running
        )

    def watch_inbox(self, inbox: Inbox) -> None:
        """Let a scrape read what all clients together have sent and nobody has dealt with."""
        Gauge(
            "greenroom_inbox_bytes",
            "Bytes of messages that are not whole yet, and of large ones that wait.",
            registry=self.registry,
        ).set_function(lambda: inbox.total)

    def watch_rooms(self, rooms: Callable[[], Sequence[RoomStatistics]]) -> None:
        """Let a scrape read what there is about each room."""
        self.registry.register(RoomCollector(rooms))

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)

    # -- sessions.services.Meter

    def turn_began(self) -> None:
        self._recorder.turn_began()

    def turn_ended(self, turn: TurnEnd) -> None:
        self._turns.labels(turn.how).inc()
        self._turn.observe(turn.seconds)
        if turn.first_reply_seconds is not None:
            self._first.observe(turn.first_reply_seconds)
        self._recorder.turn_ended(turn)

    def client_closed(self, seconds: float, clean: bool) -> None:
        self._closes.observe(seconds)
        if not clean:
            self._unclean.inc()

    def refused(self, what: str) -> None:
        self._refused.labels(what).inc()

    # -- server.security.door.Meter

    def token_connections(self, name: str, change: int) -> None:
        self._token_connections.labels(name).inc(change)

    def token_message(self, name: str) -> None:
        self._token_messages.labels(name).inc()

    # -- tasks.Observer

    def job_failed(self, job: Job[object], error: BaseException) -> None:
        self._failed.inc()
        log.error("a task failed", task=job.path, started_at=job.site, exc_info=error)

    def job_abandoned(self, info: JobInfo) -> None:
        self._abandoned.inc()
        self._recorder.abandoned += 1
        log.error(
            "a task was abandoned", task=f"{info.owner}/{info.name}", site=info.site, stack=list(info.stack)
        )

    def scope_closed(self, report: CloseReport) -> None:
        self._recorder.scope_closed(report)
