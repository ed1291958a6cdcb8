"""What a model writes looks as it was written: while it comes, after a reload, and to the model itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import expect
from tests.agents.fault_provider import FaultProvider, ok
from tests.browser.conftest import NewPage
from tests.helpers.server_process import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

WRITTEN = """Two steps, **both** easy:

- Boil it.
   - Slowly.

```python
def boil(water):
    # for a while
    return Math.PI * water
```

Ask ASP.NET or see https://a.example/x_y. 你好！OK? مرحبا؟ نعم."""
READ = """Two steps, both easy:

- Boil it.
   - Slowly.

def boil(water):
    # for a while
    return Math.PI * water

Ask ASP.NET or see https://a.example/x_y. 你好！OK? مرحبا؟ نعم."""
PROGRAM = "def boil(water):\n    # for a while\n    return Math.PI * water"


async def test_a_reply_keeps_its_lines(tmp_path: Path, new_page: NewPage) -> None:
    """Lists, emphasis, program text and scripts are the same live and stored, and the model reads its own words."""
    async with FaultProvider(ok(*[f"{word} " for word in WRITTEN.split(" ")])) as provider:
        agent = {"kind": "openai", "openai": {"base_url": provider.base_url, "model": "m"}}
        async with ServerProcess(tmp_path, {"agent": agent}) as server:
            chat = await new_page(server.url)
            live = await chat.say_and_hear("How?")
            await chat.page.reload()
            await chat.ready()
            await chat.histories.first.locator("button").first.click()
            await expect(chat.replies).to_have_count(1)
            bubble = chat.replies.locator(".bubble")
            assert live == READ
            assert await bubble.inner_text() == READ
            assert (await bubble.locator("strong").all_inner_texts()) == ["both"]
            assert "".join(await bubble.locator(".program").all_inner_texts()).strip() == PROGRAM
            await chat.say_and_hear("And then?")
            said = [line["content"] for line in provider.requests[-1].json["messages"]]
            assert said[-2:] == [WRITTEN, "And then?"]
