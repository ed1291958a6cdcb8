"""Tests of the screen: drawn into a text, for terminals large and small."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console
from tests.server.ops.top.scenes import model, owner, state, task, verdict, visits

from greenroom.server.ops.messages import (
    OpsAbandoned,
    OpsBaseline,
    OpsFrame,
    OpsSoak,
    OpsSoakCause,
    OpsSoakVerdict,
    OpsStack,
    OpsTree,
)
from greenroom.server.ops.top.model import Model
from greenroom.server.ops.top.screen import screen


def drawn(found: Model, width: int = 120, height: int = 50) -> str:
    console = Console(width=width, height=height, record=True, force_terminal=False, file=None, quiet=False)
    with console.capture() as capture:
        console.print(screen(found, "http://x:1", width, height))
    return capture.get()


def soak(**fields: Any) -> OpsSoak:
    plain: dict[str, Any] = {
        "id": 3, "state": "running", "mode": "mixed", "visits": 50, "done": 7, "began": 0.0, "seconds": 4.0,
        "visit": [], "first_reply_ms": [], "verdict": None, "error": None,
    }  # fmt: skip
    return OpsSoak(**(plain | fields))


def test_a_young_server() -> None:
    """Its figures with their limits, visits, owners, queues, slots, closes, keys."""
    text = drawn(model())
    for part in (
        "not enough visits yet", "greenroom 1.2.3", "http://x:1", "up 1 min", "pid 4242", "0 of 33 visits",
        "256 ms", "first reply over 2 visits", "▾ server", "· http server", "▸ clients", "greenroom/a.py:1 in f",
        "agent demo: 1 of 2 busy, 3 waiting", "room stage: 30 viewers, 2 waiting (oldest 4.5 s), talking",
        "client 7f3a: closed by the page; 1.5 ms, 2 tasks ended", "q quit",
    ):  # fmt: skip
        assert part in text, part
    assert "abandoned" not in text


@pytest.mark.parametrize(
    ("kind", "figures", "word", "more"),
    [
        ("flat", {"recent_ms": 251.0, "change_ms": 1.0}, "flat", "first reply 251 ms, at first 250 ms\n"),
        ("growing", {}, "getting slower", "first reply 480 ms, at first 250 ms; +230 ms"),
        ("step", {"at": 120}, "slower since a moment", "+230 ms since visit 120"),
    ],
)
def test_the_hint_comes_first(kind: str, figures: dict[str, Any], word: str, more: str) -> None:
    """In a word, then with its figures."""
    text = drawn(model(verdict_hint=verdict(kind, **figures)))
    assert text.startswith(word)
    assert more in "\n".join(line.rstrip() for line in text.splitlines())


def test_the_curve_of_visits() -> None:
    """All of them in one line, with the band in which they lay at first."""
    first = [250.0] * 1000 + [500.0] * 1000
    band = OpsBaseline(240, 250, 262, 30, 5, "White")
    lines = drawn(model(visits=visits(*first), visits_total=2000, baseline=band)).splitlines()
    at = next(
        i for i, line in enumerate(lines) if "first reply over 2000 visits; at first 240 … 262 ms" in line
    )
    curve = lines[at + 1].strip()
    assert len(curve) == 118
    assert (curve[0], curve[-1]) == ("▄", "█")


def test_abandoned_tasks_are_told() -> None:
    """How many, which, since when, from where, and who cancelled them."""
    lost = OpsAbandoned(
        "id", "server/clients/client a", "turn", "greenroom/t.py:5 in g", 90.0, "closed: the page"
    )
    text = drawn(model(abandoned=[lost] * 9, abandoned_total=12))
    assert "9 abandoned tasks still run, 12 in all" in text
    assert "server/clients/client a/turn, 1 min, from greenroom/t.py:5 in g; closed: the page" in text


def test_a_stack() -> None:
    """The innermost frames, with their lines of code; a waiting task has none."""
    found = model()
    frames = [OpsFrame("greenroom/a.py", number, f"f{number}", "await g()") for number in range(30)]
    found.stack = OpsStack("id", "turn", "server/clients/client a", "running", frames, 0)
    text = drawn(found)
    assert "server/clients/client a/turn (running) stands at" in text
    assert "greenroom/a.py:29 f29  await g()" in text
    assert "greenroom/a.py:5 " not in text
    found.stack = OpsStack("id", "turn", "server", "waiting", [], 0)
    assert "it has not begun" in drawn(found)


def test_a_soak() -> None:
    """Its progress, then its verdict with the causes, or why it failed."""
    assert "soak 3 (mixed): running, 7 of 50 visits" in drawn(model(soak=soak()))
    found = OpsSoakVerdict(
        "growing", "growing: worse.", "", [OpsSoakCause("a leak", "泄漏", "it leaks", "在泄漏")], 1
    )
    text = drawn(model(soak=soak(state="finished", done=50, verdict=found)))
    assert "finished, 50 of 50 visits; growing: worse." in text
    assert "likely cause: a leak: it leaks" in text
    assert "failed, 7 of 50 visits; no luck" in drawn(model(soak=soak(state="failed", error="no luck")))


def test_owners_that_are_closing_and_tasks_that_are_cancelled() -> None:
    """Both are marked, with the reason; what is not listed is counted."""
    found = model()
    stuck = task("turn", state="cancelling", cancelled_by="closed by the page")
    shut = owner("server", stuck, open=False, tasks_left_off=4)
    found.tree = OpsTree(0, [shut], 31, "x")
    text = drawn(found)
    assert "31 more not shown" in text
    assert "4 of its tasks are not listed" in text
    assert "cancelling" in text
    assert "closed by the page" in text


def test_no_connection() -> None:
    """At first there is only that; later it stands above the last that was seen."""
    assert "connecting" in drawn(Model())
    found = model()
    found.lost = "nobody answers; trying again in 4 s"
    text = drawn(found)
    assert "nobody answers; trying again in 4 s" in text
    assert "▾ server" in text
    found.notice = "press S again"
    assert "press S again" in drawn(found)


@pytest.mark.parametrize(("width", "height"), [(40, 12), (60, 24), (80, 24), (100, 30), (200, 60)])
def test_it_fits(width: int, height: int) -> None:
    """No line is wrapped and none is lost below the edge, however small the terminal is."""
    lost = OpsAbandoned("id", "server/clients/client a", "turn", "greenroom/t.py:5 in g", 90.0, None)
    found = model(abandoned=[lost] * 9, abandoned_total=9, soak=soak(), visits=visits(*[300.0] * 500))
    owners = [owner("server")] + [owner(f"server/client {number}") for number in range(200)]
    found.tree = OpsTree(0, owners, 0, None)
    found.move(150)
    lines = drawn(found, width, height).rstrip("\n").splitlines()
    assert len(lines) <= height
    assert max(len(line) for line in lines) <= width
    if height >= 24:
        assert any("client 1" in line for line in lines)


def test_a_state_without_anything() -> None:
    """A server in its first second: no samples, no visits, no closes."""
    empty = state(closes=[], closes_total=0, queues=[], providers=[], visits=visits())
    found = Model(state=empty)
    for name in empty.samples.__struct_fields__:
        column = getattr(empty.samples, name)
        if isinstance(column, list):
            column.clear()
    assert "no visits yet" in drawn(found)
    assert "owners: asking" in drawn(found)
