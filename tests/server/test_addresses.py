"""Tests of whose address it is."""

from __future__ import annotations

import pytest

from greenroom.server.addresses import is_loopback


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1", ""])
def test_this_machine(address: str) -> None:
    """However it is written; a Unix socket has no address."""
    assert is_loopback(address)


@pytest.mark.parametrize(
    "address", ["10.0.0.1", "0.0.0.0", "::", "localhost", "::ffff:10.0.0.1", "127.0.0.1.evil"]
)
def test_anybody_else(address: str) -> None:
    """Names are not looked up."""
    assert not is_loopback(address)
