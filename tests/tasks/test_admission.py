"""Bounds and policies against a model that is simple enough to be right."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from greenroom.tasks import AnyJob, Job, ScopeFull, TaskScope

from .recording import Recorder
from .virtual_loop import VirtualLoop, ticks

KEYS = st.sampled_from([None, None, "a", "b"])
POLICIES = st.sampled_from(["restart", "drop", "queue", "keep_latest"])


@dataclass(eq=False)
class Modelled:
    """What the model knows of one job."""

    number: int
    key: str | None
    policy: str | None
    state: str = "waiting"
    job: AnyJob[Any] | None = None
    gate: asyncio.Event = field(default_factory=asyncio.Event)


class AdmissionMachine(RuleBasedStateMachine):
    """Starts, ends and cancels jobs in any order, and compares each one's state with the model's."""

    max_running = 2
    max_waiting = 3
    per_key = 2

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.recorder = Recorder()
        self.scope = TaskScope(
            "app",
            max_running=self.max_running,
            max_waiting=self.max_waiting,
            max_waiting_per_key=self.per_key,
            observer=self.recorder,
        )
        self.jobs: list[Modelled] = []
        self.running: list[Modelled] = []
        self.queue: list[Modelled] = []
        """In line for room; of each key at most one."""
        self.behind: list[Modelled] = []
        """Waiting for one of their key to end."""
        self.refused = 0

    def teardown(self) -> None:
        async def close() -> None:
            waiting = len(self.queue) + len(self.behind)
            report = await self.scope.close()
            assert (report.ended, report.dropped) == (len(self.running), waiting)

        self.loop.run_until_complete(close())
        assert self.recorder.failures == []
        self.loop.close()

    # -- the model -----------------------------------------------------------------------------------------

    def holder(self, key: str | None) -> Modelled | None:
        if key is None:
            return None
        return next((job for job in (*self.running, *self.queue) if job.key == key), None)

    def fill(self) -> None:
        while self.queue and len(self.running) < self.max_running:
            job = self.queue.pop(0)
            job.state = "running"
            self.running.append(job)

    def ended(self, job: Modelled, state: str) -> None:
        job.state = state
        self.running.remove(job)
        self.promote(job.key)
        self.fill()

    def promote(self, key: str | None) -> None:
        if key is not None:
            for other in self.behind:
                if other.key == key:
                    self.behind.remove(other)
                    self.queue.append(other)
                    return

    def admit(self, job: Modelled) -> bool:
        waiting = len(self.queue) + len(self.behind)
        holder = self.holder(job.key)
        if holder is None:
            if waiting >= self.max_waiting and (self.queue or len(self.running) >= self.max_running):
                return False
            self.queue.append(job)
            self.fill()
            return True
        if job.policy == "drop":
            job.state = "dropped"
            return True
        behind = [other for other in self.behind if other.key == job.key]
        if job.policy == "queue":
            if waiting >= self.max_waiting or len(behind) >= self.per_key:
                return False
            self.behind.append(job)
            return True
        for other in behind:
            other.state = "dropped"
            self.behind.remove(other)
        if holder in self.queue:
            self.queue[self.queue.index(holder)] = job
            holder.state = "dropped"
            return True
        self.behind.append(job)
        if job.policy == "restart":
            self.ended(holder, "cancelled")
        return True

    # -- what happens --------------------------------------------------------------------------------------

    @rule(key=KEYS, policy=POLICIES)
    def start(self, key: str | None, policy: Any) -> None:
        job = Modelled(len(self.jobs), key, policy if key else None)

        async def work() -> None:
            await job.gate.wait()

        async def act() -> bool:
            try:
                job.job = self.scope.start(work, name=str(job.number), key=key, policy=job.policy)  # type: ignore
            except ScopeFull:
                return False
            await ticks(6)
            return True

        admitted = self.admit(job)
        assert self.loop.run_until_complete(act()) == admitted
        if admitted:
            self.jobs.append(job)
        else:
            self.refused += 1

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from(self.running))

        async def act() -> None:
            job.gate.set()
            await ticks(6)

        self.loop.run_until_complete(act())
        self.ended(job, "finished")

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from(self.jobs[-8:]))
        assert job.job is not None

        async def act() -> bool:
            assert job.job is not None
            cancelled = job.job.cancel("cancelled by the model")
            await ticks(6)
            return cancelled

        assert self.loop.run_until_complete(act()) == (job.state in ("waiting", "running"))
        if job.state == "running":
            self.ended(job, "cancelled")
        elif job in self.behind:
            self.behind.remove(job)
            job.state = "dropped"
        elif job in self.queue:
            job.state = "dropped"
            place = self.queue.index(job)
            heir = next((other for other in self.behind if other.key == job.key and job.key), None)
            if heir is not None:
                self.behind.remove(heir)
                self.queue[place] = heir
            else:
                self.queue.remove(job)
        self.fill()

    @invariant()
    def same_states(self) -> None:
        for job in self.jobs:
            assert job.job is not None
            assert job.job.state == job.state, job

    @invariant()
    def same_counts(self) -> None:
        seen = self.scope.statistics()
        states = [job.state for job in self.jobs]
        waiting = len(self.queue) + len(self.behind)
        assert (seen.running, seen.waiting) == (len(self.running), waiting)
        assert seen.running <= self.max_running
        assert (seen.finished, seen.cancelled) == (states.count("finished"), states.count("cancelled"))
        assert seen.started == seen.running + seen.finished + seen.cancelled
        assert (seen.refused, seen.failed, seen.abandoned) == (self.refused, 0, 0)
        # Superseded ones that ran are cancelled, those that waited are dropped; both are counted here.
        assert states.count("dropped") <= seen.superseded + seen.dropped <= len(self.jobs)

    @invariant()
    def begun_ones_are_tasks(self) -> None:
        for job in self.running:
            inner = job.job if isinstance(job.job, Job) else getattr(job.job, "job", None)
            assert inner in self.scope.running


TestAdmission = AdmissionMachine.TestCase
TestAdmission.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
