"""The table of the analysis: what the 1st, 3rd, 5th, 10th … visit met, as plain cells."""

from __future__ import annotations

from dataclasses import dataclass

from greenroom.lab.record import Run, Sample, Visit

SHOWN = (1, 3, 5, 10, 20, 30, 50, 100, 200, 300, 500, 1000, 2000, 5000, 10_000)
COLUMNS: dict[str, tuple[str, str]] = {
    "visit": ("visit", "访问"),
    "manner": ("manner", "方式"),
    "first_reply": ("first reply", "首次回复"),
    "whole_reply": ("whole reply", "完整回复"),
    "connect": ("connect", "连接"),
    "opened": ("page open", "打开页面"),
    "cpu": ("CPU", "CPU"),
    "memory": ("memory", "内存"),
    "tasks": ("tasks", "任务"),
    "threads": ("threads", "线程"),
    "fds": ("files", "文件"),
    "children": ("children", "子进程"),
    "bystander": ("bystander", "旁观者"),
}
MANNERS_ZH = {
    "silent": "只打开", "polite": "正常", "early": "回复前离开", "late": "回复中离开",
    "patient": "等到回复后离开", "burst": "连发两条", "switch": "切换角色", "flip": "切换后离开",
    "half-open": "失联", "room": "房间",
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One line: the visit, and the sample nearest to it from then on."""

    visit: Visit
    sample: Sample | None

    def cells(self) -> dict[str, str]:
        visit, sample = self.visit, self.sample
        return {
            "visit": ordinal(visit.number),
            "manner": visit.manner,
            "first_reply": "time-out" if visit.timed_out else seconds(visit.first_reply),
            "whole_reply": seconds(visit.whole_reply),
            "connect": seconds(visit.connect),
            "opened": seconds(visit.opened),
            "cpu": seconds(visit.cpu),
            "memory": size(sample.memory if sample else None),
            "tasks": count(sample.tasks if sample else None),
            "threads": count(sample.threads if sample else None),
            "fds": count(sample.fds if sample else None),
            "children": count(sample.children if sample else None),
            "bystander": seconds(visit.bystander),
        }


def rows(run: Run) -> list[Row]:
    """The visits that are shown, and the last one."""
    if not run.visits:
        return []
    by_number = {visit.number: visit for visit in run.visits}
    numbers = [number for number in SHOWN if number in by_number]
    last = max(by_number)
    if not numbers or last > 1.3 * numbers[-1]:
        numbers.append(last)
    found: list[Row] = []
    for number in numbers:
        sample = next((sample for sample in run.samples if sample.visit >= number), None)
        found.append(Row(by_number[number], sample or (run.samples[-1] if run.samples else None)))
    return found


def columns(run: Run) -> list[str]:
    """The columns that hold anything in this run."""
    found = [row.cells() for row in rows(run)]
    return [name for name in COLUMNS if not found or any(cells[name] != "–" for cells in found)]


def ordinal(number: int) -> str:
    if 10 <= number % 100 <= 20:
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"


def seconds(value: float | None) -> str:
    """`12 ms`, `1.2 s`; a dash if it was not measured."""
    if value is None:
        return "–"
    if abs(value) < 0.0095:
        return f"{value * 1000:.1f} ms"
    return f"{value * 1000:.0f} ms" if abs(value) < 0.9995 else f"{value:.1f} s"


def size(value: float | None) -> str:
    if value is None:
        return "–"
    if abs(value) < 1024 * 1024:
        return f"{value / 1024:.0f} KB"
    return f"{value / 1024 / 1024:.0f} MB"


def count(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}"


def amount(value: float, unit: str) -> str:
    """A value of a figure in its unit."""
    match unit:
        case "s":
            return seconds(value)
        case "bytes":
            return size(value)
        case "share":
            return f"{value:.1%}"
        case "per second":
            return f"{value:.1f}/s"
        case _:
            return f"{value:.0f}" if value == round(value) or abs(value) >= 10 else f"{value:.1f}"
