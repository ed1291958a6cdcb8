"""Pictures that go with a message: pasted, dropped, chosen; shown, taken away again, and refused with a reason."""

from __future__ import annotations

import base64
import struct
import zlib

import pytest
from playwright.async_api import FilePayload, expect
from tests.browser.chat_page import ChatPage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

#: Hands files to the message box as the clipboard, or a pointer that drags them, does.
GIVE = """([how, files]) => {
  const data = new DataTransfer();
  for (const [name, type, content] of files) {
    const bytes = Uint8Array.from(atob(content), letter => letter.charCodeAt(0));
    data.items.add(new File([bytes], name, {type}));
  }
  const target = document.querySelector('#composer');
  const send = (kind, make) => target.dispatchEvent(make(kind));
  if (how === 'paste')
    send('paste', kind => new ClipboardEvent(kind, {clipboardData: data, bubbles: true, cancelable: true}));
  else for (const kind of ['dragover', 'drop'])
    send(kind, name => new DragEvent(name, {dataTransfer: data, bubbles: true, cancelable: true}));
}"""


#: Width, height and the colour of the middle of a picture in a data URL.
LOOK = """async url => {
  const bitmap = await createImageBitmap(await (await fetch(url)).blob());
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext('2d');
  context.drawImage(bitmap, 0, 0);
  const [red, green, blue] = context.getImageData(bitmap.width / 2, bitmap.height / 2, 1, 1).data;
  return {size: [bitmap.width, bitmap.height], color: [red, green, blue]};
}"""
RED, GREEN, BLUE = (220, 30, 30), (30, 160, 30), (30, 30, 220)


def picture(width: int = 40, height: int = 30, color: tuple[int, int, int] = RED) -> bytes:
    """A PNG of one colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    lines = zlib.compress((b"\0" + bytes(color) * width) * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", lines) + chunk(b"IEND", b"")


async def look(chat: ChatPage, url: str) -> dict[str, list[int]]:
    # In a page of its own: ours may not fetch from data URLs.
    page = await chat.page.context.new_page()
    found: dict[str, list[int]] = await page.evaluate(LOOK, url)
    await page.close()
    return found


async def give(chat: ChatPage, how: str, *files: tuple[str, str, bytes]) -> None:
    coded = [[name, kind, base64.b64encode(data).decode()] for name, kind, data in files]
    await chat.page.evaluate(GIVE, [how, coded])


def sent_images(chat: ChatPage) -> list[dict[str, str]]:
    return [m for m in chat.wire.sent if m["type"] == "text-input"][-1]["images"]


@pytest.mark.parametrize(("how", "source"), [("paste", "clipboard"), ("drop", "upload")])
async def test_a_picture_is_sent(how: str, source: str, chat: ChatPage) -> None:
    """It is shown before it is sent, goes as JPEG of a bounded size, and stands in the conversation."""
    await give(chat, how, ("big.png", "image/png", picture(3000, 1500)))
    await expect(chat.by("attached").locator("img")).to_have_count(1)
    await chat.say_and_hear("What is this?")
    (image,) = sent_images(chat)
    assert (image["source"], image["mime_type"]) == (source, "image/jpeg")
    assert image["data"].startswith("data:image/jpeg;base64,")
    assert (await look(chat, image["data"]))["size"] == [1280, 640]
    await expect(chat.questions.last.locator(".thumbnails img")).to_have_count(1)
    await expect(chat.by("attached")).to_have_count(0)


async def test_chosen_and_taken_away(chat: ChatPage) -> None:
    """Several can be chosen, one removed; what is left is sent, also without any words."""
    await chat.by("chooser").set_input_files(
        [
            FilePayload(name=f"{number}.png", mimeType="image/png", buffer=picture(color=color))
            for number, color in enumerate((RED, GREEN, BLUE))
        ]
    )
    await expect(chat.by("attached").locator("img")).to_have_count(3)
    await chat.page.get_by_role("button", name="Remove picture 2").click()
    await expect(chat.by("attached").locator("img")).to_have_count(2)
    await expect(chat.composer).to_be_focused()
    await chat.composer.press("Enter")
    await chat.heard(1)
    first, second = [(await look(chat, image["data"]))["color"] for image in sent_images(chat)]
    assert first == pytest.approx(RED, abs=12)
    assert second == pytest.approx(BLUE, abs=12)


async def test_no_more_than_go_with_a_message(chat: ChatPage) -> None:
    """The first four are taken, and the rest is told."""
    await give(chat, "drop", *((f"{n}.png", "image/png", picture()) for n in range(6)))
    await expect(chat.by("attached").locator("img")).to_have_count(4)
    await expect(chat.by("toast")).to_contain_text("At most 4 pictures")


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("notes.txt", "text/plain", "is not a picture. Only pictures can be added."),
        ("broken.png", "image/png", "is not a picture this browser can read"),
    ],
)
async def test_what_is_no_picture(name: str, kind: str, words: str, chat: ChatPage) -> None:
    """Refused with its name and the reason; a good one beside it is taken."""
    await give(chat, "drop", (name, kind, b"not a picture"), ("good.png", "image/png", picture()))
    await expect(chat.by("toast")).to_contain_text(f"“{name}” {words}")
    await expect(chat.by("attached").locator("img")).to_have_count(1)


async def test_pasted_text_stays_text(chat: ChatPage) -> None:
    """A copied table brings a picture of itself: the words are meant."""
    await chat.page.evaluate(
        """() => {
          const data = new DataTransfer();
          data.setData('text/plain', 'one two');
          data.items.add(new File(['x'], 'table.png', {type: 'image/png'}));
          const event = new ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true});
          window.prevented = !document.querySelector('#composer').dispatchEvent(event);
        }"""
    )
    assert await chat.page.evaluate("() => window.prevented") is False
    await expect(chat.by("attached")).to_have_count(0)
