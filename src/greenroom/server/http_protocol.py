"""uvicorn's HTTP protocol, with one addition: an ASGI endpoint can find its connection's transport.

A stream that goes to many readers is encoded once and written to all of them without waking a task for each;
and a reader that does not read can be cut off, which closing politely cannot do.
"""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

SCOPE_KEY = "greenroom.transport"
"""Where an ASGI endpoint finds its `asyncio.Transport`."""


class HttpProtocol(HttpToolsProtocol):
    """One HTTP connection; its transport is in each request's ASGI scope under `SCOPE_KEY`."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope[SCOPE_KEY] = self.transport  # type: ignore[typeddict-unknown-key]  # pyright: ignore
