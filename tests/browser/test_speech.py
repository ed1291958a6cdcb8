"""Spoken replies: sound in order, the spoken sentence marked, and the one answer the server waits for."""

from __future__ import annotations

import pytest
from playwright.async_api import BrowserContext, expect
from tests.browser.chat_page import ChatPage
from tests.browser.conftest import NewPage
from tests.helpers.server_process import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

#: Counts the sounds that were played to their end, and notes the sentence marked while each of them sounded.
LISTEN = """
  window.played = [];
  window.marked = [];
  const play = HTMLMediaElement.prototype.play;
  HTMLMediaElement.prototype.play = function () {
    if (!this.followed) {
      this.followed = true;
      // The page's own sound of no length, which unlocks the element, is none of a sentence.
      this.addEventListener('playing', () => this.duration > 0.05 && requestAnimationFrame(() =>
        window.marked.push(document.querySelector('.sentence[data-state=speaking]')?.textContent ?? null)));
      this.addEventListener('ended', () => this.duration > 0.05 && window.played.push(this.duration));
    }
    return play.call(this);
  };
"""


async def spoken(context: BrowserContext, new_page: NewPage, server: ServerProcess) -> ChatPage:
    await context.add_init_script(LISTEN)
    chat = await new_page(server.url)
    await chat.switch("Spoken")
    return chat


async def test_a_reply_is_heard(context: BrowserContext, new_page: NewPage, server: ServerProcess) -> None:
    """Every sentence sounds, in order, marked while it does; completion is told once, and the turn ends."""
    chat = await spoken(context, new_page, server)
    await chat.say_and_hear("Tell me something.")
    texts = [m["display_text"]["text"] for m in chat.wire.received if m["type"] == "audio"]
    assert all(m["audio"] for m in chat.wire.received if m["type"] == "audio")
    played = await chat.page.evaluate("() => window.played")
    assert played == [pytest.approx(0.2, abs=0.02)] * len(texts)
    assert await chat.page.evaluate("() => window.marked") == texts
    begun = [m["display_text"]["text"] for m in chat.wire.sent if m["type"] == "audio-play-start"]
    assert begun == texts
    assert chat.wire.types_sent().count("frontend-playback-complete") == 1
    assert chat.wire.types_received().count("backend-synth-complete") == 1


async def test_stopped_while_speaking(
    context: BrowserContext, new_page: NewPage, server: ServerProcess
) -> None:
    """Stop silences at once; only the sentences that had begun count as heard, the rest is struck out."""
    chat = await spoken(context, new_page, server)
    await chat.say("Tell me something.")
    await expect(chat.page.locator('.sentence[data-state="speaking"]')).to_be_visible()
    await chat.page.keyboard.press("Escape")
    await expect(chat.stop).to_have_count(0)
    await expect(chat.page.locator('.sentence[data-state="speaking"]')).to_have_count(0)
    told = next(m["text"] for m in chat.wire.sent if m["type"] == "interrupt-signal")
    begun = [m["display_text"]["text"] for m in chat.wire.sent if m["type"] == "audio-play-start"]
    assert told == "".join(begun)
    paused = "() => document.querySelector('audio') === null"
    assert await chat.page.evaluate(paused)
    assert "frontend-playback-complete" not in chat.wire.types_sent()
    await chat.say_and_hear("And now?")
    assert chat.wire.types_sent().count("frontend-playback-complete") == 1


async def test_the_volume(context: BrowserContext, new_page: NewPage, server: ServerProcess) -> None:
    """What the settings say is how loud it plays, also after a reload; the end of each turn is told by its name."""
    await context.add_init_script(
        """
        window.volumes = [];
        const start = HTMLMediaElement.prototype.play;
        HTMLMediaElement.prototype.play = function () {
          window.volumes.push(this.volume);
          return start.call(this);
        };
        """
    )
    chat = await spoken(context, new_page, server)
    await chat.by("settings").click()
    await chat.by("volume").fill("40")
    await chat.page.keyboard.press("Escape")
    for _ in range(2):
        await chat.say_and_hear("Tell me something.")
        assert set(await chat.page.evaluate("() => window.volumes.slice(-2)")) == {0.4}
        await chat.page.reload()
        await chat.ready()
        await chat.switch("Spoken")
    asked = [m["request_id"] for m in chat.wire.received if m["type"] == "backend-synth-complete"]
    answered = [m["request_id"] for m in chat.wire.sent if m["type"] == "frontend-playback-complete"]
    assert answered == asked
    assert len(set(asked)) == 2


async def test_without_sound(context: BrowserContext, new_page: NewPage, server: ServerProcess) -> None:
    """With the sound off nothing is played, and the server is not kept waiting."""
    chat = await spoken(context, new_page, server)
    await chat.by("sound").click()
    await chat.say_and_hear("Tell me something.")
    assert await chat.page.evaluate("() => window.played") == []
    assert chat.wire.types_sent().count("frontend-playback-complete") == 1
    await chat.page.reload()
    await chat.ready()
    await expect(chat.by("sound")).to_have_attribute("aria-label", "Sound is off")
