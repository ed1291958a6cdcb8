"""Tests of the samples that are kept."""

from __future__ import annotations

from typing import Any

import msgspec

from greenroom.server.ops.messages import OpsSample, OpsSamples
from greenroom.server.ops.samples import COARSE_SECONDS, SampleHistory


def sample(t: float, **fields: Any) -> OpsSample:
    plain: dict[str, Any] = {
        field.name: 0 for field in msgspec.structs.fields(OpsSample) if field.name != "tasks_by_kind"
    }
    plain |= {"reply_ms_p50": None, "reply_ms_p95": None, "tasks_by_kind": {"server": 1}}
    return OpsSample(**(plain | {"t": t} | fields))


def test_each_second_is_kept() -> None:
    """By column, the latest ones; kinds of tasks have columns of their own."""
    history = SampleHistory(60, 1)
    for t in range(100):
        history.add(sample(t, tasks=t, cpu_pct=0.5, tasks_by_kind={"server": 1, "clients": t}), [])
    found = history.fine()
    assert found.step_s == 1
    assert found.t == [float(t) for t in range(40, 100)]
    assert found.tasks == list(range(40, 100))
    assert found.reply_ms_p50 == [None] * 60
    assert found.tasks_by_kind["clients"] == list(range(40, 100))
    assert msgspec.convert(msgspec.to_builtins(found), OpsSamples) == found


def test_half_a_minute_is_summed_up() -> None:
    """Means of gauges, the worst lag and the longest queue, percentiles over all replies of the time."""
    history = SampleHistory(60, 1)
    for t in range(COARSE_SECONDS - 1):
        history.add(sample(t, tasks=10, slots_busy=2), [])
    assert history.coarse().t == []
    last = sample(
        29, tasks=40, slots_busy=2, loop_lag_ms=300.0, queue_waiting=7, replies=3, reply_ms_p50=20.0,
        tasks_by_kind={"clients": 30},
    )  # fmt: skip
    history.add(last, [10.0, 20.0, 90.0])
    found = history.coarse()
    assert (found.step_s, found.t) == (COARSE_SECONDS, [29.0])
    assert (found.tasks, found.slots_busy) == ([11.0], [2.0])
    assert (found.loop_lag_ms, found.queue_waiting, found.replies) == ([300.0], [7.0], [3])
    assert (found.reply_ms_p50, found.reply_ms_p95) == ([20.0], [90.0])
    assert (history.fine_total, history.coarse_total) == (30, 1)


def test_the_past_is_bounded() -> None:
    """A day of samples leaves as many rows as an hour."""
    history = SampleHistory(60, 1)
    for t in range(2 * 3600):
        history.add(sample(t), [])
    assert len(history.fine().t) == 60
    assert len(history.coarse().t) == 3600 // COARSE_SECONDS
