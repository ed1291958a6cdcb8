"""Tests of what the terminal shows, as data."""

from __future__ import annotations

import msgspec
import pytest
from tests.server.ops.top.scenes import model, sample, verdict, visits

from greenroom.server.ops.messages import OpsAbandonedList, OpsClose, OpsCloses, OpsNewVisits, OpsQueues
from greenroom.server.ops.top.model import Model, NoOps

KEPT_SECONDS, KEPT_CLOSES = 900, 100


def names(found: Model) -> list[str]:
    return [row.task.name if row.task is not None else row.owner.name for row in found.rows()]


def test_samples_are_added() -> None:
    """To each series, by name; a new kind of task begins a series; the oldest are let go."""
    found = model()
    for t in range(1076, 1076 + KEPT_SECONDS):
        told = sample(t, tasks=9, tasks_by_kind={"clients": 5})
        found.hear("sample", msgspec.json.encode(told))
    assert found.state is not None
    columns = found.state.samples
    assert len(columns.t) == KEPT_SECONDS
    assert columns.t[-1] - columns.t[0] == KEPT_SECONDS - 1
    assert columns.tasks == [9] * KEPT_SECONDS
    assert columns.tasks_by_kind["server"][-1] == 0
    assert columns.tasks_by_kind["clients"] == [5] * KEPT_SECONDS
    assert found.state.uptime_s == 75 + KEPT_SECONDS


def test_news_change_the_state() -> None:
    """Visits and closes are added, lists that come whole replace what was there."""
    found = model()
    news = OpsNewVisits(visits(270.0, begin=3), 3, None, verdict("growing"))
    found.hear("visits", msgspec.json.encode(news))
    close = OpsClose("server/clients/client b", 0, 1, "lost", 1, 0, 1, ["x"])
    found.hear("closes", msgspec.json.encode(OpsCloses([close] * KEPT_CLOSES, 101)))
    found.hear("abandoned", msgspec.json.encode(OpsAbandonedList([], 7)))
    found.hear("queues", msgspec.json.encode(OpsQueues([], [])))
    state = found.state
    assert state is not None
    assert (state.visits.n, state.visits.first_reply_ms) == ([1, 2, 3], [250.0, 260.0, 270.0])
    assert (state.visits_total, state.verdict_hint.state) == (3, "growing")
    assert (len(state.closes), state.closes_total, state.closes[0].reason) == (KEPT_CLOSES, 101, "lost")
    assert (state.abandoned_total, state.queues, state.providers) == (7, [], [])


def test_what_is_no_ops_room_is_told() -> None:
    """Something else's stream is an error; an event of a later version is none."""
    with pytest.raises(NoOps, match="does not begin with its state"):
        Model().hear("sample", msgspec.json.encode(sample(1)))
    with pytest.raises(NoOps, match="event 'state'"):
        Model().hear("state", b'{"hello": 1}')
    Model().hear("weather", b"anything")


def test_connecting_again_replaces_everything() -> None:
    """The state comes whole; nothing is counted twice."""
    found = model()
    found.lost = "gone; trying again"
    found.hear("state", msgspec.json.encode(found.state))
    assert found.state is not None
    assert len(found.state.samples.t) == 2
    assert found.lost == ""


def test_owners_are_opened_and_shut() -> None:
    """An owner shows its tasks and its children; shut ones count what is below."""
    found = model()
    assert names(found) == ["server", "http server", "clients", "rooms"]
    assert [row.tasks for row in found.rows()] == [5, 0, 4, 0]
    found.move(2)
    found.open(True)
    assert names(found) == ["server", "http server", "clients", "client a", "client b", "rooms"]
    found.move(1)
    found.toggle()
    assert names(found)[3:7] == ["client a", "writer", "turns", "client b"]
    assert [row.depth for row in found.rows()][2:7] == [1, 2, 3, 3, 2]
    found.open(False)
    assert names(found)[3:5] == ["client a", "client b"]
    found.toggle()
    found.toggle()
    assert names(found)[3:5] == ["client a", "client b"]


def test_the_selection_stays_where_it_is() -> None:
    """While others come and go; one that has gone leaves it with its owner."""
    found = model()
    found.expanded |= {"server/clients", "server/clients/client a"}
    found.move(4)
    row = found.row()
    assert row is not None
    assert row.task is not None
    assert row.task.name == "writer"
    assert found.tree is not None
    found.tree = msgspec.structs.replace(
        found.tree,
        owners=[
            msgspec.structs.replace(owner, tasks=[]) if owner.name == "client a" else owner
            for owner in found.tree.owners
        ],
    )
    row = found.row()
    assert row is not None
    assert (row.task, row.owner.name) == (None, "client a")
    found.move(-100)
    assert found.selected == "server"
    found.move(100)
    assert found.selected == "server/rooms"


def test_orders() -> None:
    """As in the tree, most tasks first, youngest first, by name, and round again."""
    found = model()
    found.expanded |= {"server/clients"}
    seen = []
    for _ in range(5):
        seen.append((found.order, [name for name in names(found) if name.startswith("client ")]))
        found.sort()
    assert seen == [
        ("tree", ["client a", "client b"]),
        ("tasks", ["client a", "client b"]),
        ("age", ["client b", "client a"]),
        ("name", ["client a", "client b"]),
        ("tree", ["client a", "client b"]),
    ]


def test_without_a_tree_there_is_nothing_to_select() -> None:
    """Keys that come too early do nothing."""
    found = Model()
    found.move(1)
    found.toggle()
    found.open(True)
    assert found.row() is None
