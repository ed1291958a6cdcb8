"""The server as seen from here: its stream, its tree, a stack; with words for whatever goes wrong."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from itertools import count
from typing import TypeVar
from urllib.parse import urlunsplit

import httpx
import msgspec
from httpx_sse import aconnect_sse

from greenroom.protocol.address import parse_address
from greenroom.server.ops.messages import OpsError, OpsSoakRequest, OpsStack, OpsTree

CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 15.0
"""A stream that says nothing for so long is lost: it says something each second."""
FIRST_DELAY, MOST_DELAY = 1.0, 15.0
TREE_PAGES = 3
T = TypeVar("T")
DEFAULT = "http://127.0.0.1:12393"


class Refused(Exception):
    """The server will not have us, or is no Greenroom: trying again would change nothing."""


class Lost(Exception):
    """There is no connection at the moment."""


def base_url(text: str) -> str:
    """The server's address for what somebody typed: a port, `host:port`, or a page's address."""
    parts, secure = parse_address(text, DEFAULT)
    path = parts.path.rstrip("/").removesuffix("/client-ws").removesuffix("/ops")
    return urlunsplit(("https" if secure else "http", parts.netloc, path, "", ""))


class Remote:
    """One server.

    Args:
        url: as `base_url` gives it.
        token: the ops token, where one is needed.
        transport: how to reach it; for tests.
    """

    def __init__(self, url: str, token: str = "", transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.url = url
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.AsyncClient(
            base_url=url,
            headers=headers,
            timeout=httpx.Timeout(CONNECT_SECONDS, read=SILENCE_SECONDS),
            trust_env=False,
            # The system's own authorities, and SSL_CERT_FILE, as everybody's curl has it.
            verify=ssl.create_default_context() if url.startswith("https:") else False,
            transport=transport,
        )

    async def aclose(self) -> None:
        await self._http.aclose()

    async def events(self) -> AsyncGenerator[tuple[str, str], None]:
        """Name and data of each event, until the connection ends. Raises `Refused` and `Lost`."""
        try:
            async with aconnect_sse(self._http, "GET", "/ops/events") as source:
                answer = source.response
                if not answer.is_success:
                    await answer.aread()
                self._check(answer)
                if not answer.headers.get("content-type", "").startswith("text/event-stream"):
                    raise Refused(f"{self.url} is no Greenroom, or one without an ops room")
                async for event in source.aiter_sse():
                    yield event.event, event.data
        except httpx.HTTPError as error:
            raise self._lost(error) from error
        raise Lost(f"{self.url} has ended the stream")

    async def state(self) -> bytes:
        """The whole state as JSON. Raises `Refused` and `Lost`."""
        return (await self._get("/ops/state")).content

    async def tree(self) -> OpsTree:
        """The first pages of the tree of owners, as one. Raises `Refused` and `Lost`."""
        found = await self._page("")
        for _ in range(TREE_PAGES - 1):
            if found.next is None:
                break
            more = await self._page(f"?after={found.next}")
            found = OpsTree(more.t, found.owners + more.owners, more.left_off, more.next)
        return found

    async def stack(self, id: str) -> OpsStack | None:
        """Where a task stands; None if it has ended. Raises `Refused` and `Lost`."""
        try:
            return self._decoded(await self._get(f"/ops/tasks/{id}/stack"), OpsStack)
        except _NotThere:
            return None

    async def start_soak(self, wanted: OpsSoakRequest) -> None:
        """Start a short soak there. Raises `Refused` and `Lost`."""
        await self._send("POST", "/ops/soak", msgspec.json.encode(wanted))

    async def cancel_soak(self) -> None:
        """End the soak that runs there. Raises `Refused` and `Lost`."""
        await self._send("DELETE", "/ops/soak")

    async def _page(self, query: str) -> OpsTree:
        return self._decoded(await self._get(f"/ops/tree{query}"), OpsTree)

    def _decoded(self, answer: httpx.Response, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(answer.content, type=kind, strict=False)
        except msgspec.DecodeError as error:
            raise Refused(f"{self.url} is no Greenroom, or of another version: {error}") from error

    async def _get(self, path: str) -> httpx.Response:
        return await self._send("GET", path)

    async def _send(self, method: str, path: str, body: bytes | None = None) -> httpx.Response:
        try:
            answer = await self._http.request(method, path, content=body)
        except httpx.HTTPError as error:
            raise self._lost(error) from error
        self._check(answer)
        if not answer.headers.get("content-type", "").startswith("application/json"):
            raise Refused(f"{self.url} is no Greenroom, or one without an ops room")
        return answer

    def _check(self, answer: httpx.Response) -> None:
        if answer.is_success:
            return
        try:
            found = msgspec.json.decode(answer.content, type=OpsError).error
            text = (
                f"{found.problem} {found.fix}"
                if found.problem.endswith(".")
                else f"{found.problem}; {found.fix}"
            )
        except msgspec.DecodeError:
            text = ""
        if answer.status_code in (401, 403):
            raise Refused(f"{self.url} answers {answer.status_code}: {text or 'no access'} (here: --token)")
        if answer.status_code == 404 and text:
            raise _NotThere(text)
        if answer.status_code in (404, 405) or answer.is_redirect:
            raise Refused(f"{self.url} is no Greenroom, or one without an ops room ({answer.status_code})")
        if answer.status_code >= 500:
            raise Lost(f"{self.url} answers {answer.status_code}: {text or answer.reason_phrase}")
        raise Refused(f"{self.url} answers {answer.status_code}: {text or answer.reason_phrase}")

    def _lost(self, error: httpx.HTTPError) -> Lost:
        if isinstance(error, httpx.ReadTimeout):
            return Lost(f"{self.url} has said nothing for {SILENCE_SECONDS:g} s")
        if isinstance(error, httpx.ConnectTimeout):
            return Lost(f"{self.url} does not answer within {CONNECT_SECONDS:g} s")
        if isinstance(error, httpx.ConnectError):
            if isinstance(_cause(error), ssl.SSLError):
                why = getattr(_cause(error), "verify_message", "") or _cause(error)
                return Lost(
                    f"the certificate of {self.url} is not trusted ({why}); SSL_CERT_FILE can name it"
                )
            return Lost(f"nobody answers at {self.url}; is the server running? (greenroom serve)")
        return Lost(f"the connection to {self.url} was lost ({type(error).__name__})")


class _NotThere(Refused):
    """The thing that was asked for; the server is fine."""


def _cause(error: BaseException) -> BaseException:
    while (deeper := error.__cause__ or error.__context__) is not None:
        error = deeper
    return error


async def follow(
    remote: Remote,
    hear: Callable[[str, str], None],
    lost: Callable[[str], None],
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> None:
    """Tell every event to `hear`, and connect again after a while when the connection is lost.

    Raises `Refused`, and `Lost` if there never was a connection.
    """
    ever, failures = False, 0
    for _ in count():
        try:
            async for name, data in remote.events():
                hear(name, data)
                ever, failures = True, 0
        except Lost as error:
            if not ever:
                raise
            # A server that is down overnight: a power without a bound is no float any more.
            delay = min(MOST_DELAY, FIRST_DELAY * 2 ** min(failures, 8))
            failures += 1
            lost(f"{error}; trying again in {delay:g} s")
            await sleep(delay)
