"""`greenroom compare` for the terminal: progress, the table, the rules behind the stars."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from greenroom.lab.compare import Result, as_json, compare, judge
from greenroom.lab.strategies import STRATEGIES
from greenroom.lab.workload import WorkloadSettings

COLUMNS = (
    ("first reply p50", "s"), ("p99", "s"), ("answered", ""), ("never", ""), ("per minute", ""),
    ("most tasks", ""), ("peak memory", "KiB"), ("left after close", ""), ("close", "ms"),
    ("errors lost", ""), ("out of order", ""), ("fairness", ""), ("slots wasted", "s"),
)  # fmt: skip


def run_compare(settings: WorkloadSettings, speed: float, json_path: Path | None) -> int:
    """Run, print, and write; returns the exit code."""
    console = Console()
    console.print(
        f"{settings.pages} pages, {settings.messages_per_page} messages each, {settings.slots} slots, "
        f"{settings.leave_share:.0%} leave in mid-answer, {settings.fail_share:.0%} fail; "
        f"seed {settings.seed}, {speed:g} times as fast as life."
    )
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    ) as progress:
        row = progress.add_task(STRATEGIES[0].title, total=len(STRATEGIES))
        titles = [strategy.title for strategy in STRATEGIES] + ["done"]
        count = 0

        def done(result: Result) -> None:
            nonlocal count
            count += 1
            progress.update(row, advance=1, description=titles[count])

        results = asyncio.run(compare(settings, speed, done))
    console.print(figures(results))
    console.print(matrix(results))
    rules = (judge.__doc__ or "").partition("\n\n")[2]
    console.print("Rules:\n" + "\n".join("  " + line.strip() for line in rules.strip().splitlines()))
    if json_path is not None:
        json_path.write_text(json.dumps(as_json(settings, speed, results), indent=1) + "\n", encoding="utf-8")
        console.print(f"Written: {json_path}")
    return 0


def figures(results: list[Result]) -> Table:
    """What was measured."""
    table = Table(title="Measured, all in one run under the same workload")
    table.add_column("strategy")
    for name, unit in COLUMNS:
        table.add_column(f"{name}\n{unit}" if unit else name, justify="right")
    for r in results:
        table.add_row(
            r.title, f"{r.first_p50:.2f}", f"{r.first_p99:.2f}", str(r.answered), str(r.unanswered),
            f"{r.throughput:.1f}", str(r.most_tasks), f"{r.memory_kib:.0f}", str(r.survivors),
            f"{r.close_ms:.1f}", str(r.errors_lost), str(r.order_violations), f"{r.fairness:.2f}",
            f"{r.wasted_seconds:.1f}",
        )  # fmt: skip
    return table


def matrix(results: list[Result]) -> Table:
    """The analysis' columns, from the figures."""
    table = Table(title="The decision matrix")
    for name in ("strategy", "performance", "complexity", "leak risk", "recommendation"):
        table.add_column(name)
    for r in results:
        stars = "★" * r.performance + "☆" * (5 - r.performance)
        table.add_row(r.title, stars, f"{r.complexity} ({r.lines} lines)", r.leak_risk, r.recommendation)
    return table
