"""Speaking to the character: the page with Chromium's beeping microphone, and a server that is a script.

The real server has no speech recognition, so what a server says that has one is written here.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, WebSocketRoute, expect
from tests.browser.chat_page import ChatPage
from tests.browser.conftest import NewPage
from tests.helpers.server_process import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

Json = dict[str, Any]
HEARS = ["hearing", "hearing-end", "history-search", "speech"]
START, END = ({"type": "control", "text": f"conversation-chain-{part}"} for part in ("start", "end"))
#: Notes whether the microphone is open.
WATCH = """
  window.open_tracks = 0;
  const get = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (how) => {
    window.asked_for = how;
    const stream = await get(how);
    for (const track of stream.getTracks()) {
      window.open_tracks += 1;
      const stop = track.stop.bind(track);
      track.stop = () => { window.open_tracks -= 1; stop(); };
    }
    return stream;
  };
"""
REFUSE = """
  navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('no', 'NotAllowedError'); };
"""


class Script:
    """A server that hears: greets, answers the opening questions, and keeps what the page sends."""

    def __init__(self, features: list[str] | None = None) -> None:
        self.features = features
        self.received: list[Json] = []
        self._route: WebSocketRoute | None = None

    async def serve(self, route: WebSocketRoute) -> None:
        self._route = route
        route.on_message(self._on_message)
        model: Json = {"model_info": None, "conf_name": "Echo", "conf_uid": "echo", "client_uid": "c"}
        if self.features is not None:
            model["features"] = self.features
        self.say({"type": "full-text", "text": "Connection established"})
        self.say({"type": "set-model-and-conf", **model})
        self.say({"type": "control", "text": "start-mic"})

    def say(self, *messages: Json) -> None:
        assert self._route is not None
        for message in messages:
            self._route.send(json.dumps(message))

    def _on_message(self, data: str | bytes) -> None:
        message = json.loads(data)
        self.received.append(message)
        match message["type"]:
            case "fetch-configs":
                self.say({"type": "config-files", "configs": [{"filename": "echo.yaml", "name": "Echo"}]})
            case "fetch-history-list":
                self.say({"type": "history-list", "histories": []})
            case "create-new-history":
                self.say({"type": "new-history-created", "history_uid": "h"})
            case "heartbeat":
                self.say({"type": "heartbeat-ack"})

    def kinds(self) -> list[str]:
        """What came of speech and interruption, in order, each kind once in a row."""
        kinds: list[str] = []
        for message in self.received:
            kind = message["type"]
            if ("audio" in kind or kind == "interrupt-signal") and kinds[-1:] != [kind]:
                kinds.append(kind)
        return kinds

    def samples(self, kind: str = "mic-audio-data") -> list[float]:
        return [one for message in self.received if message["type"] == kind for one in message["audio"]]


@pytest_asyncio.fixture(loop_scope="session")
async def script(context: BrowserContext) -> Script:
    """The script stands in for the server in all pages of this test."""
    made = Script(HEARS)
    await context.route_web_socket("**/client-ws", made.serve)
    await context.add_init_script(WATCH)
    return made


async def open_tracks(chat: ChatPage) -> int:
    return await chat.page.evaluate("() => window.open_tracks")


async def test_click_speak_click(script: Script, new_page: NewPage, server: ServerProcess) -> None:
    """A click records, the meter moves, the next click sends 16 kHz in bounded pieces; then the words are shown."""
    chat = await new_page(server.url)
    await chat.by("mic").click()
    await expect(chat.by("recording")).to_contain_text("Listening")
    assert await open_tracks(chat) == 1
    await chat.page.wait_for_function(
        "() => parseFloat(document.querySelector('.meter').style.getPropertyValue('--level')) > 0.3"
    )
    await expect(chat.page.locator(".recording-time")).to_have_text("0:01")
    assert script.kinds() == []
    await chat.by("mic").click()
    await expect(chat.by("recording")).to_have_count(0)
    await chat.until(lambda: script.kinds() == ["mic-audio-data", "mic-audio-end"], "the recording")
    assert await open_tracks(chat) == 0
    pieces = [message["audio"] for message in script.received if message["type"] == "mic-audio-data"]
    assert max(map(len, pieces)) <= 4096
    heard = script.samples()
    assert 16_000 <= len(heard) <= 16_000 * 8
    assert max(heard) > 0.05
    assert all(-1 <= one <= 1 for one in heard)
    await expect(chat.by("typing")).to_be_visible()
    script.say(START, {"type": "user-input-transcription", "text": "good morning"}, END)
    await expect(chat.questions).to_contain_text(["good morning"])
    asked = await chat.page.evaluate("() => window.asked_for.audio")
    assert asked["echoCancellation"] is True


async def test_held_until_let_go(script: Script, new_page: NewPage, server: ServerProcess) -> None:
    """Held, the button records for as long, and sends when it is let go."""
    chat = await new_page(server.url)
    box = await chat.by("mic").bounding_box()
    assert box is not None
    await chat.page.mouse.move(box["x"] + 10, box["y"] + 10)
    await chat.page.mouse.down()
    await expect(chat.by("recording")).to_contain_text("Listening")
    await expect(chat.page.locator(".recording-time")).to_have_text("0:01")
    await chat.page.mouse.up()
    await chat.until(lambda: script.kinds() == ["mic-audio-data", "mic-audio-end"], "the recording")
    assert await open_tracks(chat) == 0


async def test_cancelled_by_escape(script: Script, new_page: NewPage, server: ServerProcess) -> None:
    """Esc, or the cross, forgets the recording: nothing of it is sent, and the written text is still there."""
    chat = await new_page(server.url)
    for cancel in ("Escape", "cross"):
        await chat.by("mic").click()
        await expect(chat.by("recording")).to_contain_text("Listening")
        if cancel == "Escape":
            await chat.page.keyboard.press("Escape")
        else:
            await chat.by("mic-cancel").click()
        await expect(chat.by("recording")).to_have_count(0)
        assert await open_tracks(chat) == 0
    await expect(chat.composer).to_be_visible()
    assert script.kinds() == []


async def test_speaking_cuts_in(script: Script, new_page: NewPage, server: ServerProcess) -> None:
    """Whoever begins to speak silences the character, as by typing on; keys do it too."""
    chat = await new_page(server.url)
    await chat.say("Tell me something.")
    script.say(START)
    await expect(chat.stop).to_be_visible()
    await chat.by("mic").focus()
    await chat.page.keyboard.press("Enter")
    await expect(chat.by("recording")).to_contain_text("Listening")
    assert script.kinds() == ["interrupt-signal"]
    await expect(chat.page.locator(".recording-time")).to_have_text("0:01")
    await chat.by("mic-send").focus()
    await chat.page.keyboard.press("Enter")
    await chat.until(lambda: "mic-audio-end" in script.kinds(), "the recording")
    script.say(END)
    await expect(chat.notices.last).to_have_attribute("data-word", "not-heard")


async def test_hands_free(script: Script, new_page: NewPage, server: ServerProcess) -> None:
    """The open microphone is passed on; the server says where one begins and ends to speak."""
    chat = await new_page(server.url)
    await chat.by("settings").click()
    await chat.page.get_by_role("radio", name="Hands-free").check()
    await chat.page.keyboard.press("Escape")
    await chat.by("mic").click()
    await expect(chat.by("mic")).to_have_attribute("data-state", "streaming")
    await chat.until(lambda: len(script.samples("raw-audio-data")) > 8000, "the open microphone")
    assert max(len(m["audio"]) for m in script.received if m["type"] == "raw-audio-data") <= 4096
    # One can write meanwhile.
    await chat.say("And in writing.")
    script.say(START)
    await expect(chat.stop).to_be_visible()
    script.say({"type": "control", "text": "interrupt"})
    await expect(chat.stop).to_have_count(0)
    script.say({"type": "control", "text": "mic-audio-end"})
    await chat.until(lambda: "mic-audio-end" in script.kinds(), "the end of speech")
    kinds = script.kinds()
    assert kinds.index("interrupt-signal") < kinds.index("mic-audio-end")
    await chat.by("mic").click()
    await expect(chat.by("mic")).to_have_attribute("data-state", "off")
    assert await open_tracks(chat) == 0


async def test_devices_and_the_test_of_the_microphone(
    script: Script, new_page: NewPage, server: ServerProcess
) -> None:
    """The settings show how loud one is and which microphones there are; the choice is kept and used."""
    chat = await new_page(server.url)
    await chat.by("settings").click()
    await chat.by("mic-test").click()
    await chat.page.wait_for_function(
        "() => parseFloat(document.querySelector('[data-testid=mic-meter]').style.getPropertyValue('--level')) > 0.3"
    )
    choice = chat.by("microphone").locator("option")
    await expect(choice.nth(1)).to_be_attached()
    value = await choice.nth(1).get_attribute("value")
    assert value
    await chat.by("microphone").select_option(value)
    await chat.page.keyboard.press("Escape")
    await expect(chat.page.get_by_role("dialog")).to_have_count(0)
    await chat.page.wait_for_function("() => window.open_tracks === 0")
    await chat.page.reload()
    await chat.ready()
    await chat.by("mic").click()
    await expect(chat.by("recording")).to_contain_text("Listening")
    assert (await chat.page.evaluate("() => window.asked_for.audio.deviceId.ideal")) == value
    await chat.page.keyboard.press("Escape")
    assert script.kinds() == []


async def test_a_lost_connection_closes_the_microphone(
    script: Script, new_page: NewPage, server: ServerProcess
) -> None:
    """What was meant for this conversation is not recorded on into the next."""
    chat = await new_page(server.url)
    await chat.by("mic").click()
    await expect(chat.by("recording")).to_contain_text("Listening")
    await chat.page.context.set_offline(True)
    await expect(chat.by("recording")).to_have_count(0)
    assert await open_tracks(chat) == 0
    await chat.page.context.set_offline(False)
    await chat.ready()
    assert script.kinds() == []


async def test_the_microphone_is_forbidden(
    script: Script, context: BrowserContext, new_page: NewPage, server: ServerProcess
) -> None:
    """The page says what is wrong and what to do, and one can write as before."""
    await context.add_init_script(REFUSE)
    chat = await new_page(server.url)
    await chat.by("mic").click()
    await expect(chat.by("toast")).to_contain_text("The microphone is not allowed here.")
    await expect(chat.by("mic")).to_have_attribute("data-state", "off")
    await chat.say("Then in writing.")


@pytest.mark.parametrize(
    ("features", "shown"), [([], 0), (["hearing"], 1), (None, 1)], ids=["deaf", "hearing", "untold"]
)
async def test_who_hears_is_offered_a_microphone(
    features: list[str] | None, shown: int, context: BrowserContext, new_page: NewPage, server: ServerProcess
) -> None:
    """A server that says it cannot hear gets none, although it asks for one as older servers do."""
    script = Script(features)
    await context.route_web_socket("**/client-ws", script.serve)
    chat = await new_page(server.url)
    await expect(chat.by("mic")).to_have_count(shown)
    await chat.by("settings").click()
    await expect(chat.page.get_by_role("dialog")).to_be_visible()
    await expect(chat.page.get_by_text("Hands-free")).to_have_count(1 if features is None else 0)
