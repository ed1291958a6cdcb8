"""What a visitor meets: the first page, a reply sentence by sentence, stopping it, another character."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import expect
from tests.browser.chat_page import ChatPage
from tests.browser.conftest import NewPage
from tests.helpers.olv_client import GREETING, OPENING, OPENING_REPLIES, OlvClient
from tests.helpers.server_process import FAST, ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

#: Notes how many sentences of the newest reply are on the screen, and whether it could still be stopped.
WATCH = """() => {
  window.seen = [];
  new MutationObserver(() => {
    const count = [...document.querySelectorAll('[data-testid=message-ai]')].at(-1)
      ?.querySelectorAll('.sentence').length ?? 0;
    const last = window.seen.at(-1);
    if (!last || last[0] !== count) window.seen.push([count, !!document.querySelector('[data-testid=stop]')]);
  }).observe(document.body, {subtree: true, childList: true});
}"""


async def test_first_visit(chat: ChatPage) -> None:
    """The greeting is taken in, the four questions are answered, and the characters are on show."""
    await expect(chat.by("character-card").first).to_be_visible()
    await chat.until(lambda: "new-history-created" in chat.wire.types_received(), "the four answers")
    assert chat.wire.types_sent() == OPENING
    # The page has asked how its character gets ready: the answer comes with the list of them.
    received = [kind for kind in chat.wire.types_received() if kind != "character-state"]
    assert received == GREETING + OPENING_REPLIES
    names = [await card.get_attribute("data-name") for card in await chat.by("character-card").all()]
    assert {"White", "Sakura", "Bloodsucker"} <= set(names)
    await expect(chat.character("White")).to_have_attribute("data-state", "ready")
    faces = chat.page.locator('[data-testid="character-card"][data-name="White"] img')
    await expect(faces).to_have_js_property("complete", True)
    assert await faces.evaluate("image => image.naturalWidth") > 0
    assert await chat.page.title() == "White · Greenroom"
    await expect(chat.by("greeting")).to_contain_text("Hello. I am White. Take a seat, the kettle is on.")
    # This server has no speech recognition.
    await expect(chat.by("mic")).to_have_count(0)


async def test_a_reply_appears_sentence_by_sentence(chat: ChatPage) -> None:
    """Each sentence is on the screen before the next has come, and all are there at the end, with spaces."""
    await chat.page.evaluate(WATCH)
    text = await chat.say_and_hear("Tell me a story, please.")
    seen = await chat.page.evaluate("() => window.seen")
    counts = [count for count, _ in seen if count]
    assert counts[0] == 1
    assert counts == sorted(counts)
    assert len(set(counts)) >= 3, seen
    assert all(running for count, running in seen if 0 < count < counts[-1])
    spoken = [m["display_text"]["text"] for m in chat.wire.received if m["type"] == "audio"]
    assert text == " ".join(spoken)


async def test_stop_by_button(chat: ChatPage) -> None:
    """The stop button ends the reply at once; what was heard is told, and the next message is answered."""
    await chat.switch("Endless")
    await chat.say("Go on and on.")
    await chat.speaking()
    await chat.stop.click()
    await expect(chat.stop).to_have_count(0)
    await expect(chat.page.locator(".interrupted")).to_be_visible()
    told = next(m for m in chat.wire.sent if m["type"] == "interrupt-signal")
    spoken = [m["display_text"]["text"] for m in chat.wire.received if m["type"] == "audio"]
    assert told["text"]
    assert "".join(spoken).startswith(told["text"])
    await chat.switch("White")
    assert await chat.say_and_hear("And now, briefly?")


async def test_stop_by_escape(chat: ChatPage) -> None:
    """Esc stops the reply; a second Esc, with nothing running, sends nothing."""
    await chat.switch("Endless")
    await chat.say("Go on and on.")
    await chat.speaking()
    await chat.page.keyboard.press("Escape")
    await expect(chat.stop).to_have_count(0)
    await chat.page.keyboard.press("Escape")
    assert chat.wire.types_sent().count("interrupt-signal") == 1
    length = len(await chat.reply_text())
    await chat.say("Once more.")
    await expect(chat.replies).to_have_count(2)
    assert len(await chat.replies.first.locator(".bubble").inner_text()) == length


async def test_stop_by_typing_on(chat: ChatPage) -> None:
    """A message sent while a reply runs cuts it short and is answered itself."""
    await chat.switch("Endless")
    await chat.say("Go on and on.")
    await chat.speaking()
    await chat.say("Wait, something else.")
    await expect(chat.replies).to_have_count(2)
    await expect(chat.replies.first.locator(".interrupted")).to_be_visible()
    sent = chat.wire.types_sent()
    assert sent.index("interrupt-signal") < len(sent) - 1 - sent[::-1].index("text-input")
    await expect(chat.questions).to_have_count(2)


async def test_switch_in_mid_reply(chat: ChatPage) -> None:
    """Another character comes on stage in the middle of a reply, with an empty conversation of its own."""
    await chat.switch("Endless")
    await chat.say("Go on and on.")
    await chat.speaking()
    await chat.switch("Sakura")
    await expect(chat.replies).to_have_count(0)
    await expect(chat.stop).to_have_count(0)
    received = len(chat.wire.received)
    reply = await chat.say_and_hear("こんにちは")
    assert reply
    speakers = {m["display_text"]["name"] for m in chat.wire.received[received:] if m["type"] == "audio"}
    assert speakers == {"さくら"}


async def test_switching_twice_ends_at_the_last(chat: ChatPage) -> None:
    """Two choices in a row: the last one is on stage, and one that loads slowly shows that it does."""
    await chat.character("Heavy").click()
    await chat.character("Fast").click()
    await expect(chat.character("Fast")).to_have_attribute("data-state", "ready")
    await expect(chat.page.locator(".head h1")).to_have_text("Fast")
    assert await chat.say_and_hear("Who are you?")
    assert chat.wire.received[-1]["type"] == "control"


async def test_a_character_that_cannot_come(chat: ChatPage) -> None:
    """Its card says that it is getting ready, then why it could not come; the earlier one answers as before."""
    await chat.say_and_hear("My name is Ada.")
    never = chat.character("Never")
    await never.click()
    await expect(never).to_have_attribute("data-state", "loading")
    await expect(never).to_have_attribute("data-state", "failed")
    await expect(never).to_contain_text("Could not be loaded: Never was not ready after 3 s.")
    await expect(chat.page.locator(".head h1")).to_have_text("White")
    assert "Ada" in await chat.say_and_hear("What is my name?")
    await never.click()
    await expect(never).to_have_attribute("data-state", "loading")
    await chat.switch("White")


async def test_a_character_that_must_be_called(chat: ChatPage) -> None:
    """The page says how; what is said before is not answered, what is said after is, until it is sent to sleep."""
    await chat.switch("Iris")
    await expect(chat.by("wake-word")).to_have_text("Say “hey iris”")
    await expect(chat.page.locator(".welcome")).to_contain_text("Begin with “hey iris”")
    await chat.say("Hello there.")
    await expect(chat.notices).to_have_text("Iris is not listening. Begin with “hey iris”.")
    await expect(chat.stop).to_have_count(0)
    await expect(chat.histories).to_have_count(0)
    await chat.by("wake-word").click()
    await expect(chat.page.get_by_role("dialog")).to_contain_text("goodbye iris")
    await expect(chat.page.get_by_role("dialog")).to_contain_text("小艾")
    await chat.page.keyboard.press("Escape")
    await chat.say_and_hear("Hey Iris, who are you?")
    await expect(chat.by("wake-word")).to_have_attribute("data-state", "active")
    await chat.say_and_hear("And what time is it?")
    await chat.say("Goodbye Iris.")
    await expect(chat.notices.last).to_contain_text("waits to be called again")
    await expect(chat.by("wake-word")).to_have_attribute("data-state", "listening")


async def test_the_character_speaks_up(chat: ChatPage) -> None:
    """One click lets the character begin; there is no message of the visitor's then."""
    await chat.by("speak-up").click()
    await chat.heard(1)
    await expect(chat.questions).to_have_count(0)
    assert await chat.reply_text()


async def test_a_reply_that_fails(chat: ChatPage) -> None:
    """The reason stands once, under the message it concerns, with a way to try again; others still answer."""
    await chat.switch("Broken")
    await chat.say("Hello?")
    await expect(chat.by("message-error")).to_contain_text("The reply could not be made.")
    await expect(chat.by("message-error")).to_contain_text("127.0.0.1:9")
    await expect(chat.by("toast")).to_have_count(0)
    await chat.page.get_by_role("button", name="Try again").click()
    await chat.until(lambda: chat.wire.types_sent().count("text-input") == 2, "the second try")
    await expect(chat.by("message-error")).to_have_count(1)
    await expect(chat.questions).to_have_count(1)
    await chat.switch("White")
    assert await chat.say_and_hear("Are you there?")


async def test_many_characters_and_conversations(tmp_path: Path, new_page: NewPage) -> None:
    """Forty characters leave the conversations in sight; a long list of those comes a page at a time."""
    crowd = {f"c{n:02}.yaml": {"conf_name": f"Actor {n:02}"} for n in range(40)}
    settings = {"agent": FAST, "limits": {"history_page": 25}}
    async with ServerProcess(tmp_path, settings, characters=crowd) as server:
        for number in range(30):
            async with OlvClient(server.ws_url) as client:
                await client.open()
                await client.ask(f"Talk number {number}")
        chat = await new_page(server.url)
        await expect(chat.by("new-chat")).to_be_in_viewport()
        await expect(chat.character("White")).to_be_in_viewport()
        await expect(chat.histories).to_have_count(25)
        await chat.by("load-more").click()
        await expect(chat.histories).to_have_count(30)
        await expect(chat.by("load-more")).to_have_count(0)


async def test_a_small_screen_shows_the_beginning(chat: ChatPage) -> None:
    """An empty chat is read from its top, and nothing offers to jump to a latest line; a talk is read at its end."""
    await chat.page.set_viewport_size({"width": 320, "height": 480})
    scroller = chat.page.locator(".chat-scroll")
    await expect(chat.by("greeting")).to_be_visible()
    assert await scroller.evaluate("(element) => element.scrollHeight > element.clientHeight")
    assert await scroller.evaluate("(element) => element.scrollTop") == 0
    await scroller.evaluate("(element) => element.scrollTo(0, 60)")
    await expect(chat.by("jump-to-latest")).to_have_count(0)
    await chat.say_and_hear("Tell me a story.")
    left = "(element) => element.scrollHeight - element.scrollTop - element.clientHeight"
    assert await scroller.evaluate(left) <= 1
