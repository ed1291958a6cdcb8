"""Tests of address.py."""

from __future__ import annotations

import pytest

from greenroom.protocol.address import BadAddress, parse_address


@pytest.mark.parametrize(
    ("text", "netloc", "secure"),
    [
        (" 12393 ", "127.0.0.1:12393", False),
        ("host:1/x", "host:1", False),
        ("wss://host/x", "host", True),
        ("https://[::1]:5", "[::1]:5", True),
    ],
)
def test_what_people_type(text: str, netloc: str, secure: bool) -> None:
    """Ports, names and addresses of pages and sockets are understood."""
    parts, found = parse_address(text, "example")
    assert (parts.netloc, found) == (netloc, secure)


@pytest.mark.parametrize("text", ["", "ftp://host", "http://", "host:0", "host:port", "http://[1"])
def test_what_is_no_address(text: str) -> None:
    """Everything else is refused, with an example of what would do."""
    with pytest.raises(BadAddress, match="example"):
        parse_address(text, "example")
