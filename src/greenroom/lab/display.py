"""The soak in a terminal: progress and the table while it runs, the verdict afterwards."""

from __future__ import annotations

import time

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from greenroom.lab.record import Run
from greenroom.lab.table import COLUMNS, MANNERS_ZH, columns, rows
from greenroom.lab.verdict import FIGURES, Verdict
from greenroom.lab.wording import cause_lines, headline, restart_line, status, title

COLOURS = {
    "flat": "green",
    "growing": "red",
    "step": "red",
    "saturated": "yellow",
    "not enough visits": "yellow",
}
REFRESH_SECONDS = 0.25
NARROW = 108
SHORT = {
    "first_reply": ("", "首次\n回复"), "whole_reply": ("", "完整\n回复"), "connect": ("con-\nnect", ""),
    "opened": ("", "打开\n页面"), "memory": ("mem.", ""), "threads": ("thr.", ""),
    "children": ("chil-\ndren", "子进程"), "bystander": ("by-\nstander", "旁观"),
}  # fmt: skip
"""Headings for a narrow terminal, where the usual ones are too wide."""


class Progress:
    """Shows a run while it goes on; silent where the output is no terminal.

    Drawing takes the lab's own time, so it is done at most four times a second.
    """

    def __init__(self, console: Console, visits: int, language: str = "en") -> None:
        self._visits = visits
        self._language = language
        self._drawn = 0.0
        self._width = console.width
        self._live = (
            Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
        )

    def __enter__(self) -> Progress:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, run: Run) -> None:
        now = time.monotonic()
        if self._live is None or now - self._drawn < REFRESH_SECONDS:
            return
        self._drawn = now
        done = len(run.visits)
        line = Table.grid(padding=(0, 1))
        line.add_row(ProgressBar(self._visits, done, width=40), f"{done} / {self._visits}")
        self._live.update(Group(visits_table(run, self._language, self._width), line), refresh=True)


def visits_table(run: Run, language: str = "en", width: int = 120) -> Table:
    """The 1st, 3rd, 5th, 10th … visit; without how each behaved where there is little room."""
    zh = language == "zh"
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), collapse_padding=True)
    narrow = width < NARROW
    shown = [name for name in columns(run) if not (narrow and name == "manner")]
    for name in shown:
        title_of = COLUMNS[name][1] if zh else COLUMNS[name][0].replace(" ", "\n")
        if narrow:
            title_of = SHORT.get(name, ("", ""))[zh] or title_of
        table.add_column(title_of, justify="left" if name == "manner" else "right", no_wrap=True)
    for row in rows(run):
        cells = row.cells()
        if zh:
            cells["manner"] = MANNERS_ZH.get(cells["manner"], cells["manner"])
        table.add_row(*(cells[name].replace(" ", "") if narrow else cells[name] for name in shown))
    return table


def verdict_view(run: Run, verdict: Verdict, language: str = "en") -> RenderableType:
    """The figures' trends, the causes, and the sentence that sums it up."""
    zh = language == "zh"
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name in FIGURES:
        if name in verdict.trends:
            found = verdict.trends[name]
            table.add_row(title(name, language), Text(status(name, found, language), COLOURS[found.status]))
    parts: list[RenderableType] = [table, Text()]
    for name, evidence in cause_lines(verdict, language):
        parts.append(Text.assemble(("可能原因：" if zh else "likely cause: ", "bold"), (name, "bold red")))
        parts.append(Text(f"    {evidence}"))
    restart = restart_line(run, language)
    if restart is not None:
        parts.append(Text(restart, "bold"))
    parts += [Text(f"note: {note}", "yellow") for note in run.notes]
    parts.append(Text(headline(verdict, run, language), f"bold {COLOURS[verdict.outcome]}"))
    return Group(*parts)
