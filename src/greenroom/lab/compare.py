"""`greenroom compare`: the analysis' decision matrix, measured instead of guessed.

Six strategies play the same seeded workload one after the other, in one process and one run, against a
provider with few slots. Nothing is simulated but the provider: tasks, queues, closes and errors are real,
only time runs `speed` times faster. The stars follow from the figures by the rules in `judge`.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from math import ceil, floor, log2
from typing import Any

from greenroom.lab.strategies import STRATEGIES, Strategy
from greenroom.lab.workload import PlannedMessage, PlannedPage, Workload, WorkloadSettings, plan
from greenroom.tasks import TaskScope

SETTLE = 1.0
"""Seconds of the played world after the last close, before the survivors are counted."""
LAST_PAGES = 12
LAST_WORDS = PlannedMessage(0, 0.0, 30.0, False)
"""What a dozen pages say just before the server stops: longer than anybody will wait."""


@dataclass(slots=True)
class Provider:
    """Answers with `slots` at once; notes what each conversation came to."""

    workload: Workload
    speed: float
    slots: asyncio.Semaphore = field(init=False)
    gone: dict[int, float] = field(default_factory=dict)
    asked: dict[tuple[int, int], float] = field(default_factory=dict)
    first: dict[tuple[int, int], float] = field(default_factory=dict)
    order: list[tuple[int, int]] = field(default_factory=list)
    finished: int = 0
    failed: int = 0
    wasted: float = 0.0
    """Seconds of slot time given to pages that had gone."""

    def __post_init__(self) -> None:
        self.slots = asyncio.Semaphore(self.workload.settings.slots)

    async def converse(self, page: int, number: int) -> None:
        message = self.workload.pages[page].messages[number] if page >= 0 else LAST_WORDS
        async with self.slots:
            began = time.monotonic()
            try:
                self.order.append((page, number))
                first = message.seconds * self.workload.settings.first_token_share
                await asyncio.sleep(first / self.speed)
                if page not in self.gone and page >= 0:
                    self.first[page, number] = time.monotonic()
                if message.fails:
                    self.failed += 1
                    raise ConnectionError("the provider hung up")
                await asyncio.sleep((message.seconds - first) / self.speed)
                if page not in self.gone and page >= 0:
                    self.finished += 1
            finally:
                if page in self.gone:
                    self.wasted += (time.monotonic() - max(began, self.gone[page])) * self.speed


@dataclass(frozen=True, slots=True)
class Result:
    """What one strategy came to. Times in seconds of the played world, `close_ms` in real milliseconds."""

    key: str
    title: str
    first_p50: float
    first_p99: float
    answered: int
    """Answers that reached a page that was still there."""
    unanswered: int
    """Messages of pages that stayed and never got the start of an answer."""
    throughput: float
    """Answers per minute."""
    most_tasks: int
    """Tasks of the strategy at once."""
    memory_kib: float
    survivors: int
    """Tasks still alive after the server was stopped in the middle of a dozen answers."""
    close_ms: float
    errors_lost: int
    order_violations: int
    fairness: float
    """Jain's index over the mean wait of each page that stayed; 1 is fair (Jain, Chiu, Hawe 1984)."""
    wasted_seconds: float
    lines: int
    performance: int = 0
    leak_risk: str = ""
    complexity: str = ""
    recommendation: str = ""


async def run_one(strategy: type[Strategy], workload: Workload, speed: float) -> Result:
    """Play the workload with one strategy."""
    loop = asyncio.get_running_loop()
    lost: list[dict[str, Any]] = []
    before_handler = loop.get_exception_handler()
    loop.set_exception_handler(lambda _loop, context: lost.append(context))
    gc.collect()
    tracemalloc.start()
    try:
        before = asyncio.all_tasks()
        provider = Provider(workload, speed)
        subject = strategy(provider.converse, workload.settings.parallel, 0.1 / speed)
        await subject.start()
        began = time.monotonic()
        async with TaskScope("players") as players:
            watch = _Watch(players, len(before))
            jobs = [players.start(_play, page, subject, provider, speed, watch) for page in workload.pages]
            deadline = began + 600 / speed + 60
            for job in jobs:
                await job.wait(max(0.0, deadline - time.monotonic()))
        played = (time.monotonic() - began) * speed
        for page in range(LAST_PAGES):
            await subject.message(-1 - page, 0)
        await asyncio.sleep(1.0 / speed)
        memory = tracemalloc.get_traced_memory()[1] / 1024
        close_began = time.monotonic()
        await subject.close()
        close_ms = (time.monotonic() - close_began) * 1000
        await asyncio.sleep(SETTLE / speed)
        survivors = asyncio.all_tasks() - before
        result = _result(strategy, subject, provider, watch, played, memory, len(survivors), close_ms)
        for task in survivors:
            task.cancel()
        if survivors:
            await asyncio.wait(survivors, timeout=5)
        return result
    finally:
        tracemalloc.stop()
        gc.collect()
        loop.set_exception_handler(before_handler)


@dataclass(slots=True)
class _Watch:
    """The most tasks of the strategy at once: all there are, but for the players and those before it."""

    players: TaskScope
    base: int
    most: int = 0

    def look(self) -> None:
        alive = len(asyncio.all_tasks()) - self.base - len(self.players.running)
        self.most = max(self.most, alive)


async def _play(
    page: PlannedPage, subject: Strategy, provider: Provider, speed: float, watch: _Watch
) -> None:
    await asyncio.sleep(page.arrives / speed)
    clock = 0.0
    for message in page.messages:
        if page.leaves is not None and message.at >= page.leaves:
            break
        await asyncio.sleep((message.at - clock) / speed)
        clock = message.at
        provider.asked[page.number, message.number] = time.monotonic()
        await subject.message(page.number, message.number)
        watch.look()
    if page.leaves is not None:
        await asyncio.sleep(max(0.0, page.leaves - clock) / speed)
    else:
        # A visitor who stays waits for the answers, though not for ever.
        longest = sum(message.seconds for message in page.messages) * 4
        await asyncio.sleep(longest / speed)
    provider.gone[page.number] = time.monotonic()
    await subject.page_closed(page.number)


def _result(
    strategy: type[Strategy],
    subject: Strategy,
    provider: Provider,
    watch: _Watch,
    played: float,
    memory: float,
    survivors: int,
    close_ms: float,
) -> Result:
    speed = provider.speed
    waits: dict[tuple[int, int], float] = {}
    staying = {page.number for page in provider.workload.pages if page.leaves is None}
    for key, asked in provider.asked.items():
        if key in provider.first:
            waits[key] = (provider.first[key] - asked) * speed
    unanswered = sum(1 for key in provider.asked if key[0] in staying and key not in provider.first)
    ordered = sorted(waits.values()) or [float("nan")]
    seen: dict[int, int] = {}
    violations = 0
    for page, number in provider.order:
        violations += number < seen.get(page, -1)
        seen[page] = max(number, seen.get(page, -1))
    means = [
        statistics.fmean(wait for (owner, _), wait in waits.items() if owner == page)
        for page in staying
        if any(owner == page for owner, _ in waits)
    ]
    fairness = sum(means) ** 2 / (len(means) * sum(mean * mean for mean in means)) if means else 0.0
    return Result(
        key=strategy.key,
        title=strategy.title,
        first_p50=round(statistics.median(ordered), 2),
        first_p99=round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))], 2),
        answered=provider.finished,
        unanswered=unanswered,
        throughput=round(provider.finished / played * 60, 1),
        most_tasks=watch.most,
        memory_kib=round(memory, 1),
        survivors=survivors,
        close_ms=round(close_ms, 2),
        errors_lost=max(0, provider.failed - subject.errors_seen),
        order_violations=violations,
        fairness=round(fairness, 3),
        wasted_seconds=round(provider.wasted, 1),
        lines=strategy.lines(),
    )


def judge(results: list[Result]) -> list[Result]:
    """Add the analysis' columns. The rules, all from the figures of this run:

    - performance, 1 to 5 stars: 5 - floor(2 * log2(p99 / best p99)), p99 of the first reply, the best one
      being that of the strategies that answered everybody; one star less for each quarter, begun, of the
      messages of waiting visitors that were never answered;
    - leak risk: high if tasks survived the close, medium if slots went to closed pages or errors were lost,
      else none;
    - complexity: low below 15 lines, medium below 30, else high;
    - recommended: the most stars among those without leak risk; those within one star are "possible".
    """
    complete = [result.first_p99 for result in results if not result.unanswered]
    best = min(complete or [result.first_p99 for result in results])
    judged: list[Result] = []
    for result in results:
        stars = 5 - floor(2 * log2(max(1.0, result.first_p99 / max(best, 1e-9))))
        never = result.unanswered / max(1, result.unanswered + result.answered)
        stars = min(5, max(1, stars - ceil(4 * never)))
        wasteful = result.wasted_seconds > 1.0 or result.errors_lost
        risk = "high" if result.survivors else "medium" if wasteful else "none"
        complexity = "low" if result.lines < 15 else "medium" if result.lines < 30 else "high"
        judged.append(replace(result, performance=stars, leak_risk=risk, complexity=complexity))
    safe = [result.performance for result in judged if result.leak_risk == "none"]
    top = max(safe, default=0)

    def verdict(result: Result) -> str:
        if result.leak_risk == "high":
            return "no"
        if result.leak_risk == "none" and result.performance == top:
            return "recommended"
        return "possible" if result.performance >= top - 1 else "no"

    return [replace(result, recommendation=verdict(result)) for result in judged]


async def compare(
    settings: WorkloadSettings, speed: float, on_done: Callable[[Result], None] = lambda result: None
) -> list[Result]:
    """Play the workload with every strategy and judge them together."""
    workload = plan(settings)
    results: list[Result] = []
    for strategy in STRATEGIES:
        result = await run_one(strategy, workload, speed)
        results.append(result)
        on_done(result)
    return judge(results)


def as_json(settings: WorkloadSettings, speed: float, results: list[Result]) -> dict[str, Any]:
    """Everything a later reader needs."""
    return {"workload": asdict(settings), "speed": speed, "results": [asdict(result) for result in results]}
