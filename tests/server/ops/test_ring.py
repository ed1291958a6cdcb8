"""Tests of the ring buffers."""

from __future__ import annotations

import tracemalloc

from greenroom.server.ops.ring import MOST_COLUMNS, Latest, Ring


def test_rows_come_oldest_first() -> None:
    """Before it is full, when it is just full, and when it has gone round."""
    ring = Ring(3, ("a",), ("n",))
    assert ring.columns() == {"a": [], "n": []}
    for number in range(1, 8):
        ring.append({"a": number / 2, "n": number})
        last = list(range(max(1, number - 2), number + 1))
        assert ring.column("n") == last
        assert ring.column("a") == [value / 2 for value in last]
        assert len(ring) == len(last)
    assert ring.total == 7
    assert ring.column("n", skip=2) == [7]


def test_gaps_are_none() -> None:
    """A figure that was not there is None among fractions, and 0 among whole numbers."""
    ring = Ring(4, ("a",), ("n",))
    ring.append({"a": None})
    ring.append({"a": 1.5, "n": 2})
    assert ring.columns() == {"a": [None, 1.5], "n": [0, 2]}
    assert all(isinstance(value, int) for value in ring.column("n"))


def test_a_new_name_begins_a_column() -> None:
    """With zeros before it; there is an end to that."""
    ring = Ring(4, ())
    ring.append({"x": 1})
    ring.append({"x": 2, "y": 5})
    assert ring.columns() == {"x": [1, 2], "y": [0, 5]}
    ring.append({f"column {number}": 1 for number in range(1000)})
    assert len(ring.columns()) == MOST_COLUMNS


def test_it_never_grows() -> None:
    """Ten thousand rows take no more memory than none."""
    ring = Ring(500, ("a", "b"), ("n",))
    row = {"a": 1.0, "b": None, "n": 3}
    ring.append(row)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(10_000):
            ring.append(row)
        assert tracemalloc.get_traced_memory()[0] - before < 2000
    finally:
        tracemalloc.stop()


def test_the_latest_things() -> None:
    """Those after a number, as far as they are kept; the list behind it has its length from the start."""
    latest: Latest[str] = Latest(3)
    assert (latest.since(0), len(latest)) == ([], 0)
    for number in range(1, 6):
        latest.append(f"thing {number}")
        assert len(latest._places) == 3
    assert (latest.total, len(latest)) == (5, 3)
    assert latest.since(0) == ["thing 3", "thing 4", "thing 5"]
    assert latest.since(4) == ["thing 5"]
    assert latest.since(5) == []
