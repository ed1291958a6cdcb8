"""Measure, and write the table and the plot of docs/benchmarks-tasks.md.

    python -m benchmarks.tasks [rounds]

All contenders take turns in one process, once per round, on asyncio's loop and then on uvloop's; the figures
are medians over the rounds. Needs the dependency group `bench`. Run it on a quiet machine.
"""

from __future__ import annotations

import asyncio
import gc
import platform
import statistics
import sys
from collections.abc import Callable, Coroutine
from importlib.metadata import version
from pathlib import Path
from typing import Any

import uvloop

from .contenders import Greenroom, RawSet
from .measure import CONTENDERS, MEASURES, SINGLES

DOCS = Path(__file__).resolve().parents[2] / "docs"
LOOPS: dict[str, Callable[[Coroutine[Any, Any, float]], float]] = {
    "asyncio": asyncio.run,
    "uvloop": uvloop.run,
}
Figures = dict[tuple[str, str, str], float]


def measure(rounds: int) -> Figures:
    """Medians by (loop, measure, contender)."""
    seen: dict[tuple[str, str, str], list[float]] = {}
    for number in range(rounds):
        for loop, run in LOOPS.items():
            for name, (function, _) in MEASURES.items():
                for kind in CONTENDERS:
                    gc.collect()
                    seen.setdefault((loop, name, kind.name), []).append(run(function(kind)))
            for name, (single, _) in SINGLES.items():
                seen.setdefault((loop, name, ""), []).append(run(single()))
        print(f"round {number + 1} of {rounds} done", file=sys.stderr)
    return {key: statistics.median(values) for key, values in seen.items()}


def figure(value: float) -> str:
    """Three digits, whatever the size."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def table(figures: Figures, loop: str) -> str:
    """One loop's figures, the best of each column in bold."""
    lines = [
        "| | " + " | ".join(title for _, title in MEASURES.values()) + " |",
        "|---|" + "---:|" * len(MEASURES),
    ]
    for kind in CONTENDERS:
        cells: list[str] = []
        for name in MEASURES:
            best = min(figures[loop, name, each.name] for each in CONTENDERS)
            value = figures[loop, name, kind.name]
            cells.append(f"**{figure(value)}**" if value == best else figure(value))
        lines.append(f"| {kind.name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def document(figures: Figures, rounds: int) -> str:
    """The whole page."""

    def ratio(loop: str, name: str) -> str:
        return f"{figures[loop, name, Greenroom.name] / figures[loop, name, RawSet.name]:.2f}"

    packages = ", ".join(f"{name} {version(name)}" for name in ("anyio", "aiojobs", "aiotools", "uvloop"))
    ratios = "; ".join(
        f"{loop}: start and finish {ratio(loop, 'spawn')}, close {ratio(loop, 'close_live')}"
        for loop in LOOPS
    )
    bare = ", ".join(
        f"{loop} {figures[loop, 'close_live', Greenroom.name] / figures[loop, 'close_list', '']:.2f}"
        for loop in LOOPS
    )
    singles = "\n".join(
        f"| {title} | " + " | ".join(figure(figures[loop, name, ""]) for loop in LOOPS) + " |"
        for name, (_, title) in SINGLES.items()
    )
    tables = "\n\n".join(f"### {loop}\n\n{table(figures, loop)}" for loop in LOOPS)
    return f"""# What owning tasks costs

Written by `python -m benchmarks.tasks`; do not edit by hand. CPython {platform.python_version()},
{platform.system()} {platform.machine()}, {packages}. Medians of {rounds} rounds
in CPU time; all contenders take turns in one process.

![The figures as bars](images/benchmarks-tasks.svg)

{tables}

`greenroom.tasks` keeps a limit, an owner, a name and the creating line for each task. Where a library knows
no limit, the waiting ones wait for a semaphore inside their tasks, as one would write it by hand. anyio,
`asyncio.TaskGroup` and aiotools end their tasks when a block is left; they are no owners for tasks that
outlive a function, and are here for scale. "create_task + set" is the recipe of asyncio's documentation: a
set and `discard` as done-callback, closed by `cancel` and `asyncio.wait`.

Compared with that recipe (1 = the same), {ratios}.

A bare list that nobody prunes is the least that can be cancelled and waited for; its tasks' memory is not even freed
within the time measured. Against that, close costs {bare}.

## More costs

| | {" | ".join(LOOPS)} |
|---|{"---:|" * len(LOOPS)}
{singles}

## What is measured

- *start and finish*: 20,000 tasks that do nothing, in batches of 100.
- *bytes per live task*: 10,000 tasks that wait for an event, their coroutines included (`tracemalloc`).
- *close 10,000 running*: until each has ended and its memory is free.
- *close 5 running and 10,000 waiting*: what a page with a long queue costs when it is closed.
"""


def plot(figures: Figures, path: Path) -> None:
    """Bars, one panel a measure, logarithmic where the contenders are far apart."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "greenroom"
    from matplotlib import pyplot

    names = [kind.name for kind in CONTENDERS]
    drawing, panels = pyplot.subplots(2, 2, figsize=(11, 6.5), constrained_layout=True)
    for panel, (name, (_, title)) in zip(panels.flat, MEASURES.items(), strict=True):
        for offset, loop in enumerate(LOOPS):
            values = [figures[loop, name, each] for each in names]
            places = [place + 0.4 * (offset - 0.5) for place in range(len(names))]
            bars = panel.barh(places, values, height=0.38, label=loop, color=("#3b6ea5", "#e0a030")[offset])
            panel.bar_label(bars, [figure(value) for value in values], padding=2, fontsize=7)
        panel.set_yticks(range(len(names)), names, fontsize=8)
        panel.invert_yaxis()
        panel.set_title(title, fontsize=9)
        if name == "close_waiting":
            panel.set_xscale("log")
        panel.margins(x=0.15)
        panel.spines[["top", "right"]].set_visible(False)
    panels.flat[0].legend(fontsize=8, loc="lower right")
    drawing.savefig(path, metadata={"Date": None})


def main() -> None:
    """Measure and write."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    figures = measure(rounds)
    (DOCS / "images").mkdir(parents=True, exist_ok=True)
    plot(figures, DOCS / "images" / "benchmarks-tasks.svg")
    page = document(figures, rounds)
    (DOCS / "benchmarks-tasks.md").write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
