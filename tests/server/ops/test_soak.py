"""Tests of the soak that the page starts; the child is replaced by a small program."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from tests.helpers.server_process import eventually

from greenroom.config.settings import OpsSettings
from greenroom.history import HistoryStore
from greenroom.lab.olv import SAY as LAB_SAYS
from greenroom.lab.plan import MODES as LAB_MODES
from greenroom.server.ops import soak as module
from greenroom.server.ops.messages import OpsSoak, OpsSoakRequest
from greenroom.server.ops.soak import MODES, SAY, SoakRefused, SoakRunner
from greenroom.tasks import TaskScope

VERDICT = {
    "outcome": "flat",
    "headline": {"en": "flat: fine.", "zh": "平稳。"},
    "causes": [{"name": "a leak", "name_zh": "泄漏", "evidence": "seen", "evidence_zh": "已见"}],
    "exit_code": 0,
}


class Stage:
    """A runner whose child is the given program."""

    def __init__(self, scope: TaskScope, histories: HistoryStore, **settings: Any) -> None:
        self.news: list[OpsSoak] = []
        characters = SimpleNamespace(
            entries=lambda: [SimpleNamespace(filename="white.yaml")],
            load=lambda name: SimpleNamespace(conf_uid="white"),
        )
        services: Any = SimpleNamespace(characters=characters, histories=histories)
        self.runner = SoakRunner(scope.child("soak"), OpsSettings(**settings), services, self._changed)
        self.runner.url = "http://127.0.0.1:1"

    def _changed(self) -> None:
        assert self.runner.current is not None
        self.news.append(self.runner.current)

    async def until(self, check: Callable[[OpsSoak], bool]) -> OpsSoak:
        async def seen() -> OpsSoak | None:
            run = self.runner.current
            return run if run is not None and check(run) else None

        return await eventually("a state of the soak", seen, 10)


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Make `python -m greenroom soak …` run this code instead."""

    def program(code: str) -> None:
        script = tmp_path / "child.py"
        script.write_text(f"import json, sys, time\n{code}")
        wrapper = tmp_path / "python"
        wrapper.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}" "$@"\n')
        wrapper.chmod(0o755)
        monkeypatch.setattr(module.sys, "executable", str(wrapper))

    return program


def says(*lines: dict[str, Any]) -> str:
    return "\n".join(f"print({json.dumps(json.dumps(line))}, flush=True)" for line in lines)


async def test_progress_and_verdict(child: Callable[[str], None]) -> None:
    """Each visit is told as it is made, then the verdict; what is no JSON is passed over."""
    visits = [
        {"visit": n, "manner": "polite", "first_reply": 0.25 if n else None, "error": None} for n in (0, 1)
    ]
    child(
        f"print('hello')\n{says(*visits, {'verdict': VERDICT})}\nassert sys.argv[1:4] == ['-m', 'greenroom', 'soak']"
    )
    histories = await HistoryStore.open(None)
    async with TaskScope("server") as scope:
        stage = Stage(scope, histories)
        started = stage.runner.start(OpsSoakRequest(2, "polite"))
        assert (started.state, started.visits, started.mode, started.done) == ("running", 2, "polite", 0)
        run = await stage.until(lambda run: run.state != "running")
        assert (run.state, run.done, run.visit, run.first_reply_ms) == ("finished", 2, [0, 1], [None, 250.0])
        assert run.verdict is not None
        assert (run.verdict.headline_zh, run.verdict.causes[0].name_zh) == ("平稳。", "泄漏")
        assert [news.done for news in stage.news] == [1, 2, 2]
    await histories.aclose()


@pytest.mark.parametrize(("url", "insecure"), [("http://127.0.0.1:1", "0"), ("https://127.0.0.1:1", "1")])
async def test_its_own_certificate_is_not_doubted(
    child: Callable[[str], None], url: str, insecure: str
) -> None:
    """The server is called by its address, for which no certificate is made."""
    child("print(json.dumps({'error': str(sys.argv.count('--insecure'))}))")
    histories = await HistoryStore.open(None)
    async with TaskScope("server") as scope:
        stage = Stage(scope, histories)
        stage.runner.url = url
        stage.runner.start(OpsSoakRequest(5))
        run = await stage.until(lambda run: run.state != "running")
        assert run.error == insecure
    await histories.aclose()


async def test_one_at_a_time_and_only_what_works(child: Callable[[str], None]) -> None:
    """A second one is refused, as is what cannot work, each with what to do."""
    child("time.sleep(60)")
    histories = await HistoryStore.open(None)
    async with TaskScope("server") as scope:
        stage = Stage(scope, histories, soak_visits=50)
        for wanted, status, field in (
            (OpsSoakRequest(0), 422, "visits"),
            (OpsSoakRequest(51), 422, "visits"),
            (OpsSoakRequest(5, "rude"), 422, "mode"),
        ):
            with pytest.raises(SoakRefused) as refused:
                stage.runner.start(wanted)
            assert (refused.value.status, refused.value.problem.field) == (status, field)
            assert refused.value.problem.fix.startswith("use ")
        stage.runner.start(OpsSoakRequest(5))
        with pytest.raises(SoakRefused) as refused:
            stage.runner.start(OpsSoakRequest(5))
        assert refused.value.status == 409
        assert await stage.runner.cancel()
        assert not await stage.runner.cancel()
        off = Stage(scope, histories, soak=False)
        with pytest.raises(SoakRefused) as refused:
            off.runner.start(OpsSoakRequest(5))
        assert refused.value.status == 403
    await histories.aclose()


@pytest.mark.parametrize("stubborn", [False, True])
async def test_closing_ends_the_child(
    child: Callable[[str], None], stubborn: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Politely first, then not: no process is left, whether the soak or the server ends."""
    monkeypatch.setattr(module, "TERMINATE_SECONDS", 0.2)
    ignore = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)" if stubborn else ""
    child(f"{ignore}\n{says({'visit': 1, 'first_reply': 1})}\ntime.sleep(60)")
    histories = await HistoryStore.open(None)
    before = set(psutil.Process().children(recursive=True))
    async with TaskScope("server", close_timeout=5) as scope:
        stage = Stage(scope, histories)
        for _ in range(2):
            stage.runner.start(OpsSoakRequest(5))
            await stage.until(lambda run: run.done == 1)
            if stage.runner.current is not None and stage.runner.current.id == 1:
                assert await stage.runner.cancel()
                assert stage.runner.current.state == "cancelled"
    assert stage.runner.current is not None
    assert stage.runner.current.state == "cancelled"
    assert set(psutil.Process().children(recursive=True)) <= before
    await histories.aclose()


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (says({"error": "nobody answers there"}), "nobody answers there"),
        ("print('Traceback: oops'); sys.exit(7)", "Traceback: oops"),
        ("sys.exit(7)", "it left with exit code 7"),
        ("print('x' * 600_000, flush=True)\n" + says({"error": "told at last"}), "told at last"),
        ("time.sleep(60)", "it took longer than 0.3 s (ops.soak_seconds)"),
    ],
)
async def test_failures_say_why(child: Callable[[str], None], code: str, error: str) -> None:
    """The state is `failed`, with the child's own words if it had any."""
    child(code)
    histories = await HistoryStore.open(None)
    async with TaskScope("server") as scope:
        stage = Stage(scope, histories, soak_seconds=0.3 if "sleep" in code else 60)
        stage.runner.start(OpsSoakRequest(5))
        run = await stage.until(lambda run: run.state != "running")
        assert (run.state, run.error) == ("failed", error)
    await histories.aclose()


async def test_a_program_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """It could not be started: that is told as well."""
    monkeypatch.setattr(module.sys, "executable", "/nowhere/python")
    histories = await HistoryStore.open(None)
    async with TaskScope("server") as scope:
        stage = Stage(scope, histories)
        stage.runner.start(OpsSoakRequest(5))
        run = await stage.until(lambda run: run.state != "running")
        assert run.error == "it could not be started: No such file or directory"
    await histories.aclose()


async def test_it_leaves_no_conversations(child: Callable[[str], None]) -> None:
    """Those it has begun are deleted; everybody else's stay, also old ones that begin in the same way."""
    child(says({"verdict": VERDICT}))
    histories = await HistoryStore.open(None)
    old = datetime.now() - timedelta(days=1)
    for uid, text, created in (
        ("mine", "Hello there", None), ("soak", SAY, None), ("earlier", SAY, old), ("quoted", f"{SAY} Please.", None),
    ):  # fmt: skip
        await histories.append("white", uid, "human", text, created=created)
        await histories.append("white", uid, "ai", "Well.", created=created)
    async with TaskScope("server") as scope:
        stage = Stage(scope, histories)
        stage.runner.start(OpsSoakRequest(5))
        await stage.until(lambda run: run.state == "finished")

        async def tidied() -> set[str]:
            left = {entry.uid for entry in (await histories.list("white")).entries}
            return set() if "soak" in left else left

        assert await eventually("its end", tidied) == {"mine", "earlier", "quoted"}
    await histories.aclose()


def test_it_knows_the_modes_and_the_words_of_the_lab() -> None:
    """The server imports nothing of the lab, so its copy is compared here."""
    assert set(MODES) == set(LAB_MODES)
    assert SAY == LAB_SAYS
