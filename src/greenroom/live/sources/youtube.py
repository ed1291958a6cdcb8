"""A YouTube live chat, through the official Data API.

The libraries that need no key read YouTube's internal API and break when it changes: pytchat's last release
is of 2021, chat-downloader's of 2023. The official API wants a free key. Over HTTP it can only be asked again
and again (pushed messages are documented for gRPC), and says how long to wait in between; each question costs
5 of the 10,000 units that a key has a day.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import httpx

from greenroom.live.sources.base import ChatMessage, ChatSource, SourceError
from greenroom.live.sources.http import client, get_json
from greenroom.live.sources.youtube_messages import ChatEnded, ChatGone, error_of, message_of

__all__ = ["YouTubeSource"]

API = "https://www.googleapis.com/youtube/v3"
POLL_SECONDS = 5.0
MAX_PAUSE = 60.0
NOT_LIVE_PAUSE = 60.0
CHANNEL_PAUSE = 600.0
"""A channel's stream is looked for rarely: the search costs 100 units."""
PAGE = 500


class YouTubeSource(ChatSource):
    """Reads the live chat of a video, or of the stream that a channel has now.

    Args:
        name: a video's id, a channel's id (UC…) or its handle (@…).
        key: the API key; None is a clear error at the first attempt.
        key_env: the name of the variable the key comes from, for that error.
        poll_seconds: the shortest pause between two questions; the API may ask for a longer one.
    """

    def __init__(
        self,
        name: str,
        *,
        key: str | None,
        key_env: str = "YOUTUBE_API_KEY",
        poll_seconds: float = POLL_SECONDS,
        api: str = API,
    ) -> None:
        super().__init__(f"youtube://{name}")
        self._name = name
        self._key = key
        self._key_env = key_env
        self._poll_seconds = poll_seconds
        self._api = api
        self._is_channel = name.startswith("@") or (name.startswith("UC") and len(name) == 24)
        self._chat = ""
        self._page = ""

    def describe(self) -> str:
        return f"the live chat of {self._name} on YouTube"

    async def messages(self) -> AsyncGenerator[ChatMessage, None]:
        if not self._key:
            raise SourceError(
                "YouTube's API wants a key",
                f"create one in the Google Cloud console and put it into {self._key_env} (docs/live-chat.md)",
                retryable=False,
            )
        async with client() as http:
            try:
                if not self._chat:
                    self._chat = await self._find_chat(http)
                fresh = not self._page
                connected = False
                while True:
                    answer = await self._ask(http, "liveChat/messages", self._query())
                    self._page = str(answer.get("nextPageToken") or "")
                    if not connected:
                        connected = True
                        self.on_connected()
                    items = answer.get("items")
                    for item in items if isinstance(items, list) else []:
                        message = message_of(item, self.url)
                        # The first page is what was said before anybody listened.
                        if message is not None and not fresh:
                            yield message
                    if answer.get("offlineAt"):
                        raise ChatEnded
                    fresh = False
                    await self._pause(answer)
            except ChatEnded:
                self._forget()
                if self._is_channel:
                    raise SourceError(
                        f"the stream of {self._name} has ended",
                        "the next one is looked for",
                        retry_after=CHANNEL_PAUSE,
                    ) from None
            except ChatGone:
                self._forget()
                raise

    def _forget(self) -> None:
        self._chat = self._page = ""

    def _query(self) -> dict[str, str | int]:
        query: dict[str, str | int] = {
            "liveChatId": self._chat,
            "part": "snippet,authorDetails",
            "maxResults": PAGE,
        }
        if self._page:
            query["pageToken"] = self._page
        return query

    async def _pause(self, answer: Mapping[str, Any]) -> None:
        told = answer.get("pollingIntervalMillis")
        seconds = told / 1000 if isinstance(told, int | float) else 0.0
        # The bound keeps a wrong answer from silencing the source, not from being polite.
        await asyncio.sleep(min(max(seconds, self._poll_seconds), max(MAX_PAUSE, self._poll_seconds)))

    # -- finding the chat ----------------------------------------------------------------------------------

    async def _find_chat(self, http: httpx.AsyncClient) -> str:
        video = self._name
        if self._is_channel:
            channel = await self._find_channel(http) if self._name.startswith("@") else self._name
            video = await self._find_live(http, channel)
        answer = await self._ask(http, "videos", {"part": "liveStreamingDetails", "id": video})
        entry = _first(answer)
        if entry is None:
            raise SourceError(f"YouTube has no video {video}", "check its id", retryable=False)
        details = entry.get("liveStreamingDetails")
        if not isinstance(details, Mapping):
            raise SourceError(
                f"the YouTube video {video} is no live stream", "use a stream's id", retryable=False
            )
        if chat := details.get("activeLiveChatId"):
            return str(chat)
        if details.get("actualEndTime"):
            raise ChatEnded
        raise SourceError(f"the YouTube stream {video} has no live chat yet", retry_after=NOT_LIVE_PAUSE)

    async def _find_channel(self, http: httpx.AsyncClient) -> str:
        entry = _first(await self._ask(http, "channels", {"part": "id", "forHandle": self._name}))
        if entry is None:
            raise SourceError(f"YouTube has no channel {self._name}", "check its handle", retryable=False)
        return str(entry.get("id", ""))

    async def _find_live(self, http: httpx.AsyncClient, channel: str) -> str:
        query = {"part": "id", "channelId": channel, "eventType": "live", "type": "video", "maxResults": 1}
        entry = _first(await self._ask(http, "search", query))
        found = entry.get("id") if entry is not None else None
        if not isinstance(found, Mapping) or not found.get("videoId"):
            raise SourceError(
                f"the YouTube channel {self._name} does not stream now",
                "name the stream's video instead, and it is found at once",
                retry_after=CHANNEL_PAUSE,
            )
        return str(found["videoId"])

    async def _ask(
        self, http: httpx.AsyncClient, path: str, query: Mapping[str, str | int]
    ) -> dict[str, Any]:
        # The key goes into a header: addresses end up in logs.
        status, answer = await get_json(
            http, f"{self._api}/{path}", query, who="YouTube", headers={"X-Goog-Api-Key": self._key or ""}
        )
        if status != 200:
            raise error_of(status, answer)
        return answer


def _first(answer: Mapping[str, Any]) -> Mapping[str, Any] | None:
    items = answer.get("items")
    return items[0] if isinstance(items, list) and items and isinstance(items[0], Mapping) else None
