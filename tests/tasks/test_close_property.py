"""Any tree of scopes, with any mixture of bad manners, closed from any place: what must always hold."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from greenroom.tasks import AnyJob, CloseReport, ScopeClosed, TaskScope

from .recording import Recorder, Stubborn, books, forever, swallow
from .virtual_loop import now, ticks, virtual

MANNERS = st.sampled_from(
    [
        "polite",
        "swallow 1",
        "swallow 5",
        "stubborn",
        "slow",
        "fails",
        "starts",
        "finish",
        "queued",
        "closes",
        "runs",
    ]
)
TREES = st.lists(st.tuples(st.integers(0, 5), st.lists(MANNERS, max_size=4)), min_size=1, max_size=6)
CLOSES = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from([0.0, 0.5, 4.0, 60.0]), st.integers(0, 6), st.booleans()),
    max_size=3,
)


class Tree:
    """A tree built from drawn data, and what its jobs did."""

    def __init__(self, shape: list[tuple[int, list[str]]]) -> None:
        self.recorder = Recorder()
        root = TaskScope("root", observer=self.recorder, max_running=50, max_waiting=50)
        self.scopes = [root]
        self.stubborn: list[Stubborn] = []
        self.jobs: list[AnyJob[Any]] = []
        for index, (parent, manners) in enumerate(shape):
            scope = root
            if index:
                above = self.scopes[parent % len(self.scopes)]
                scope = above.child(str(index), max_running=50, max_waiting=50)
                self.scopes.append(scope)
            for manner in manners:
                self.jobs.append(self.start(scope, manner))

    def start(self, scope: TaskScope, manner: str) -> AnyJob[Any]:
        kind, _, times = manner.partition(" ")
        if kind == "swallow":
            return scope.start(swallow, int(times))
        if kind == "stubborn":
            self.stubborn.append(Stubborn())
            return scope.start(self.stubborn[-1].run, name="stubborn")
        if kind == "finish":
            return scope.start(asyncio.sleep, 0.75, on_close="finish")
        if kind == "queued":
            return scope.start(forever, key="k")
        return scope.start(getattr(self, kind), scope)

    async def polite(self, scope: TaskScope) -> None:
        await forever()

    async def slow(self, scope: TaskScope) -> None:
        try:
            await forever()
        finally:
            await asyncio.sleep(0.2)

    async def fails(self, scope: TaskScope) -> None:
        try:
            await forever()
        finally:
            raise ValueError(scope.path)

    async def starts(self, scope: TaskScope) -> None:
        try:
            await forever()
        finally:
            for each in self.scopes:
                try:
                    each.start(forever)
                except ScopeClosed:
                    pass

    async def closes(self, scope: TaskScope) -> None:
        await asyncio.sleep(0.1)
        await scope.close(1)
        await forever()

    async def runs(self, scope: TaskScope) -> None:
        await scope.run(forever)


@settings(max_examples=250, deadline=None)
@given(shape=TREES, closes=CLOSES)
def test_a_close_always_ends_in_time_and_misses_nobody(
    shape: list[tuple[int, list[str]]], closes: list[tuple[int, float, int, bool]]
) -> None:
    """Whatever happens before and meanwhile: in time, every job ended or named, the books right."""

    @virtual
    async def test() -> None:
        tree = Tree(shape)
        root = tree.scopes[0]
        await ticks()
        outside = TaskScope("outside")

        async def close(scope: TaskScope, timeout: float) -> CloseReport:
            began = now()
            report = await scope.close(timeout)
            assert now() - began <= timeout + 0.001
            return report

        for index, timeout, delay, cancelled in closes:
            closer = outside.start(close, tree.scopes[index % len(tree.scopes)], timeout)
            await asyncio.sleep(delay / 20)
            if cancelled:
                closer.cancel()
        try:
            report = await close(root, 5)
            assert await root.close() is report
            await ticks(20)
            check(tree)
        finally:
            for stubborn in tree.stubborn:
                stubborn.gate.set()
            for _ in range(6):
                for job in tree.jobs:
                    job.cancel()
                await ticks()
            await outside.close()

    def check(tree: Tree) -> None:
        root = tree.scopes[0]
        # Alive is only who was abandoned, or closed the root itself, and goes on.
        abandoned = [info.name for info in tree.recorder.abandoned]
        alive = [job for job in tree.jobs if not job.done()]
        assert {job.name for job in root.running} <= {"closes"}
        for job in alive:
            assert job in root.running or job.name in abandoned
        assert abandoned.count("stubborn") == len(tree.stubborn)
        assert len(tree.recorder.closed) == len(tree.scopes)
        assert root.children == frozenset()
        books(root)
        errors = [str(error) for _, _, error in tree.recorder.failures]
        expected = [
            tree.scopes[index].path
            for index, (_, manners) in enumerate(shape)
            for manner in manners
            if manner == "fails"
        ]
        assert sorted(errors) == sorted(expected)

    test()
