"""Small JSON answers over HTTP, bounded in size and time, with errors that say what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import msgspec

from greenroom.live.sources.base import SourceError

__all__ = ["client", "get_json"]

MAX_ANSWER = 8 * 1024 * 1024
"""Bytes of an answer that are read: a page of 2000 chat messages has about 3 MB."""
TIMEOUT = 15.0
USER_AGENT = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"
)
"""Bilibili answers nothing else but a browser, and signs this with its tokens."""


def client() -> httpx.AsyncClient:
    """A client for one source's connection; close it."""
    return httpx.AsyncClient(timeout=TIMEOUT, headers={"User-Agent": USER_AGENT}, follow_redirects=False)


async def get_json(
    http: httpx.AsyncClient,
    url: str,
    params: Mapping[str, str | int],
    *,
    who: str,
    headers: Mapping[str, str] | None = None,
) -> tuple[int, dict[str, Any]]:
    """The status and the JSON object of an answer; an empty one where there is none.

    Args:
        who: whose answer it is, for errors.

    Raises:
        SourceError: no connection, no answer in time, or one that is too large.
    """
    body = bytearray()
    try:
        async with http.stream("GET", url, params=dict(params), headers=dict(headers or {})) as response:
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_ANSWER:
                    raise SourceError(f"{who} answered with more than {MAX_ANSWER // 1024**2} MiB")
    except httpx.TimeoutException:
        raise SourceError(f"{who} gave no answer within {TIMEOUT:g} s") from None
    except httpx.HTTPError as error:
        # Not the error's own request or address: they may carry a key.
        raise SourceError(f"{who} cannot be reached: {error}") from None
    try:
        answer = msgspec.json.decode(bytes(body))
    except (msgspec.DecodeError, UnicodeDecodeError):
        answer = None
    return response.status_code, answer if isinstance(answer, dict) else {}
