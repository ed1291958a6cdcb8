"""Headers of every answer: what a browser must not do with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_ELSEWHERE = "'self' data: blob: http: https:"
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; "
    f"img-src {_ELSEWHERE}; media-src {_ELSEWHERE}; connect-src 'self' ws: wss: http: https:; "
    "worker-src 'self' blob:; manifest-src 'self'; base-uri 'none'; form-action 'self'; "
    "object-src 'none'; frame-ancestors 'self'"
)
"""For our own page. It may connect to another server (a setting of the page), but runs only its own code."""
OTHER_PAGE_POLICY = "base-uri 'self'; object-src 'none'; frame-ancestors 'self'"
"""For a page somebody else built, of which nobody knows what it needs."""
INERT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"
"""For everything else: opened by itself, an SVG or HTML file runs nothing."""

DEFAULTS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"x-frame-options", b"SAMEORIGIN"),
    (b"permissions-policy", b"camera=(self), microphone=(self), geolocation=(), payment=(), usb=()"),
    (b"content-security-policy", INERT_POLICY.encode()),
)


def with_defaults(send: Send) -> Send:
    """Add the headers that an answer does not set itself."""

    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            there = {name.lower() for name, _ in headers}
            headers += [pair for pair in DEFAULTS if pair[0] not in there]
            if b"access-control-allow-origin" not in there:
                headers.append((b"cross-origin-resource-policy", b"same-origin"))
            message["headers"] = headers
        await send(message)

    return sending
