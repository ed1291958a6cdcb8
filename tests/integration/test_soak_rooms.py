"""The lab's room mode against the real server: two viewers of one room, over `/proxy-ws`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.helpers.server_process import ServerProcess, slow

from greenroom.lab.olv import OlvVisitor
from greenroom.lab.process import ProcessTree
from greenroom.lab.soak import Options, Soak
from greenroom.lab.verdict import judge

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


async def test_a_room_is_soaked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Visits to a room are measured from what the other viewer hears, none fails, and nobody is blamed."""
    monkeypatch.setattr("greenroom.lab.soak.FINAL_REST_SECONDS", 0.1)
    monkeypatch.setattr("greenroom.lab.soak.REST_SECONDS", 0.1)
    async with ServerProcess(tmp_path, {"agent": slow(words=60, tokens_per_second=400)}) as server:
        visitor = OlvVisitor(server.ws_url, 10.0)
        run = await Soak(server.ws_url, visitor, Options("room", 12), tree=ProcessTree(server.pid)).go()
    assert [(visit.manner, visit.error) for visit in run.visits] == [("room", None)] * 12
    assert all(visit.first_reply < visit.whole_reply for visit in run.visits)
    assert judge(run).causes == []
