"""Tests of origins.py."""

from __future__ import annotations

import socket

import pytest

from greenroom.server.security.origins import Origins, split_host


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://chat.example.org", "chat.example.org"),
        ("https://chat.example.org", "chat.example.org:443"),
        ("https://CHAT.example.org", "chat.example.org"),
        ("http://chat.example.org:8080", "chat.example.org:8080"),
        ("http://[::1]:12393", "[::1]:12393"),
        ("http://192.168.0.7:12393", "192.168.0.7:12393"),
    ],
)
def test_a_page_may_use_the_server_it_came_from(origin: str, host: str) -> None:
    """Whatever that server is called, and whichever port is its scheme's own."""
    assert Origins().allows(origin, host, secure=False)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://chat.example.org:8443", "chat.example.org"),
        ("http://chat.example.org:8080", "chat.example.org:8081"),
        ("https://evil.example", "chat.example.org"),
        ("https://chat.example.org.evil.example", "chat.example.org"),
        ("https://evilchat.example.org", "chat.example.org"),
        ("https://chat.example.org@evil.example", "chat.example.org"),
        ("https://user@chat.example.org", "chat.example.org"),
        ("https://chat.example.org/path", "chat.example.org"),
        ("ftp://chat.example.org", "chat.example.org"),
        ("https://chat.example.org, https://evil.example", "chat.example.org"),
        ("https://", "chat.example.org"),
        ("https://chat.example.org:99999", "chat.example.org"),
        ("", ""),
        ("http://localhost.evil.example", "127.0.0.1:12393"),
        ("http://127.0.0.1.nip.example", "127.0.0.1:12393"),
    ],
)
def test_other_pages_may_not(origin: str, host: str) -> None:
    """Names that only look like ours, other ports, and what is no origin at all."""
    assert not Origins().allows(origin, host, secure=False)


def test_a_page_without_tls_is_not_the_secure_server() -> None:
    """Whoever sits between could have written it."""
    assert Origins().allows("http://chat.example.org", "chat.example.org", secure=False)
    assert not Origins().allows("http://chat.example.org", "chat.example.org", secure=True)
    assert Origins().allows("https://chat.example.org", "chat.example.org", secure=True)


def test_listed_origins_may() -> None:
    """With their scheme and port, not others of the same name."""
    rules = Origins(["https://shop.example.org", "app://desk"])
    assert rules.allows("https://shop.example.org:443", "127.0.0.1:1", secure=False)
    assert rules.allows("app://desk", "127.0.0.1:1", secure=False)
    assert not rules.allows("http://shop.example.org", "127.0.0.1:1", secure=False)
    assert rules.knows("shop.example.org")


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:12393", "app.localhost", "127.0.0.1:80", "[::1]:80", "192.168.0.7", "10.0.0.1:1",
     socket.gethostname()],
)  # fmt: skip
def test_names_that_nobody_else_can_point_here(host: str) -> None:
    """Addresses, localhost, and this machine's own name."""
    assert Origins().knows(host)


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "", "a/b", "127.0.0.1.nip.example", "u@localhost"]
)
def test_names_that_somebody_else_could(host: str) -> None:
    """Are not known until they are listed."""
    assert not Origins().knows(host)
    assert Origins(hosts=["evil.example"]).knows("evil.example:12393")


def test_the_parts_of_a_host() -> None:
    """Nonsense has no name."""
    assert split_host("a.example.:8080") == ("a.example", 8080)
    assert split_host("[::1]") == ("::1", None)
    for nonsense in ("a:b", "a/b", "a?b", "a@b", "[::1"):
        assert split_host(nonsense) == ("", None)
