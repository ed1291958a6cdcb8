"""A server's state as it could be, for the tests of the terminal view."""

from __future__ import annotations

from typing import Any

import msgspec

from greenroom.server.ops.messages import (
    OpsClose,
    OpsLimits,
    OpsOwner,
    OpsProvider,
    OpsQueue,
    OpsSample,
    OpsSamples,
    OpsState,
    OpsTask,
    OpsTree,
    OpsVerdict,
    OpsVerdictFigures,
    OpsVisits,
)
from greenroom.server.ops.top.model import Model

NUMBERS = [name for name in OpsSample.__struct_fields__ if name != "tasks_by_kind"]


def sample(t: float, **fields: Any) -> OpsSample:
    """A second of an idle server."""
    plain: dict[str, Any] = dict.fromkeys(NUMBERS, 0) | {"reply_ms_p50": None, "reply_ms_p95": None}
    return OpsSample(**(plain | {"t": t, "tasks_by_kind": {"server": 1}} | fields))


def samples(*rows: OpsSample) -> OpsSamples:
    columns: dict[str, Any] = {name: [getattr(row, name) for row in rows] for name in NUMBERS}
    return OpsSamples(step_s=1, tasks_by_kind={"server": [1] * len(rows)}, **columns)


def visits(*first: float | None, begin: int = 1) -> OpsVisits:
    count = len(first)
    return OpsVisits(
        n=list(range(begin, begin + count)), t=[0.0] * count, first_reply_ms=list(first),
        reply_ms=[1000.0] * count, how=["finished"] * count, character=["White"] * count,
    )  # fmt: skip


def state(**fields: Any) -> OpsState:
    """A young, healthy server."""
    figures = OpsVerdictFigures(
        visits=0, baseline_ms=None, recent_ms=None, change_ms=None, per_100_ms=None, margin_ms=None, at=None, needed=33,
    )  # fmt: skip
    plain: dict[str, Any] = {
        "version": "1.2.3",
        "pid": 4242,
        "started_at": 1000.0,
        "uptime_s": 75.0,
        "limits": OpsLimits(1000, 2, 100, 5, 100, 200, 200, 900, 43_200, 2000, 100, 2000),
        "samples": samples(sample(1074, tasks=3), sample(1075, tasks=4, reply_ms_p50=256.0)),
        "samples_coarse": samples(),
        "visits": visits(250.0, 260.0),
        "visits_total": 2,
        "baseline": None,
        "verdict_hint": OpsVerdict("not_enough", "ops.verdict.not_enough", "a method", figures),
        "tasks_by_kind": {"server": 1},
        "closes": [OpsClose("server/clients/client 7f3a", 1070.0, 1.5, "closed by the page", 2, 0, 2, [])],
        "closes_total": 1,
        "abandoned": [],
        "abandoned_total": 0,
        "queues": [OpsQueue("stage", 2, 4.5, True, 30)],
        "providers": [OpsProvider("demo", "agent", 1, 3, 2, 10, 6, 0, 0)],
        "soak": None,
    }
    return OpsState(**(plain | fields))


def verdict(kind: Any, **figures: Any) -> OpsVerdict:
    plain: dict[str, Any] = {
        "visits": 200, "baseline_ms": 250.0, "recent_ms": 480.0, "change_ms": 230.0, "per_100_ms": 115.0,
        "margin_ms": 62.0, "at": None, "needed": 33,
    }  # fmt: skip
    return OpsVerdict(kind, f"ops.verdict.{kind}", "a method", OpsVerdictFigures(**(plain | figures)))


def task(name: str, **fields: Any) -> OpsTask:
    plain: dict[str, Any] = {
        "id": f"id-{name}", "name": name, "site": "greenroom/a.py:1 in f", "state": "running", "age_s": 1.0,
        "position": 0, "cancelled_by": None,
    }  # fmt: skip
    return OpsTask(**(plain | fields))


def owner(path: str, *tasks: OpsTask, **fields: Any) -> OpsOwner:
    plain: dict[str, Any] = {
        "path": path, "name": path.rpartition("/")[2], "kind": "x", "depth": path.count("/"), "age_s": 10.0,
        "open": True, "running": len(tasks), "waiting": 0, "tasks": list(tasks), "tasks_left_off": 0,
    }  # fmt: skip
    return OpsOwner(**(plain | fields))


def tree() -> OpsTree:
    owners = [
        owner("server", task("http server")),
        owner("server/clients", age_s=9),
        owner("server/clients/client a", task("writer"), age_s=8),
        owner(
            "server/clients/client a/turns", task("turn"), task("next", state="waiting", position=1), age_s=8
        ),
        owner("server/clients/client b", task("writer"), age_s=2),
        owner("server/rooms", age_s=9),
    ]
    return OpsTree(t=0, owners=owners, left_off=0, next=None)


def model(**fields: Any) -> Model:
    """A model that has heard its first event and knows the tree."""
    found = Model()
    found.hear("state", msgspec.json.encode(state(**fields)))
    found.tree = tree()
    return found
