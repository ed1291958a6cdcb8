"""Tests of peers.py."""

from __future__ import annotations

import pytest

from greenroom.server.security.peers import Peer, Peers, household, is_loopback


def find(proxies: list[str], address: str, **headers: str) -> Peer:
    raw = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    return Peers(proxies).find(address, raw, secure=False)


def test_a_direct_connection() -> None:
    """From this machine it is `here`, from another it is not; nobody vouches for it."""
    assert find([], "127.0.0.1", host="A:1") == Peer("127.0.0.1", True, False, False, False, "a:1")
    assert not find([], "10.1.2.3").here


def test_what_a_stranger_says_of_itself_is_not_believed() -> None:
    """Without a trusted proxy the address is the connection's, and the headers only show that there is one."""
    found = find([], "10.1.2.3", x_forwarded_for="127.0.0.1", x_forwarded_proto="https", x_forwarded_host="b")
    assert (found.address, found.here, found.secure, found.host) == ("10.1.2.3", False, False, "")
    assert find([], "127.0.0.1", x_forwarded_for="127.0.0.1").here is False


@pytest.mark.parametrize(
    ("chain", "address"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("127.0.0.1, 203.0.113.9", "203.0.113.9"),
        ("1.1.1.1,203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("203.0.113.9:4711", "203.0.113.9"),
        ("[2001:db8::7]:4711", "2001:db8::7"),
        ("2001:db8::7", "2001:db8::7"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("203.0.113.9, nonsense", "127.0.0.1"),
        ("", "127.0.0.1"),
    ],
)
def test_behind_trusted_proxies_the_nearest_stranger_counts(chain: str, address: str) -> None:
    """Addresses before it in the chain could have been invented by it."""
    found = find(["127.0.0.1", "10.0.0.0/8"], "127.0.0.1", x_forwarded_for=chain, host="a")
    assert (found.address, found.here, found.vouched) == (address, False, True)


def test_a_trusted_proxy_says_how_it_was_called() -> None:
    """Scheme and host are the last ones that were added, by the nearest proxy."""
    found = find(
        ["::1"], "::1", x_forwarded_proto="http, https", x_forwarded_host="evil, chat.example", host="x"
    )
    assert (found.secure, found.host) == (True, "chat.example")
    assert find(["::1"], "::1", host="chat.example:8443").host == "chat.example:8443"


def test_with_a_proxy_configured_nothing_is_here() -> None:
    """Not even what comes from another loopback address without a trace."""
    assert not find(["127.0.0.5"], "127.0.0.1").here


def test_loopback_addresses() -> None:
    """In every way they are written."""
    assert all(map(is_loopback, ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1")))
    assert not any(map(is_loopback, ("10.0.0.1", "localhost", "0.0.0.0", "::", "2001:db8::1")))


def test_who_has_gone_already_is_not_this_machine() -> None:
    """A connection that was reset before it was accepted has no address, but its request is read."""
    assert not is_loopback("")
    assert not find([], "", host="127.0.0.1").here


def test_a_household_is_an_address_or_a_network() -> None:
    """Whoever has one IPv6 address has 2^64 of them."""
    assert household("203.0.113.9") == "203.0.113.9"
    assert household("2001:db8::7") == household("2001:db8::ffff:8") == "2001:db8::/64"
    assert household("") == ""
