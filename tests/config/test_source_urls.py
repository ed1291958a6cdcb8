"""Tests of the addresses of live chats."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.config.source_urls import SourceAddress, parse_source_url

VIDEO = "dQw4w9WgXcQ"
CHANNEL = "UC" + "a" * 22


@pytest.mark.parametrize(
    ("text", "platform", "name"),
    [
        ("twitch://Somebody", "twitch", "somebody"),
        ("twitch://#somebody/", "twitch", "somebody"),
        ("https://www.twitch.tv/Some_body", "twitch", "some_body"),
        ("https://m.twitch.tv/somebody?x=1", "twitch", "somebody"),
        ("https://www.twitch.tv/popout/somebody/chat?popout=", "twitch", "somebody"),
        (" http://twitch.tv/somebody ", "twitch", "somebody"),
        ("bilibili://123", "bilibili", "123"),
        ("https://live.bilibili.com/123?live_from=1", "bilibili", "123"),
        ("https://live.bilibili.com/h5/123", "bilibili", "123"),
        (f"youtube://{VIDEO}", "youtube", VIDEO),
        (f"youtube://{CHANNEL}", "youtube", CHANNEL),
        ("youtube://@Some.Body", "youtube", "@Some.Body"),
        (f"https://www.youtube.com/watch?v={VIDEO}&t=3s", "youtube", VIDEO),
        (f"https://youtu.be/{VIDEO}?si=x", "youtube", VIDEO),
        (f"https://www.youtube.com/live/{VIDEO}", "youtube", VIDEO),
        (f"https://www.youtube.com/channel/{CHANNEL}/live", "youtube", CHANNEL),
        ("https://www.youtube.com/@somebody/live", "youtube", "@somebody"),
    ],
)
def test_names(text: str, platform: str, name: str):
    """What people type or copy is understood, and its short form means the same."""
    address = parse_source_url(text)
    assert (address.platform, address.name) == (platform, name)
    assert str(address) == f"{platform}://{name}"
    assert parse_source_url(str(address)) == address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("irc://host/chat", SourceAddress("irc", "#chat", "host", 6667, tls=False)),
        ("irc://host:7000/#chat", SourceAddress("irc", "#chat", "host", 7000, tls=False)),
        ("ircs://host/&local", SourceAddress("irc", "&local", "host", 6697, tls=True)),
        ("irc://[::1]:6668/chat", SourceAddress("irc", "#chat", "::1", 6668, tls=False)),
    ],
)
def test_irc(text: str, address: SourceAddress):
    """An IRC address has a host, a port and a channel; `ircs` means TLS."""
    assert parse_source_url(text) == address
    assert parse_source_url(str(address)) == address


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not an address"),
        ("somebody", "is not an address"),
        ("twitch:somebody", "is not an address"),
        ("twich://somebody", 'did you mean "twitch"'),
        ("twitch://", "names no Twitch channel"),
        ("twitch://a b", "names no Twitch channel"),
        ("twitch://x\r\nJOIN #y", "names no Twitch channel"),
        ("https://www.twitch.tv/", "names no Twitch channel"),
        ("bilibili://somebody", "names no Bilibili room"),
        ("bilibili://0", "names no Bilibili room"),
        ("https://live.bilibili.com/", "names no Bilibili room"),
        ("youtube://short", "names no YouTube video"),
        ("https://www.youtube.com/watch", "names no YouTube video"),
        ("https://example.org/somebody", "is no page of Twitch"),
        ("https://eviltwitch.tv/somebody", "is no page of Twitch"),
        ("irc://host", "names no channel"),
        ("irc://host/a,b", "names no channel"),
        ("irc://host/a%0d%0aQUIT", "names no channel"),
        ("irc:///chat", "names no host"),
        ("irc://user:secret@host/chat", "holds a password"),
        ("irc://host:0/chat", "has port 0"),
        ("irc://host:99999/chat", "is not an address"),
    ],
)
def test_refused(text: str, message: str):
    """What names nothing is refused with a sentence that says what to write instead."""
    with pytest.raises(ValueError, match=message) as error:
        parse_source_url(text)
    assert "; " in str(error.value)


@given(st.text(max_size=60))
def test_never_anything_but_a_value_error(text: str):
    """Whatever is typed, it is an address or a ValueError, and nothing that could break a line."""
    for head in ("", "twitch://", "irc://h/", "https://youtu.be/", "https://live.bilibili.com/"):
        try:
            address = parse_source_url(head + text)
        except ValueError:
            continue
        assert not set(address.name) & set("\r\n\x00 ")
