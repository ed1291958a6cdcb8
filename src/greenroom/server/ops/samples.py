"""The samples that are kept: each second for a quarter of an hour, each half minute for half a day."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from statistics import fmean

from greenroom.server.ops.messages import OpsSample, OpsSamples
from greenroom.server.ops.recorder import percentile
from greenroom.server.ops.ring import Ring

STEP_SECONDS = 1.0
COARSE_SECONDS = 30
FLOATS = ("t", "reply_ms_p50", "reply_ms_p95", "rss_mb", "cpu_pct", "loop_lag_ms")
INTEGERS = (
    "replies", "tasks", "slots_busy", "slots_waiting", "queue_waiting", "clients", "viewers", "threads", "fds",
)  # fmt: skip
WORST = frozenset({"loop_lag_ms", "slots_waiting", "queue_waiting"})
"""Of these a coarse sample keeps the worst, of the others the mean: a short jam must not vanish in it."""
KIND = "kind "


class SampleHistory:
    """The samples that are kept: each second for a while, each half minute for long."""

    def __init__(self, seconds: int, hours: int) -> None:
        self._fine = Ring(seconds, FLOATS, INTEGERS)
        self._coarse = Ring(hours * 3600 // COARSE_SECONDS, (*FLOATS, *INTEGERS[1:]), INTEGERS[:1])
        self._replies: array[float] = array("d")

    def add(self, sample: OpsSample, replies: Iterable[float]) -> None:
        """Keep a sample; `replies` are what its percentiles were made of."""
        self._fine.append(row_of(sample))
        self._replies.extend(replies)
        if self._fine.total % COARSE_SECONDS == 0:
            self._coarse.append(self._gathered())
            self._replies = array("d")

    def fine(self) -> OpsSamples:
        return _samples(self._fine, STEP_SECONDS)

    def coarse(self) -> OpsSamples:
        return _samples(self._coarse, COARSE_SECONDS)

    @property
    def fine_total(self) -> int:
        return self._fine.total

    @property
    def coarse_total(self) -> int:
        return self._coarse.total

    def _gathered(self) -> dict[str, float | None]:
        found: dict[str, float | None] = {}
        skip = len(self._fine) - COARSE_SECONDS
        for name in self._fine.names():
            values = [value for value in self._fine.column(name, skip) if value is not None]
            if name == "t":
                found[name] = values[-1]
            elif name == "replies":
                found[name] = sum(values)
            else:
                found[name] = round(max(values) if name in WORST else fmean(values), 2) if values else None
        replies = self._replies.tolist()
        found["reply_ms_p50"] = percentile(replies, 0.5)
        found["reply_ms_p95"] = percentile(replies, 0.95)
        return found


def row_of(sample: OpsSample) -> dict[str, float | None]:
    """A sample as a row of a ring; the kinds of tasks get columns of their own."""
    row: dict[str, float | None] = {name: getattr(sample, name) for name in (*FLOATS, *INTEGERS)}
    return row | {KIND + kind: count for kind, count in sample.tasks_by_kind.items()}


def _samples(ring: Ring, step: float) -> OpsSamples:
    columns = ring.columns()
    kinds = {name.removeprefix(KIND): columns.pop(name) for name in tuple(columns) if name.startswith(KIND)}
    return OpsSamples(step_s=step, tasks_by_kind=kinds, **columns)  # type: ignore[arg-type]  # pyright: ignore
