"""Who may see the ops room, in one place."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any
from urllib.parse import urlsplit

from greenroom.server.addresses import is_loopback


def ops_allowed(scope: MutableMapping[str, Any]) -> bool:
    """Whether the sender of this request may see the ops room: this machine only."""
    client = scope.get("client")
    return is_loopback(client[0] if client else "")


def is_foreign_page(scope: MutableMapping[str, Any]) -> bool:
    """Whether a browser sends this for a page of another origin: such a page must not start anything."""
    headers = dict(scope.get("headers") or ())
    origin = headers.get(b"origin")
    if origin is None:
        return False
    return urlsplit(origin.decode("latin-1")).netloc.encode("latin-1") != headers.get(b"host")
