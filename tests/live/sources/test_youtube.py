"""Tests of the YouTube source against a server of our own that answers like the Data API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from tests.live.sources.helpers import WebServer, web_server
from tests.live.sources.test_youtube_messages import failure, item

from greenroom.live.sources.base import ChatMessage, SourceError
from greenroom.live.sources.youtube import YouTubeSource

VIDEO = "dQw4w9WgXcQ"
CHANNEL = "UC" + "a" * 22


def page(*texts: str, token: str = "next", **more: Any) -> dict[str, Any]:
    """A page of chat."""
    items = [item(id=f"id-{text}", textMessageDetails={"messageText": text}) for text in texts]
    return {"items": items, "nextPageToken": token, "pollingIntervalMillis": 1, **more}


@asynccontextmanager
async def youtube(*pages: Any) -> AsyncGenerator[WebServer, None]:
    """An API for the block, with one live video and its chat's pages; the last one is repeated."""
    left = list(pages)

    def chat(query: Mapping[str, str]) -> Any:
        return left.pop(0) if len(left) > 1 else left[0]

    async with web_server() as web:
        details = {"activeLiveChatId": "chat-1"}
        web.on("/videos", lambda query: {"items": [{"liveStreamingDetails": details}]})
        web.on("/channels", {"items": [{"id": CHANNEL}]})
        web.on("/search", {"items": [{"id": {"videoId": VIDEO}}]})
        web.on("/liveChat/messages", chat)
        yield web


def source(web: WebServer, name: str = VIDEO, **more: Any) -> YouTubeSource:
    """A source that asks without a pause."""
    more.setdefault("key", "secret-key")
    return YouTubeSource(name, api=web.url, poll_seconds=0.001, **more)


async def take(given: YouTubeSource, count: int) -> list[str]:
    """The texts of the first messages; fewer if the stream ends."""
    got: list[ChatMessage] = []
    async with asyncio.timeout(10), aclosing(given.messages()) as messages:
        async for message in messages:
            got.append(message)
            if len(got) == count:
                break
    return [message.text for message in got]


async def test_a_whole_conversation():
    """The chat of a video is found; what was said before is left out; pages follow each other."""
    async with youtube(page("old", token="t1"), page("one", "two", token="t2"), page("three")) as web:
        chat = source(web)
        connected: list[bool] = []
        chat.on_connected = lambda: connected.append(True)
        assert await take(chat, 3) == ["one", "two", "three"]
    assert connected == [True]
    asked = [(path, query.get("pageToken")) for path, query, _ in web.asked]
    assert asked == [
        ("/videos", None), ("/liveChat/messages", None), ("/liveChat/messages", "t1"),
        ("/liveChat/messages", "t2"),
    ]  # fmt: skip
    assert web.asked[1][1]["liveChatId"] == "chat-1"


async def test_the_key_is_in_a_header_only():
    """The key is never part of an address, which would end up in logs."""
    async with youtube(page(), page("one")) as web:
        await take(source(web), 1)
    for path, query, headers in web.asked:
        assert "secret-key" not in f"{path}{query}"
        assert headers["x-goog-api-key"] == "secret-key"


async def test_after_a_loss_it_goes_on_where_it_was():
    """A second connection continues after the last page: nothing is lost, nothing is searched twice."""
    async with youtube(page("old"), page("one", token="t2"), (500, {}), page("two"), page("three")) as web:
        chat = source(web)
        with pytest.raises(SourceError, match="HTTP 500"):
            await take(chat, 5)
        assert await take(chat, 2) == ["two", "three"]
    assert [path for path, _, _ in web.asked].count("/videos") == 1
    assert web.asked[-2][1]["pageToken"] == "t2"


async def test_a_lost_place_is_looked_for_again():
    """If YouTube does not know the place any more, the next connection begins from the start."""
    async with youtube(page("old"), (400, failure("pageTokenInvalid")), page("old"), page("new")) as web:
        chat = source(web)
        with pytest.raises(SourceError, match="does not know the chat"):
            await take(chat, 1)
        assert await take(chat, 1) == ["new"]
    assert [path for path, _, _ in web.asked].count("/videos") == 2


@pytest.mark.parametrize(
    "last", [page("bye", offlineAt="2026-01-01T00:00:00Z"), {"items": [item("chatEndedEvent")]},
             (403, failure("liveChatEnded"))]
)  # fmt: skip
async def test_the_stream_ends(last: Any):
    """When the stream is over, a video's source ends, and a channel's waits for the next stream."""
    async with youtube(page(), last) as web:
        assert await take(source(web), 9) in (["bye"], [])
    async with youtube(page(), last) as web:
        with pytest.raises(SourceError, match="has ended") as error:
            await take(source(web, "@somebody"), 9)
        assert error.value.retryable


@pytest.mark.parametrize(
    ("name", "paths"), [("@somebody", ["/channels", "/search", "/videos"]), (CHANNEL, ["/search", "/videos"])]
)
async def test_a_channels_stream_is_found(name: str, paths: list[str]):
    """By its handle or its id, a channel leads to the stream it has now."""
    async with youtube(page(), page("one")) as web:
        assert await take(source(web, name), 1) == ["one"]
    assert [path for path, _, _ in web.asked][:-2] == paths
    search = next(query for path, query, _ in web.asked if path == "/search")
    assert (search["channelId"], search["eventType"], search["type"]) == (CHANNEL, "live", "video")


@pytest.mark.parametrize(
    ("path", "answer", "message", "retryable"),
    [
        ("/videos", {"items": []}, "has no video", False),
        ("/videos", {"items": [{}]}, "is no live stream", False),
        ("/videos", {"items": [{"liveStreamingDetails": {}}]}, "has no live chat yet", True),
        ("/channels", {}, "has no channel @somebody", False),
        ("/search", {"items": []}, "does not stream now", True),
        ("/search", (403, failure("quotaExceeded")), "quota", True),
        ("/liveChat/messages", (403, failure("liveChatDisabled")), "has no live chat", False),
        ("/liveChat/messages", (200, b"<html>"), "", True),
    ],
)
async def test_what_cannot_be_read(path: str, answer: Any, message: str, retryable: bool):
    """Each way not to have a chat is told in words."""
    async with youtube(page(), page("one")) as web:
        web.on(path, answer)
        if not message:
            # An answer without anything in it is a page without messages.
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await take(source(web), 1)
            return
        with pytest.raises(SourceError, match=message) as error:
            await take(source(web, "@somebody"), 1)
    assert error.value.retryable is retryable


async def test_a_stream_of_the_past():
    """A video whose stream is over ends at once."""
    async with youtube(page()) as web:
        web.on("/videos", {"items": [{"liveStreamingDetails": {"actualEndTime": "2026-01-01T00:00:00Z"}}]})
        assert await take(source(web), 1) == []


async def test_no_key():
    """Without a key nothing is asked, and the error names the variable."""
    async with youtube(page()) as web:
        with pytest.raises(SourceError, match="wants a key") as error:
            await take(source(web, key=None, key_env="MY_KEY"), 1)
        assert "MY_KEY" in error.value.hint
        assert not error.value.retryable
        assert not web.asked


@pytest.mark.parametrize(
    ("told", "least", "pause"),
    [(10_000, 5, 10), (1, 5, 5), (None, 5, 5), ("soon", 5, 5), (10**9, 5, 60), (1, 120, 120)],
)
async def test_the_pause(told: Any, least: float, pause: float, monkeypatch: pytest.MonkeyPatch):
    """The API's own pause is kept, but never less than is set, and a wrong one silences nobody."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("greenroom.live.sources.youtube.asyncio.sleep", sleep)
    await YouTubeSource(VIDEO, key="k", poll_seconds=least)._pause({"pollingIntervalMillis": told})
    assert slept == [pause]
