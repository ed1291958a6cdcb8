"""Tests of the server as seen from the terminal, with answers made up."""

from __future__ import annotations

import ssl
from collections.abc import Callable

import httpx
import msgspec
import pytest
from tests.server.ops.top.scenes import owner, tree

from greenroom.protocol.address import BadAddress
from greenroom.server.ops.messages import OpsSoakRequest, OpsTree
from greenroom.server.ops.top.remote import Lost, Refused, Remote, base_url, follow


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        ("12393", "http://127.0.0.1:12393"),
        ("localhost:80", "http://localhost:80"),
        ("https://example.org/", "https://example.org"),
        ("https://example.org/room/ops", "https://example.org/room"),
        ("wss://example.org/client-ws", "https://example.org"),
        ("http://[::1]:9/", "http://[::1]:9"),
    ],
)
def test_an_address_may_be_short(typed: str, url: str) -> None:
    """A port, a host, or any address of the server."""
    assert base_url(typed) == url


@pytest.mark.parametrize("typed", ["", "ftp://x", "http://", "http://x:99999/"])
def test_what_is_no_address_is_told(typed: str) -> None:
    """With what one looks like."""
    with pytest.raises(BadAddress, match="http://127"):
        base_url(typed)


def remote(answer: Callable[[httpx.Request], httpx.Response], token: str = "") -> Remote:
    return Remote("http://x", token, httpx.MockTransport(answer))


def stream(*events: str) -> httpx.Response:
    body = "".join(f"event: {event}\ndata: {{}}\n\n" for event in events)
    return httpx.Response(200, text=body, headers={"content-type": "text/event-stream; charset=utf-8"})


async def heard(found: Remote) -> list[str]:
    return [name async for name, _ in found.events()]


async def test_the_token_is_shown() -> None:
    """As a bearer token, with each request; without one, no header."""
    seen: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("authorization"))
        return httpx.Response(200, json={})

    await remote(answer, "secret").state()
    await remote(answer).state()
    assert seen == ["Bearer secret", None]


@pytest.mark.parametrize(
    ("answer", "kind", "text"),
    [
        (
            httpx.Response(401, json={"error": {"problem": "A token, please.", "fix": "Log in.", "field": None}}),
            Refused, r"answers 401: A token, please\. Log in\. \(here: --token\)",
        ),
        (httpx.Response(403, text="no"), Refused, r"answers 403: no access \(here: --token\)"),
        (httpx.Response(404, text="Not Found"), Refused, "is no Greenroom, or one without an ops room"),
        (httpx.Response(302, headers={"location": "/"}), Refused, "is no Greenroom"),
        (httpx.Response(200, html="<html>"), Refused, "is no Greenroom, or one without an ops room"),
        (httpx.Response(502, text="bad gateway"), Lost, "answers 502: Bad Gateway"),
        (
            httpx.Response(503, json={"error": {"problem": "3 watch already", "fix": "close one", "field": None}}),
            Lost, "answers 503: 3 watch already; close one",
        ),
    ],
)  # fmt: skip
async def test_answers_that_are_none(answer: httpx.Response, kind: type[Exception], text: str) -> None:
    """What is final is told apart from what may pass, each in words that help."""
    with pytest.raises(kind, match=text):
        await heard(remote(lambda request: answer))
    with pytest.raises(kind, match=text):
        await remote(lambda request: answer).state()


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (httpx.ConnectError("refused"), "nobody answers at http://x; is the server running"),
        (httpx.ConnectTimeout("slow"), "does not answer within 10 s"),
        (httpx.ReadTimeout("silent"), "has said nothing for 15 s"),
        (httpx.ReadError("reset"), "the connection to http://x was lost"),
    ],
)
async def test_connections_that_fail(error: httpx.HTTPError, text: str) -> None:
    """Each in words, none final."""

    def answer(request: httpx.Request) -> httpx.Response:
        raise error

    with pytest.raises(Lost, match=text):
        await heard(remote(answer))


async def test_a_certificate_that_is_not_trusted() -> None:
    """It is told as such, with what one can do about it."""

    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("failed") from ssl.SSLCertVerificationError("self-signed")

    with pytest.raises(Lost, match=r"the certificate of http://x is not trusted .*SSL_CERT_FILE can name it"):
        await remote(answer).state()


async def test_it_connects_again_with_growing_pauses() -> None:
    """After an event the pauses begin anew; what is final ends it."""
    answers = [
        stream("state", "sample"), httpx.Response(502), httpx.Response(502), httpx.Response(502), stream("state"),
        httpx.Response(502), httpx.Response(401),
    ]  # fmt: skip
    told: list[str] = []
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    with pytest.raises(Refused):
        await follow(
            remote(lambda request: answers.pop(0)),
            lambda name, data: told.append(name),
            lambda why: told.append(why.rpartition("; ")[2]),
            sleep,
        )
    assert pauses == [1, 2, 4, 8, 1, 2]
    assert told == [
        "state", "sample", "trying again in 1 s", "trying again in 2 s", "trying again in 4 s",
        "trying again in 8 s", "state", "trying again in 1 s", "trying again in 2 s",
    ]  # fmt: skip


async def test_a_server_may_be_away_for_days() -> None:
    """However often it was tried, the pause stays the longest."""
    tries, pauses = 3000, list[float]()

    def answer(request: httpx.Request) -> httpx.Response:
        if not pauses:
            stream = {"content-type": "text/event-stream"}
            return httpx.Response(200, text="event: state\ndata: {}\n\n", headers=stream)
        if len(pauses) < tries:
            raise httpx.ConnectError("nobody there", request=request)
        return httpx.Response(401)

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    with pytest.raises(Refused):
        await follow(remote(answer), lambda name, data: None, lambda why: None, sleep)
    assert len(pauses) == tries
    assert set(pauses[10:]) == {15.0}


async def test_a_server_that_never_answered_is_an_error() -> None:
    """A mistyped address must not look like a bad network."""
    with pytest.raises(Lost):
        await follow(remote(lambda request: httpx.Response(502)), lambda name, data: None, lambda why: None)


async def test_the_tree_comes_in_pages() -> None:
    """They are put together, as far as anybody would look."""
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.query.decode())
        page = OpsTree(0, [owner(f"server/{len(asked)}")], 5, "abc")
        return httpx.Response(
            200, content=msgspec.json.encode(page), headers={"content-type": "application/json"}
        )

    found = await remote(answer).tree()
    assert asked == ["", "after=abc", "after=abc"]
    assert [owner.name for owner in found.owners] == ["1", "2", "3"]
    whole = msgspec.json.encode(tree())
    plain = httpx.Response(200, content=whole, headers={"content-type": "application/json"})
    assert await remote(lambda request: plain).tree() == tree()


async def test_a_task_that_has_ended_has_no_stack() -> None:
    """That is no error."""
    gone = httpx.Response(
        404, json={"error": {"problem": "there is no such task", "fix": "look again", "field": "id"}}
    )
    assert await remote(lambda request: gone).stack("1-1") is None


async def test_a_soak_is_asked_for() -> None:
    """And ended, at the server's own address for it."""
    asked: list[tuple[str, str, bytes]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append((request.method, request.url.path, request.content))
        return httpx.Response(202, json={})

    await remote(answer).start_soak(OpsSoakRequest(5))
    await remote(answer).cancel_soak()
    assert asked == [("POST", "/ops/soak", b'{"visits":5,"mode":"mixed"}'), ("DELETE", "/ops/soak", b"")]
