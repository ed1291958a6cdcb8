"""The screen: a model drawn for a terminal of some width and height."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from greenroom.server.ops.messages import OpsClose, OpsSoak, OpsState
from greenroom.server.ops.top.format import duration, latest, milliseconds, sparkline, squeezed
from greenroom.server.ops.top.model import Model, Row

KEYS = "q quit   ↑↓ select   ⏎ open/shut   s stack   o order   S soak"
COLOURS = {"flat": "bold green", "growing": "bold red", "step": "bold red", "not_enough": "bold yellow"}
WORDS = {
    "flat": "flat",
    "growing": "getting slower",
    "step": "slower since a moment",
    "not_enough": "not enough visits yet",
}
FRAMES = 12


def screen(model: Model, address: str, width: int, height: int) -> RenderableType:
    """Everything, cut to the size of the terminal."""
    state = model.state
    if state is None:
        return Text(f"greenroom top · {address}\n\n{model.lost or 'connecting …'}")
    upper = [
        *_head(state, model, address, width),
        Text(),
        *_figures(state, width),
        Text(),
        *_visits(state, width),
    ]
    lower = [
        *_abandoned(state),
        *_providers(state, width),
        *_queues(state),
        *_closes(state),
        *_soak(state.soak),
    ]
    if model.stack is not None:
        lower = _stack(model)
    room = height - len(upper) - len(lower) - 4
    if room < 5:
        # A small terminal shows the owners rather than what happened last.
        lower = lower[: max(0, len(lower) - (5 - room))]
        room = max(1, height - len(upper) - len(lower) - 4)
    lines = [*upper, Text(), *_owners(model, room, width), Text(), *lower]
    return Group(*[_cut(line, width) for line in lines[: max(1, height - 1)]], _foot(model, width))


def _foot(model: Model, width: int) -> Text:
    foot = Text(model.notice, "bold yellow") if model.notice else Text(KEYS, "dim")
    foot.truncate(width, overflow="ellipsis")
    return foot


def _cut(line: RenderableType, width: int) -> RenderableType:
    if isinstance(line, Text):
        line.truncate(width, overflow="ellipsis")
        line.no_wrap = True
    return line


def _head(state: OpsState, model: Model, address: str, width: int) -> list[Text]:
    hint = state.verdict_hint
    line = Text.assemble(
        (WORDS[hint.state], COLOURS[hint.state]),
        f"   greenroom {state.version} · {address} · up {duration(state.uptime_s)} · pid {state.pid}",
    )
    lines = [line]
    if model.lost:
        lines.append(Text(model.lost, "bold red"))
    figures = hint.figures
    if hint.state == "not_enough":
        text = f"{figures.visits} of {figures.needed} visits that a first word needs"
    else:
        text = f"first reply {milliseconds(figures.recent_ms)}, at first {milliseconds(figures.baseline_ms)}"
        if figures.change_ms is not None and hint.state != "flat":
            text += f"; {figures.change_ms:+.0f} ms"
        if figures.at is not None:
            text += f" since visit {figures.at}"
    lines.append(Text(text, "dim"))
    return lines


def _figures(state: OpsState, width: int) -> list[RenderableType]:
    samples, limits = state.samples, state.limits
    slots = f"{_now(samples.slots_busy):.0f}"
    slots += f" of {limits.provider_slots}" if limits.provider_slots else ""
    cells: list[tuple[str, str, Sequence[float | None]]] = [
        ("reply p50", milliseconds(latest(samples.reply_ms_p50)), samples.reply_ms_p50),
        ("reply p95", milliseconds(latest(samples.reply_ms_p95)), samples.reply_ms_p95),
        ("tasks", f"{_now(samples.tasks):.0f}", samples.tasks),
        ("memory", f"{_now(samples.rss_mb):.1f} MB", samples.rss_mb),
        ("CPU", f"{_now(samples.cpu_pct):.1f} %", samples.cpu_pct),
        ("loop lag", f"{_now(samples.loop_lag_ms):.1f} ms", samples.loop_lag_ms),
        ("slots busy", slots, samples.slots_busy),
        ("wait for one", f"{_now(samples.slots_waiting):.0f}", samples.slots_waiting),
        ("pages", f"{_now(samples.clients):.0f} of {limits.connections}", samples.clients),
        ("viewers", f"{_now(samples.viewers):.0f}", samples.viewers),
        ("room queues", f"{_now(samples.queue_waiting):.0f}", samples.queue_waiting),
        ("open files", f"{_now(samples.fds):.0f}", samples.fds),
    ]
    columns = 3 if width >= 120 else 2 if width >= 72 else 1
    bars = max(4, width // columns - 28)
    lines: list[RenderableType] = []
    for begin in range(0, len(cells), columns):
        line = Text(no_wrap=True)
        for name, value, curve in cells[begin : begin + columns]:
            line.append(f"{name:<13}", "dim")
            line.append(f"{value:>12} ")
            line.append(f"{sparkline(curve, bars):<{bars}}  ", "cyan")
        lines.append(line)
    return lines


def _now(values: Sequence[float | None]) -> float:
    return latest(values) or 0.0


def _visits(state: OpsState, width: int) -> list[RenderableType]:
    first = state.visits.first_reply_ms
    if not first:
        return [Text("no visits yet", "dim")]
    band = state.baseline
    known = "" if band is None else f"; at first {band.low_ms:.0f} … {band.high_ms:.0f} ms"
    title = f"first reply over {state.visits_total} visits{known}"
    return [Text(title, "dim"), Text(sparkline(squeezed(first, width - 2), width - 2), "green")]


def _owners(model: Model, room: int, width: int) -> list[RenderableType]:
    rows = model.rows()
    if not rows:
        return [Text("owners: asking …", "dim")]
    selected = model.row()
    at = next((i for i, row in enumerate(rows) if selected is not None and row.key == selected.key), 0)
    begin = max(0, min(at - room // 2, len(rows) - room))
    left_off = model.tree.left_off if model.tree is not None else 0
    head = f"owner, tasks, age   (order: {model.order}" + (
        f"; {left_off} more not shown)" if left_off else ")"
    )
    table = Table.grid(expand=True, padding=(0, 1))
    table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    for justify in ("right", "right", "left"):
        table.add_column(justify=justify, no_wrap=True, overflow="ellipsis", max_width=width // 3)
    for index, row in enumerate(rows[begin : begin + room], begin):
        table.add_row(*_row(row), style="reverse" if index == at else "")
    return [Text(head, "dim"), table]


def _row(row: Row) -> tuple[Text, str, str, str]:
    indent = "  " * row.depth
    if row.task is not None:
        task = row.task
        style = "red" if task.state == "cancelling" else ""
        state = task.state + (f" {task.position}." if task.position else "")
        why = task.cancelled_by or task.site
        return Text(f"{indent}· {task.name}", style), state, duration(task.age_s), why
    owner = row.owner
    mark = "▾" if row.expanded else "▸"
    style = "bold" if owner.open else "yellow"
    note = "" if owner.open else "closing"
    if owner.tasks_left_off:
        note = f"{owner.tasks_left_off} of its tasks are not listed"
    return Text(f"{indent}{mark} {owner.name}", style), str(row.tasks), duration(owner.age_s), note


def _stack(model: Model) -> list[RenderableType]:
    stack = model.stack
    assert stack is not None
    lines: list[RenderableType] = [Text(f"{stack.owner}/{stack.name} ({stack.state}) stands at", "bold")]
    if not stack.frames:
        lines.append(Text("  it has not begun", "dim"))
    for frame in stack.frames[-FRAMES:]:
        lines.append(
            Text.assemble(
                (f"  {frame.file}:{frame.line}", "cyan"), f" {frame.function}  ", (frame.code, "dim")
            )
        )
    return lines


def _abandoned(state: OpsState) -> list[RenderableType]:
    if not state.abandoned_total:
        return []
    title = f"{len(state.abandoned)} abandoned tasks still run, {state.abandoned_total} in all"
    lines: list[RenderableType] = [Text(title, "bold red")]
    for task in state.abandoned[:4]:
        text = (
            f"  {task.owner}/{task.name}, {duration(task.age_s)}, from {task.site}; {task.cancelled_by or ''}"
        )
        lines.append(Text(text, "red"))
    return lines


def _providers(state: OpsState, width: int) -> list[RenderableType]:
    busy = [provider for provider in state.providers if provider.busy or provider.waiting]
    return [
        Text(
            f"{provider.kind} {provider.name}: {provider.busy}"
            + (f" of {provider.slots}" if provider.slots else "")
            + f" busy, {provider.waiting} waiting"
        )
        for provider in busy[:4]
    ]


def _queues(state: OpsState) -> list[RenderableType]:
    return [
        Text(
            f"room {queue.room}: {queue.viewers} viewers, {queue.waiting} waiting"
            + (f" (oldest {duration(queue.oldest_s)})" if queue.waiting else "")
            + (", talking" if queue.active else "")
        )
        for queue in state.queues[:4]
    ]


def _closes(state: OpsState) -> list[RenderableType]:
    def line(close: OpsClose) -> Text:
        style = "red" if close.abandoned else ""
        lost = f", {len(close.abandoned)} abandoned" if close.abandoned else ""
        owner = close.owner.rpartition("/")[2]
        text = f"  {owner}: {close.reason}; {close.duration_ms:.1f} ms, {close.ended} tasks ended{lost}"
        return Text(text, style)

    if not state.closes:
        return []
    lines: list[RenderableType] = [Text(f"closed last, of {state.closes_total}", "dim")]
    return lines + [line(close) for close in reversed(state.closes[-4:])]


def _soak(soak: OpsSoak | None) -> list[RenderableType]:
    if soak is None:
        return []
    text = f"soak {soak.id} ({soak.mode}): {soak.state}, {soak.done} of {soak.visits} visits"
    if soak.verdict is not None:
        text += f"; {soak.verdict.headline}"
    if soak.error:
        text += f"; {soak.error}"
    lines: list[RenderableType] = [Text(text, "bold")]
    if soak.verdict is not None:
        lines += [
            Text(f"  likely cause: {cause.name}: {cause.evidence}", "red")
            for cause in soak.verdict.causes[:3]
        ]
    return lines
