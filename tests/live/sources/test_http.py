"""Tests of small JSON answers: bounded, and with errors in words."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from tests.live.sources.helpers import loopback, web_server

from greenroom.live.sources import http as module
from greenroom.live.sources.base import SourceError
from greenroom.live.sources.http import client, get_json


async def test_an_object():
    """Status and object are given; what is no object is an empty one."""
    async with web_server() as web, client() as http:
        web.on("/a", {"x": 1})
        web.on("/b", [1, 2])
        web.on("/c", (500, b"\xff<html>"))
        assert await get_json(http, f"{web.url}/a", {"q": "ü&", "n": 1}, who="X") == (200, {"x": 1})
        assert await get_json(http, f"{web.url}/b", {}, who="X") == (200, {})
        assert await get_json(http, f"{web.url}/c", {}, who="X", headers={"A": "b"}) == (500, {})
    assert web.asked[0][1] == {"q": "ü&", "n": "1"}
    assert web.asked[2][2]["a"] == "b"


async def test_a_large_answer_is_not_read(monkeypatch: pytest.MonkeyPatch):
    """Beyond the bound reading stops."""
    monkeypatch.setattr(module, "MAX_ANSWER", 1024 * 1024)
    async with web_server() as web, client() as http:
        web.on("/a", b'"' + b"x" * (2 * 1024 * 1024) + b'"')
        with pytest.raises(SourceError, match="X answered with more than 1 MiB"):
            await get_json(http, f"{web.url}/a", {}, who="X")


async def test_no_answer():
    """A server that says nothing, and one that is not there, are told apart."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with loopback(silent) as port, httpx.AsyncClient(timeout=0.05) as http:
        with pytest.raises(SourceError, match="X gave no answer within"):
            await get_json(http, f"http://127.0.0.1:{port}/", {}, who="X")
    async with client() as http:
        with pytest.raises(SourceError, match="X cannot be reached"):
            await get_json(http, f"http://127.0.0.1:{port}/", {"key": "secret"}, who="X")


async def test_redirects_are_not_followed():
    """An answer that points elsewhere leads nowhere: no key or cookie goes to another host."""
    async with web_server() as web, client() as http:
        web.on("/a", (302, {}))
        assert await get_json(http, f"{web.url}/a", {}, who="X") == (302, {})
    assert len(web.asked) == 1
