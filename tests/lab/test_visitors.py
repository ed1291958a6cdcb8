"""How a server is reached, and what the user is told when it is not."""

from __future__ import annotations

import errno
import socket
import ssl

import pytest
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosedError, InvalidMessage, InvalidStatus, InvalidURI
from websockets.frames import Close
from websockets.http11 import Response

from greenroom.lab.visitors import Access, linger, shown, why_unreachable

URL = "ws://127.0.0.1:9/client-ws"


def status(code: int) -> InvalidStatus:
    return InvalidStatus(Response(code, "", Headers()))


def closed(code: int) -> ConnectionClosedError:
    return ConnectionClosedError(Close(code, "log in"), None)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed"), "Connection refused"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed"), "start the server first"),
        (socket.gaierror(-2, "Name or service not known"), "there is no host '127.0.0.1'"),
        (TimeoutError(), "--patience"),
        (InvalidURI(URL, "is bad"), "no WebSocket address"),
        (InvalidMessage("no HTTP"), "it may want wss://"),
        (ssl.SSLCertVerificationError(1, "self-signed"), "--insecure"),
        (ssl.SSLError(1, "WRONG_VERSION_NUMBER"), "does not speak TLS"),
        (status(401), "--token"),
        (status(404), "no WebSocket at this path"),
        (status(302), "redirect"),
        (status(503), "full, or not ready"),
        (status(418), "answers 418"),
        (closed(4401), "--token"),
        (closed(1011), "closed it with 1011 'log in'"),
        (ValueError("no JSON"), "no message of the protocol"),
    ],
)
def test_each_failure_says_what_to_do(error: Exception, words: str):
    """The text names what happened and what to try next."""
    assert words in str(why_unreachable(URL, error))


def test_a_token_in_the_address_is_never_shown():
    """Errors, records and reports show the address without it."""
    assert shown("ws://h:1/ws?token=s3cret") == "ws://h:1/ws?…"
    assert shown("ws://h:1/ws") == "ws://h:1/ws"
    assert "s3cret" not in str(why_unreachable("ws://h:1/ws?token=s3cret", TimeoutError()))


def test_only_insecure_access_skips_the_certificate():
    """Certificates are checked unless the user says otherwise, and only TLS has any."""
    assert Access().ssl("wss://h/") is None
    assert Access(insecure=True).ssl("ws://h/") is None
    context = Access(insecure=True).ssl("wss://h/")
    assert context is not None
    assert context.verify_mode is ssl.CERT_NONE


@pytest.mark.parametrize(("lasts", "seconds"), [(None, 0.0), (1.0, 0.4), (60.0, 2.0)])
def test_who_leaves_in_the_middle_stays_for_a_part_of_the_reply(lasts: float | None, seconds: float):
    """Two fifths of what is left of a reply, but no more than two seconds."""
    assert linger(lasts) == pytest.approx(seconds)
