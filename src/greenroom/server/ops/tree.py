"""The tree of owners, page by page, and where one task stands.

The order is that of birth: parents first, older siblings first. A page goes on after the last owner of the one
before, whoever came or went in between. The loop runs between slices of the walk.
"""

from __future__ import annotations

import asyncio
import linecache
import re
from collections.abc import Iterator
from itertools import chain
from operator import attrgetter
from pathlib import PurePath
from time import monotonic, time
from typing import Any

from greenroom.server.ops.messages import OpsAbandoned, OpsFrame, OpsOwner, OpsStack, OpsTask, OpsTree
from greenroom.tasks import AnyJob, Job, TaskScope, abandoned_jobs, await_stack

SLICE = 100
"""Owners and tasks told, or owners passed over, between two turns of the loop: a millisecond or two."""
TASKS_OF_ONE = 200
"""Tasks listed of one owner; of more only the number is told."""
MOST_ABANDONED = 200
MOST_WAITING = 100_000
ROOTS = ("site-packages", "dist-packages", "src")
_birth = attrgetter("created")

CURSOR = r"[0-9a-f]+(\.[0-9a-f]+)*"
"""What an `after` looks like."""

Key = tuple[int, ...]
"""The births of an owner and of all above it, in ns: sorts in the order of the tree."""


class BadCursor(ValueError):
    """An `after` that is from no page."""


async def tree_page(root: TaskScope, after: str | None, limit: int) -> OpsTree:
    """One page of the tree: at most `limit` owners and tasks together. Raises `BadCursor`."""
    start = None if after is None else _key_of(after)
    owners: list[OpsOwner] = []
    room, left_off, last, looked = limit, 0, "", 0
    for key, scope in _walk(root):
        looked += 1
        if looked >= SLICE:
            looked = 0
            await asyncio.sleep(0)
        if start is not None and key <= start:
            continue
        shown = min(sum(scope.load), TASKS_OF_ONE)
        if owners and shown + 1 > room:
            # Once one does not fit, none behind it is shown: the next page begins with it.
            room = 0
            left_off += 1 + sum(scope.load)
            continue
        owner = _owner(scope, len(key) - 1, max(0, min(shown, room - 1)))
        room -= 1 + len(owner.tasks)
        left_off += owner.tasks_left_off
        owners.append(owner)
        looked += len(owner.tasks)
        last = ".".join(f"{birth:x}" for birth in key)
    more = bool(left_off - sum(owner.tasks_left_off for owner in owners))
    return OpsTree(t=round(time(), 1), owners=owners, left_off=left_off, next=last if more else None)


def _walk(root: TaskScope) -> Iterator[tuple[Key, TaskScope]]:
    """Every scope with its key, in the order of the tree; siblings are sorted when their turn comes."""
    above: list[tuple[Key, Iterator[TaskScope]]] = [((), iter((root,)))]
    while above:
        key, siblings = above[-1]
        scope = next(siblings, None)
        if scope is None:
            above.pop()
            continue
        own = (*key, int(scope.created * 1e9))
        yield own, scope
        above.append((own, iter(sorted(scope.children, key=_birth))))


def _key_of(text: str) -> Key:
    if re.fullmatch(CURSOR, text) is None:
        raise BadCursor(f"{text[:80]!r} is no place in the tree")
    return tuple(int(part, 16) for part in text.split("."))


def _owner(scope: TaskScope, depth: int, shown: int) -> OpsOwner:
    running, waiting = scope.load
    jobs: list[AnyJob[Any]] = [*sorted(scope.running, key=_birth)[:shown]]
    jobs += scope.waiting_jobs(shown - len(jobs))
    tasks = [_task(job, max(0, place - running)) for place, job in enumerate(jobs, 1) if not job.done()]
    return OpsOwner(
        path=scope.path,
        name=scope.name,
        kind=kind_of(scope.name),
        depth=depth,
        age_s=_age(scope.created),
        open=scope.open,
        running=running,
        waiting=waiting,
        tasks=tasks,
        tasks_left_off=max(0, running + waiting - len(jobs)),
    )


def _task(job: AnyJob[Any], position: int) -> OpsTask:
    return OpsTask(
        id=job.id,
        name=job.name,
        site=short_site(job.site),
        state=job.state,
        age_s=round(job.age, 2),
        position=position,
        cancelled_by=short_reason(job.cancelled_by),
    )


def _age(created: float) -> float:
    return round(monotonic() - created, 2)


def abandoned_tasks() -> list[OpsAbandoned]:
    """The abandoned tasks that still run, oldest first."""
    return [
        OpsAbandoned(
            id=job.id,
            owner=job.scope.path,
            name=job.name,
            site=short_site(job.site),
            age_s=round(job.age, 1),
            cancelled_by=short_reason(job.cancelled_by),
        )
        for job in abandoned_jobs()[:MOST_ABANDONED]
    ]


async def find_job(root: TaskScope, id: str) -> AnyJob[Any] | None:
    """The task with this id that runs or waits under a scope, or was abandoned; None if it has ended."""
    alive = ([*scope.running, *scope.waiting_jobs(MOST_WAITING)] for scope in root.walk())
    for looked, job in enumerate(chain(abandoned_jobs(), chain.from_iterable(alive)), 1):
        if looked % SLICE == 0:
            await asyncio.sleep(0)
        if job.id == id and not job.done():
            return job
    return None


def stack_of(job: AnyJob[Any]) -> tuple[OpsStack, list[tuple[str, int]]]:
    """Where it stands, without the lines of code, and the files to read those from (see `with_code`)."""
    frames: list[OpsFrame] = []
    places: list[tuple[str, int]] = []
    for text in await_stack(job) if isinstance(job, Job) else ():
        file, line, function = _split(text)
        frames.append(OpsFrame(short_file(file), line, function, ""))
        places.append((file, line))
    stack = OpsStack(
        id=job.id,
        name=job.name,
        owner=job.scope.path,
        state=job.state,
        frames=frames,
        taken_at=round(time(), 1),
    )
    return stack, places


def with_code(stack: OpsStack, places: list[tuple[str, int]]) -> OpsStack:
    """The same with its lines of code; reads files, so it belongs into a thread."""
    frames = [
        OpsFrame(frame.file, frame.line, frame.function, linecache.getline(file, line).strip()[:200])
        for frame, (file, line) in zip(stack.frames, places, strict=True)
    ]
    return OpsStack(stack.id, stack.name, stack.owner, stack.state, frames, stack.taken_at)


def kind_of(name: str) -> str:
    """What an owner is: its name up to the first word that tells it from others of its kind."""
    first, _, rest = name.partition(" ")
    return first if rest and first in ("client", "room") else name


def short_site(site: str) -> str:
    """A creation site with the file's path cut to what tells it apart."""
    file, line, function = _split(site)
    return f"{short_file(file)}:{line} in {function}"


def short_reason(reason: str | None) -> str | None:
    """Who cancelled it; a line of code without the folders of this machine."""
    prefix = "cancelled at "
    if reason is None or not reason.startswith(prefix):
        return reason
    return prefix + short_site(reason.removeprefix(prefix))


def short_file(file: str) -> str:
    """`greenroom/sessions/turns.py`: from the package on, without where it is installed."""
    parts = PurePath(file).parts
    for root in ROOTS:
        if root in parts[:-1]:
            return "/".join(parts[len(parts) - parts[::-1].index(root) :])
    return "/".join(parts[-2:])


def _split(text: str) -> tuple[str, int, str]:
    place, _, function = text.rpartition(" in ")
    file, _, line = place.rpartition(":")
    return file, int(line) if line.isdigit() else 0, function
