"""Tests of who may see the ops room."""

from __future__ import annotations

from typing import Any

import pytest

from greenroom.server.ops.access import is_foreign_page, ops_allowed


@pytest.mark.parametrize(
    ("address", "allowed"),
    [("127.0.0.1", True), ("::1", True), ("::ffff:127.0.0.1", True), ("10.0.0.1", False), ("x", False)],
)
def test_this_machine_only(address: str, allowed: bool) -> None:
    """However its address is written."""
    assert ops_allowed({"client": (address, 5)}) is allowed


def test_a_local_socket_is_this_machine() -> None:
    """It has no address."""
    assert ops_allowed({"client": None})


@pytest.mark.parametrize(
    ("headers", "foreign"),
    [
        ({b"host": b"127.0.0.1:12393"}, False),
        ({b"host": b"127.0.0.1:12393", b"origin": b"http://127.0.0.1:12393"}, False),
        ({b"host": b"127.0.0.1:12393", b"origin": b"https://example.org"}, True),
        ({b"host": b"127.0.0.1:12393", b"origin": b"http://127.0.0.1:8000"}, True),
        ({b"host": b"127.0.0.1:12393", b"origin": b"null"}, True),
        ({b"origin": b"http://127.0.0.1"}, True),
    ],
)
def test_pages_of_other_origins_start_nothing(headers: dict[bytes, bytes], foreign: bool) -> None:
    """A browser sends such requests for any page; programs send no origin."""
    scope: dict[str, Any] = {"headers": list(headers.items())}
    assert is_foreign_page(scope) is foreign
