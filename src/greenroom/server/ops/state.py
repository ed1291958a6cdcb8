"""What the server is and holds, put together for those who watch: the whole state, and what is new in it.

The whole state is some 200 kB. Its parts are encoded when they have changed and not before, so that fifty pages
which open in the same second cost one encoding.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from time import monotonic, time
from typing import Any

import msgspec

from greenroom import __version__
from greenroom.config.settings import Settings
from greenroom.live.rooms import Rooms
from greenroom.server.ops.hint import BASELINE_VISITS, WARM_UP, Baseline, verdict
from greenroom.server.ops.messages import (
    OpsBaseline,
    OpsLimits,
    OpsNewVisits,
    OpsProvider,
    OpsQueue,
    OpsQueues,
    OpsSoak,
    OpsVerdict,
)
from greenroom.server.ops.recorder import Recorder
from greenroom.server.ops.sampler import Gauges
from greenroom.server.ops.samples import SampleHistory
from greenroom.server.ops.tree import abandoned_tasks
from greenroom.sessions.services import Services

MOST_QUEUES = 200
HINT_SECONDS = 5.0
"""The hint is thought over at most this often: it compares all visits with each other."""
_encode = msgspec.json.Encoder().encode


class StateBook:
    """Reads the server's parts.

    Args:
        settings, services, rooms: those of the server.
        recorder, history: its past.
        soak: the soak that runs here, or the last one.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        settings: Settings,
        services: Services,
        rooms: Rooms,
        recorder: Recorder,
        history: SampleHistory,
        soak: Callable[[], OpsSoak | None],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._settings = settings
        self._services = services
        self._rooms = rooms
        self._recorder = recorder
        self._history = history
        self._soak = soak
        self._clock = clock
        self._began = clock()
        self._started_at = round(time(), 1)
        self._baseline = Baseline()
        self._hint: OpsVerdict | None = None
        self._hint_at = 0.0
        self._hint_visits = -1
        self._parts: dict[str, tuple[object, msgspec.Raw]] = {}
        self.tasks_by_kind: dict[str, int] = {}

    def gauges(self) -> Gauges:
        """The figures of a sample that are not the process's own."""
        busy = waiting = queued = viewers = 0
        for engine in self._services.engines.all_engines():
            found = engine.statistics()
            busy += found.generating
            waiting += found.waiting
        for room in self._rooms:
            queued += room.queue.waiting
            viewers += room.viewers
        return Gauges(busy, waiting, queued, len(self._services.registry), viewers)

    def limits(self) -> OpsLimits:
        settings = self._settings
        slots = [engine.statistics().slots for engine in self._services.engines.all_engines()]
        return OpsLimits(
            connections=settings.limits.max_connections,
            provider_slots=sum(slots) if slots and all(slots) else None,
            rooms=settings.rooms.max_rooms,
            forwards=settings.rooms.max_concurrent_forwards,
            queue=settings.queue.max_waiting,
            subscribers=settings.ops.max_subscribers,
            soak_visits=settings.ops.soak_visits if settings.ops.soak else 0,
            fine_s=settings.ops.history_seconds,
            coarse_s=settings.ops.history_hours * 3600,
            visits=settings.ops.visits,
            closes=settings.ops.closes,
            tree_nodes=settings.ops.tree_nodes,
        )

    def queues(self) -> OpsQueues:
        """All rooms' queues, the fullest first, and all engines."""
        found: list[OpsQueue] = []
        for room in self._rooms:
            queue = room.queue.statistics()
            found.append(
                OpsQueue(room.name, queue.waiting, round(queue.oldest_age, 1), queue.active, room.viewers)
            )
        found.sort(key=lambda queue: (-queue.waiting, -queue.viewers, queue.room))
        return OpsQueues(found[:MOST_QUEUES], [*self._agents(), *self._voices()])

    def _agents(self) -> list[OpsProvider]:
        return [
            OpsProvider(
                name=engine.description,
                kind="agent",
                busy=found.generating,
                waiting=found.waiting,
                slots=found.slots or None,
                started=found.started,
                finished=found.finished,
                aborted=found.aborted,
                failed=found.failed,
            )
            for engine in self._services.engines.all_engines()
            for found in (engine.statistics(),)
        ]

    def _voices(self) -> list[OpsProvider]:
        return [
            OpsProvider(
                name=engine.description,
                kind="voice",
                busy=found.speaking,
                waiting=found.waiting,
                slots=found.slots or None,
                started=found.speaking + found.finished + found.failed + found.cancelled,
                finished=found.finished,
                aborted=found.cancelled,
                failed=found.failed,
            )
            for engine in self._services.voices.engines()
            for found in (engine.statistics(),)
        ]

    # -- is it getting slower? -----------------------------------------------------------------------------

    def learn(self) -> OpsBaseline | None:
        """Form the band as soon as there are visits enough; cheap afterwards."""
        if self._baseline.band is None and self._recorder.visits_total >= WARM_UP + BASELINE_VISITS:
            self._baseline.learn(self._recorder.visits())
        return self._baseline.band

    def hint(self) -> OpsVerdict:
        """The hint, not older than `HINT_SECONDS` if there were visits since."""
        total, now = self._recorder.visits_total, self._clock()
        old = self._hint is None or now - self._hint_at >= HINT_SECONDS
        if self._hint is None or (old and total != self._hint_visits):
            self._hint = verdict(self._recorder.visits(), self.learn())
            self._hint_at, self._hint_visits = now, total
        return self._hint

    def new_visits(self, since: int) -> OpsNewVisits:
        return OpsNewVisits(
            self._recorder.visits(since), self._recorder.visits_total, self.learn(), self.hint()
        )

    # -- the whole -----------------------------------------------------------------------------------------

    def state(self) -> bytes:
        """An `OpsState` as JSON."""
        recorder = self._recorder
        queues = self.queues()
        whole: dict[str, Any] = {
            "version": __version__,
            "pid": os.getpid(),
            "started_at": self._started_at,
            "uptime_s": round(self._clock() - self._began, 1),
            "limits": self.limits(),
            "samples": self._part("fine", self._history.fine_total, self._history.fine),
            "samples_coarse": self._part("coarse", self._history.coarse_total, self._history.coarse),
            "visits": self._part("visits", recorder.visits_total, recorder.visits),
            "visits_total": recorder.visits_total,
            "baseline": self.learn(),
            "verdict_hint": self.hint(),
            "tasks_by_kind": self.tasks_by_kind,
            "closes": self._part("closes", recorder.closes_total, lambda: recorder.closes.since(0)),
            "closes_total": recorder.closes_total,
            "abandoned": abandoned_tasks(),
            "abandoned_total": recorder.abandoned,
            "queues": queues.queues,
            "providers": queues.providers,
            "soak": self._soak(),
        }
        return _encode(whole)

    def _part(self, name: str, version: object, make: Callable[[], object]) -> msgspec.Raw:
        known = self._parts.get(name)
        if known is None or known[0] != version:
            known = self._parts[name] = (version, msgspec.Raw(_encode(make())))
        return known[1]
