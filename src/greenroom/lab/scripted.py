"""A visitor that follows a script (see `script.py`)."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Sequence
from time import perf_counter
from typing import Any, ClassVar
from urllib.parse import urljoin, urlsplit, urlunsplit

import httpx
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from greenroom.lab.record import Visit
from greenroom.lab.script import Heartbeat, Http, Script, Step, fill, matches, pick
from greenroom.lab.vanished import Vanished
from greenroom.lab.visitors import (
    FAILURES,
    Access,
    Bystanding,
    Gone,
    PingBystander,
    Unreachable,
    Visitor,
    dial,
    linger,
    refusal,
    why_unreachable,
)


class _Page:
    """One connection that follows steps."""

    def __init__(self, script: Script, visit: Visit) -> None:
        self.script = script
        self.visit = visit
        self.variables: dict[str, Any] = {**script.variables, "visit": visit.number}
        self.socket: ClientConnection | None = None
        self._asked = 0.0

    async def connect(self, url: str, patience: float, access: Access) -> None:
        headers = fill(self.script.headers, self.variables)
        began = perf_counter()
        self.socket = await dial(
            str(fill(url, self.variables)),
            patience,
            access=access,
            headers=headers,
            subprotocols=self.script.subprotocols or None,
        )
        self.visit.connect = perf_counter() - began

    async def open(self) -> None:
        began = perf_counter()
        for step in self.script.open:
            await self._step(step, asking=False)
        if self.script.open:
            self.visit.opened = perf_counter() - began

    async def ask(self, until: str | None = None) -> None:
        """Follow the question's steps, up to what measures `until`; `sent`: up to the first sending."""
        for step in self.script.ask:
            await self._step(step, asking=True, only_send=until == "sent" and step.send is not None)
            if (until == "sent" and step.send is not None) or (until and step.measure == until):
                return
        self.visit.ends += 1

    async def _step(self, step: Step, *, asking: bool, only_send: bool = False) -> None:
        for _ in range(step.times):
            if step.send is not None:
                if asking and not self._asked:
                    self._asked = perf_counter()
                    self.visit.sent += 1
                await self.send(step.send)
            if only_send:
                return
            if step.expect is not None:
                message = await self.expect(step.expect)
                for name, path in step.save.items():
                    self.variables[name] = pick(message, path)
            if step.pause:
                await asyncio.sleep(step.pause)
        if step.measure is not None:
            setattr(self.visit, step.measure, perf_counter() - self._asked)

    async def send(self, template: Any) -> None:
        assert self.socket is not None
        await self.socket.send(json.dumps(fill(template, self.variables)))

    async def expect(self, pattern: Any) -> Any:
        """The next message that matches; what is no JSON is passed over."""
        assert self.socket is not None
        wanted = fill(pattern, self.variables)
        while True:
            frame = await self.socket.recv()
            try:
                message = json.loads(frame)
            except ValueError:
                continue
            if matches(wanted, message):
                return message


class ScriptVisitor(Visitor):
    """Pays visits by script: silent, polite, early, late, patient and half-open ones."""

    manners: ClassVar[frozenset[str]] = frozenset(
        {"silent", "polite", "early", "late", "patient", "half-open"}
    )

    def __init__(
        self,
        script: Script,
        url: str,
        patience: float = 60.0,
        think: float = 0.0,
        access: Access | None = None,
    ) -> None:
        self._script = script
        self._url = url
        self._patience = patience
        self._think = think
        self._access = access or Access()
        self.notes = []
        self.vanished = Vanished()
        self._quickest = patience
        self._latest: deque[float] = deque(maxlen=3)
        self._shortest: float | None = None
        self._http: httpx.AsyncClient | None = None

    async def pay(self, visit: Visit) -> None:
        page = _Page(self._script, visit)
        left = False
        try:
            async with asyncio.timeout(self._patience):
                await self._requests(self._script.before, page)
                await page.connect(self._url, self._patience, self._access)
                await page.open()
                self.on_opened()
                await self._behave(page, visit)
            left = visit.manner not in ("silent", "polite")
        except TimeoutError:
            visit.timed_out = True
            visit.error = visit.error or f"no answer within {self._patience:g} s"
        except ConnectionClosed as error:
            visit.error = f"the server closed the connection: {error}"
        except KeyError as error:
            visit.error = f"the script needs {error.args[0]!r}, which is not there"
        except (*FAILURES, httpx.HTTPError, httpx.InvalidURL, _BadStatus) as error:
            visit.error = f"{type(error).__name__}: {error}"
        finally:
            if page.socket is not None and not left:
                await page.socket.close()
            self._quickest = min(self._quickest, visit.first_reply or self._quickest)
            await self._clean_up(page)

    async def _clean_up(self, page: _Page) -> None:
        try:
            async with asyncio.timeout(self._patience):
                await self._requests(self._script.after, page)
        except KeyError:
            pass  # What it would undo was never done.
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL, _BadStatus) as error:
            page.visit.error = page.visit.error or f"after: {type(error).__name__}: {error}"

    async def _behave(self, page: _Page, visit: Visit) -> None:
        if self._think:
            await asyncio.sleep(self._think)
        assert page.socket is not None
        match visit.manner:
            case "polite":
                await page.ask()
                self._latest.append(visit.first_reply or self._patience)
                if visit.whole_reply is not None and visit.first_reply is not None:
                    lasts = visit.whole_reply - visit.first_reply
                    self._shortest = min(lasts, self._shortest or lasts)
            case "early":
                await page.ask("sent")
                page.socket.transport.abort()
            case "late" | "patient":
                try:
                    usual = min(self._latest, default=self._quickest)
                    async with asyncio.timeout(1.5 * usual if visit.manner == "late" else None):
                        await page.ask("first_reply")
                except TimeoutError:
                    pass  # Nobody waits that long.
                if visit.manner == "late":
                    await asyncio.sleep(linger(self._shortest))
                page.socket.transport.abort()
            case "half-open":
                await page.ask("sent")
                self.vanished.add(page.socket)
            case _:
                pass

    async def bystander(self) -> Bystanding:
        page = _Page(self._script, Visit(0, "bystander"))
        try:
            async with asyncio.timeout(self._patience):
                await self._requests(self._script.before, page)
                await page.connect(self._url, self._patience, self._access)
                await page.open()
        except KeyError as error:
            raise Unreachable(f"the script needs {error.args[0]!r}, which is not there") from error
        except httpx.ConnectError as error:
            address = _http_base(self._url)
            raise Unreachable(f"nothing listens at {address} ({error}): start the server first") from error
        except _BadStatus as error:
            raise Unreachable(f"{error}: {refusal(error.status)}") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unreachable(
                f"a request before the visit fails: {type(error).__name__} {error}: check `before` in the script"
            ) from error
        except (*FAILURES, ConnectionClosed) as error:
            raise why_unreachable(self._url, error) from error
        assert page.socket is not None
        inner: Bystanding = PingBystander(page.socket)
        if self._script.heartbeat is not None:
            inner = _ScriptBystander(page, self._script.heartbeat)
        return _Leaving(inner, self, page)

    async def finish(self) -> None:
        self.vanished.cut()

    async def aclose(self) -> None:
        """Close the HTTP client."""
        if self._http is not None:
            await self._http.aclose()

    async def _requests(self, requests: Sequence[Http], page: _Page) -> None:
        for request in requests:
            if self._http is None:
                self._http = httpx.AsyncClient(
                    timeout=self._patience, trust_env=False, verify=not self._access.insecure,
                    headers=dict(self._access.headers),
                )  # fmt: skip
            url = urljoin(_http_base(self._url), str(fill(request.url, page.variables)))
            answer = await self._http.request(
                request.method, url, json=fill(request.json, page.variables),
                headers=fill(request.headers, page.variables),
            )  # fmt: skip
            if answer.status_code != request.status and (request.status or answer.status_code >= 400):
                raise _BadStatus(answer.status_code, f"{request.method} {url} answered {answer.status_code}")
            for name, path in request.save.items():
                page.variables[name] = pick(answer.json(), path)


class _BadStatus(Exception):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class _ScriptBystander(Bystanding):
    def __init__(self, page: _Page, heartbeat: Heartbeat) -> None:
        self._page = page
        self._heartbeat = heartbeat

    async def round_trip(self) -> None:
        try:
            await self._page.send(self._heartbeat.send)
            await self._page.expect(self._heartbeat.expect)
        except ConnectionClosed as error:
            raise Gone(str(error)) from error

    async def leave(self) -> None:
        assert self._page.socket is not None
        await self._page.socket.close()


class _Leaving(Bystanding):
    """Undoes what the script did before the page was opened, and closes the visitor's HTTP client."""

    def __init__(self, inner: Bystanding, visitor: ScriptVisitor, page: _Page) -> None:
        self._inner = inner
        self._visitor = visitor
        self._page = page

    async def round_trip(self) -> None:
        await self._inner.round_trip()

    async def leave(self) -> None:
        await self._inner.leave()
        await self._visitor._clean_up(self._page)
        await self._visitor.aclose()


def _http_base(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(("https" if parts.scheme == "wss" else "http", parts.netloc, "/", "", ""))
