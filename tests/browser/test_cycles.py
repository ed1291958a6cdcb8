"""A tab that is opened and closed again and again leaves nothing behind on the server."""

from __future__ import annotations

from typing import Any

import pytest
from tests.browser.conftest import NewPage
from tests.helpers.server_process import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

VISITS = 30


def held(figures: dict[str, Any]) -> dict[str, Any]:
    """What must be the same after any number of visits."""
    return {
        "clients": figures["clients"],
        "tasks": figures["tasks"]["running"] + figures["tasks"]["waiting"],
        "threads": figures["threads"],
        "children": figures["children"],
        "abandoned": figures["abandoned"],
        "engines": figures["engines"],
    }


async def test_thirty_visits_in_one_tab(own_server: ServerProcess, new_page: NewPage) -> None:
    """After thirty visits, every third left in mid-reply, the server holds what it held after the first."""
    chat = await new_page(own_server.url)
    await chat.switch("Endless")
    await chat.say("Hello.")
    await chat.speaking()
    await chat.page.goto("about:blank")
    before = await own_server.quiet(0)
    for visit in range(VISITS):
        await chat.open()
        if visit % 3 == 0:
            await chat.switch("Endless")
            await chat.say("Go on and on.")
            await chat.speaking()
        await chat.page.goto("about:blank")
    after = await own_server.quiet(0)
    assert after["clients_opened"] - before["clients_opened"] == VISITS
    assert held(after) == held(before)
    assert after["fds"] <= before["fds"] + 6  # the connection that asks, and those the browser keeps open
