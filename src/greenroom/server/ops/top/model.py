"""What the terminal shows, as plain data: the state as the stream has told it, and what the user has opened.

No terminal and no network in here: a test gives it events and keys, and looks at it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import msgspec
from msgspec.structs import replace

from greenroom.server.ops.messages import (
    EVENTS,
    OpsAbandonedList,
    OpsCloses,
    OpsNewVisits,
    OpsOwner,
    OpsQueues,
    OpsSample,
    OpsSamples,
    OpsSoak,
    OpsStack,
    OpsState,
    OpsTask,
    OpsTree,
    OpsVisits,
)

Order = Literal["tree", "tasks", "age", "name"]
ORDERS: tuple[Order, ...] = ("tree", "tasks", "age", "name")


class NoOps(ValueError):
    """What came is no event of an ops room; the text says what it was."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the list of owners: an owner, or one of its tasks."""

    owner: OpsOwner
    task: OpsTask | None
    depth: int
    tasks: int
    """Of an owner: tasks alive in it and below."""
    expanded: bool = False

    @property
    def key(self) -> str:
        return self.owner.path if self.task is None else f"{self.owner.path}\n{self.task.id}"


@dataclass
class Model:
    """The state of the screen."""

    state: OpsState | None = None
    tree: OpsTree | None = None
    stack: OpsStack | None = None
    lost: str = ""
    """Why there is no connection at the moment; empty if there is one."""
    notice: str = ""
    """What the last key came to, if that has to be told."""
    order: Order = "tree"
    selected: str = ""
    expanded: set[str] = field(default_factory=lambda: {"server"})

    # -- what the server tells -----------------------------------------------------------------------------

    def hear(self, name: str, data: str | bytes) -> None:
        """Take in one event. Unknown ones are of a later version, and are passed over. Raises `NoOps`."""
        kind = EVENTS.get(name)
        if kind is None:
            return
        try:
            told = msgspec.json.decode(data, type=kind, strict=False)
        except msgspec.DecodeError as error:
            raise NoOps(f"event {name!r}: {error}") from error
        if isinstance(told, OpsState):
            self.state, self.lost = told, ""
        elif self.state is None:
            raise NoOps("its stream does not begin with its state")
        else:
            self.state = _after(self.state, told)

    def rows(self) -> list[Row]:
        """The owners and tasks to be listed, as far as they are expanded."""
        if self.tree is None:
            return []
        owners = self.tree.owners
        children: dict[str, list[OpsOwner]] = {}
        tasks: dict[str, int] = {}
        for owner in reversed(owners):
            own = owner.running + owner.waiting
            tasks[owner.path] = tasks.get(owner.path, 0) + own
            parent = _parent(owner)
            children.setdefault(parent, []).append(owner)
            tasks[parent] = tasks.get(parent, 0) + tasks[owner.path]
        found: list[Row] = []
        todo = [(owner, 0) for owner in children.get("", [])]
        while todo:
            owner, depth = todo.pop()
            expanded = owner.path in self.expanded
            found.append(Row(owner, None, depth, tasks[owner.path], expanded))
            if expanded:
                found += [Row(owner, task, depth + 1, 0) for task in owner.tasks]
                below = self._ordered(children.get(owner.path, []), tasks)
                todo.extend((child, depth + 1) for child in reversed(below))
        return found

    def _ordered(self, owners: Iterable[OpsOwner], tasks: dict[str, int]) -> list[OpsOwner]:
        # They were gathered from the end of the tree, which is in the order of birth.
        found = [*owners][::-1]
        if self.order == "tasks":
            found.sort(key=lambda owner: -tasks[owner.path])
        elif self.order == "name":
            found.sort(key=lambda owner: owner.name)
        elif self.order == "age":
            found.sort(key=lambda owner: owner.age_s)
        return found

    # -- what the user does --------------------------------------------------------------------------------

    def move(self, steps: int) -> None:
        """Select another row."""
        rows = self.rows()
        if rows:
            at = self._at(rows)
            self.selected = rows[max(0, min(len(rows) - 1, at + steps))].key

    def toggle(self) -> None:
        """Open or shut the selected owner; on a task, shut its owner."""
        row = self.row()
        if row is None:
            return
        path = row.owner.path
        self.expanded ^= {path}
        self.selected = path

    def open(self, wanted: bool) -> None:
        """Open or shut the selected owner."""
        row = self.row()
        if row is not None and (row.owner.path in self.expanded) != wanted:
            self.toggle()

    def sort(self) -> None:
        """The next order: as in the tree, most tasks first, youngest first, by name."""
        self.order = ORDERS[(ORDERS.index(self.order) + 1) % len(ORDERS)]

    def row(self) -> Row | None:
        """The selected row."""
        rows = self.rows()
        return rows[self._at(rows)] if rows else None

    def _at(self, rows: list[Row]) -> int:
        keys = [row.key for row in rows]
        if self.selected in keys:
            return keys.index(self.selected)
        path = self.selected.partition("\n")[0]
        return keys.index(path) if path in keys else 0


def _parent(owner: OpsOwner) -> str:
    # A name may hold a slash; the parent's path is what is left without the name.
    return owner.path.removesuffix(owner.name).rstrip("/") if owner.depth else ""


def _after(state: OpsState, told: object) -> OpsState:
    """The state after an event."""
    match told:
        case OpsSample():
            uptime = state.uptime_s + 1
            if state.samples.t:
                uptime = state.uptime_s + told.t - state.samples.t[-1]
            return replace(
                state,
                samples=_with_sample(state.samples, told, state.limits.fine_s),
                tasks_by_kind=told.tasks_by_kind,
                uptime_s=uptime,
            )
        case OpsNewVisits():
            return replace(
                state,
                visits=_with_visits(state.visits, told.visits, state.limits.visits),
                visits_total=told.total,
                baseline=told.baseline,
                verdict_hint=told.verdict_hint,
            )
        case OpsCloses():
            return replace(
                state, closes=[*state.closes, *told.closes][-state.limits.closes :], closes_total=told.total
            )
        case OpsAbandonedList():
            return replace(state, abandoned=told.abandoned, abandoned_total=told.total)
        case OpsQueues():
            return replace(state, queues=told.queues, providers=told.providers)
        case OpsSoak():
            return replace(state, soak=told)
        case _:
            return state


def _with_sample(samples: OpsSamples, row: OpsSample, kept: int) -> OpsSamples:
    for name in OpsSample.__struct_fields__:
        if name != "tasks_by_kind":
            column = getattr(samples, name)
            column.append(getattr(row, name))
            del column[:-kept]
    for kind in {*samples.tasks_by_kind, *row.tasks_by_kind}:
        column = samples.tasks_by_kind.setdefault(kind, [0] * (len(samples.t) - 1))
        column.append(row.tasks_by_kind.get(kind, 0))
        del column[:-kept]
    return samples


def _with_visits(visits: OpsVisits, new: OpsVisits, kept: int) -> OpsVisits:
    for name in OpsVisits.__struct_fields__:
        column = getattr(visits, name)
        column.extend(getattr(new, name))
        del column[:-kept]
    return visits
