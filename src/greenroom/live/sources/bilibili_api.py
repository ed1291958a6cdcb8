"""What Bilibili's web API must be asked before a room's chat can be read: the room, a token, the servers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from time import time
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx

from greenroom.live.sources.base import SourceError
from greenroom.live.sources.http import get_json

__all__ = ["BilibiliServers", "ChatServer", "RoomAccess", "open_room", "signed"]

_ORDER = (
    46, 47, 18, 2, 53, 8, 23, 32, 15, 50, 10, 31, 58, 3, 45, 35,
    27, 43, 5, 49, 33, 9, 42, 19, 29, 28, 14, 39, 12, 38, 41, 13,
)  # fmt: skip
"""Which letters of the two daily names make up the signing key: a constant of the site's own page."""
_NOT_SIGNED = str.maketrans("", "", "!'()*")
_BUSY = {-352: "a check for robots", -412: "too many questions from this address", -509: "too many questions"}


@dataclass(frozen=True, slots=True)
class BilibiliServers:
    """Where to ask; for tests they are on this machine."""

    home: str = "https://www.bilibili.com/"
    api: str = "https://api.bilibili.com"
    live: str = "https://api.live.bilibili.com"
    tls: bool = True


@dataclass(frozen=True, slots=True)
class ChatServer:
    """One server that streams a room's chat."""

    url: str


@dataclass(frozen=True, slots=True)
class RoomAccess:
    """All that the chat's login needs."""

    room: int
    owner: int
    uid: int
    buvid: str
    token: str
    servers: tuple[ChatServer, ...]


async def open_room(http: httpx.AsyncClient, room: int, servers: BilibiliServers) -> RoomAccess:
    """Ask for everything. Raises `SourceError`."""
    info = await _ask(
        http, f"{servers.live}/room/v1/Room/get_info", {"room_id": room}, missing=f"room {room}"
    )
    try:
        real, owner = int(info["room_id"]), int(info["uid"])
    except (KeyError, TypeError, ValueError):
        raise SourceError(f"Bilibili described room {room} in a form that is not known") from None
    buvid = await _buvid(http, servers.home)
    uid, key = await _identity(http, servers.api)
    query = signed({"id": real, "type": 0}, key, time())
    conf = await _ask(http, f"{servers.live}/xlive/web-room/v1/index/getDanmuInfo", query)
    try:
        found = tuple(_server(entry, servers.tls) for entry in conf["host_list"])
        token = str(conf["token"])
    except (KeyError, TypeError, ValueError):
        found, token = (), ""
    if not found:
        raise SourceError("Bilibili named no chat server in a form that is known")
    return RoomAccess(real, owner, uid, buvid, token, found)


def signed(query: Mapping[str, str | int], key: str, now: float) -> dict[str, str]:
    """The query with the time and the signature that the site's own page would add."""
    full = {name: str(value).translate(_NOT_SIGNED) for name, value in query.items()}
    full["wts"] = str(int(now))
    full = dict(sorted(full.items()))
    digest = hashlib.md5(f"{urlencode(full)}{key}".encode(), usedforsecurity=False).hexdigest()
    return {**full, "w_rid": digest}


async def _ask(
    http: httpx.AsyncClient, url: str, params: Mapping[str, str | int], missing: str = ""
) -> dict[str, Any]:
    """The `data` of an answer; `missing`: what does not exist if the API says so."""
    status, answer = await get_json(http, url, params, who="Bilibili")
    code = answer.get("code")
    if status == 200 and code == 0 and isinstance(answer.get("data"), dict):
        return answer["data"]
    if missing and code in (1, 60004, 19002000):
        raise SourceError(
            f"Bilibili has no {missing}", "use the number in the room's address", retryable=False
        )
    if status in (412, 429) or code in _BUSY:
        why = _BUSY.get(code, "too many questions") if isinstance(code, int) else "too many questions"
        raise SourceError(
            f"Bilibili refused ({why})",
            "it is tried again later; a login's cookie helps (docs/live-chat.md)",
            retry_after=120.0,
        )
    said = str(answer.get("message", ""))[:200]
    raise SourceError(f"Bilibili refused: HTTP {status}, code {code}: {said}")


async def _buvid(http: httpx.AsyncClient, home: str) -> str:
    """The visitor's cookie; without it the chat accepts the login and sends nothing."""
    try:
        async with http.stream("GET", home) as response:
            await response.aclose()  # the page itself is not wanted
    except httpx.HTTPError as error:
        raise SourceError(f"Bilibili cannot be reached: {error}") from None
    return next((cookie.value or "" for cookie in http.cookies.jar if cookie.name == "buvid3"), "")


async def _identity(http: httpx.AsyncClient, api: str) -> tuple[int, str]:
    """The user id of the login (0: none) and the day's signing key."""
    # Not logged in is code -101 here, with the names all the same.
    status, answer = await get_json(http, f"{api}/x/web-interface/nav", {}, who="Bilibili")
    try:
        data = answer["data"]
        names = "".join(
            urlsplit(data["wbi_img"][part]).path.rpartition("/")[2].partition(".")[0]
            for part in ("img_url", "sub_url")
        )
        uid = int(data["mid"]) if data.get("isLogin") else 0
        return uid, "".join(names[index] for index in _ORDER)
    except (KeyError, TypeError, ValueError, IndexError):
        raise SourceError(f"Bilibili gave no signing key (HTTP {status})") from None


def _server(entry: Any, tls: bool) -> ChatServer:
    port = int(entry["wss_port" if tls else "ws_port"])
    return ChatServer(f"{'wss' if tls else 'ws'}://{entry['host']}:{port}/sub")
