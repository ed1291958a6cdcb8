"""Tests of the conversation with an IRC server, without a socket."""

from __future__ import annotations

import pytest

from greenroom.live.sources.base import ChatMessage
from greenroom.live.sources.irc_chat import IrcChat, IrcSettings


def chat(twitch: bool = True) -> IrcChat:
    """A conversation that has begun."""
    made = IrcChat(IrcSettings("test://stage", "#stage", twitch), digits=lambda: "12345", now=lambda: 5.0)
    made.open()
    return made


def said(line: str, twitch: bool = True) -> ChatMessage:
    """The one message of a line."""
    (message,) = chat(twitch).feed(f"{line}\r\n".encode())
    return message


def test_login():
    """Twitch: tags, a reader's name and the channel at once; others: the channel after the greeting."""
    assert chat().to_send().decode().splitlines() == [
        "CAP REQ :twitch.tv/tags twitch.tv/commands", "NICK justinfan12345", "JOIN #stage",
    ]  # fmt: skip
    plain = chat(twitch=False)
    assert plain.to_send() == b"NICK gr12345\r\nUSER greenroom 0 * :Greenroom, reading only\r\n"
    plain.feed(b":s 001 gr12345 :Welcome\r\n")
    assert plain.to_send() == b""
    plain.feed(b":s 422 gr12345 :No MOTD\r\n")
    assert plain.to_send() == b"JOIN #stage\r\n"
    assert not plain.joined
    plain.feed(b":s 366 gr12345 #stage :End of names\r\n")
    assert plain.joined


@pytest.mark.parametrize(
    ("tags", "priority", "paid"),
    [
        ("badges=", 0, None),
        ("badges=subscriber/12,premium/1", 0, None),
        ("badges=broadcaster/1", 2, None),
        ("badges=vip/1,moderator/1", 2, None),
        ("badges=;bits=500", 1, "500 bits"),
        ("badges=moderator/1;bits=500", 2, "500 bits"),
        ("badges=;bits=0", 0, None),
        ("badges=;bits=many", 0, None),
        ("", 0, None),
    ],
)
def test_priority(tags: str, priority: int, paid: str | None):
    """Broadcaster and moderators come first, then who paid bits, then everybody."""
    message = said(f"@{tags};x=y :ann!a@b PRIVMSG #stage :hi")
    assert (message.priority, message.paid) == (priority, paid)


def test_badges_count_on_twitch_only():
    """On a plain server anybody could send such tags: they mean nothing."""
    message = said("@badges=broadcaster/1 :ann!a@b PRIVMSG #stage :hi", twitch=False)
    assert message.priority == 0


def test_names_and_ids():
    """The shown name, the lasting id of the user and that of the message are taken where they are given."""
    full = said("@display-name=アン;user-id=7;id=m;tmi-sent-ts=1700000000500 :ann!a@b PRIVMSG #stage :hi")
    assert (full.sender_name, full.sender_id, full.id, full.at) == ("アン", "7", "m", 1700000000.5)
    bare = said("@display-name=;tmi-sent-ts=soon :Ann!a@b PRIVMSG #Stage :hi")
    assert (bare.sender_name, bare.sender_id, bare.id, bare.at) == ("Ann", "ann", "1234512345-1", 5.0)


def test_other_peoples_talk():
    """Private messages, other channels and client questions are no messages; "/me" is one."""
    made = chat()
    lines = [
        ":a!b@c PRIVMSG justinfan12345 :psst", ":a!b@c PRIVMSG #other :hi", ":a!b@c PRIVMSG #stage",
        ":a!b@c PRIVMSG #stage :\x01PING 1\x01", ":a!b@c NOTICE #stage :hi", ":a!b@c JOIN #stage",
        ":a!b@c PRIVMSG #stage :\x01ACTION dances\x01",
    ]  # fmt: skip
    assert [message.text for message in made.feed("\r\n".join([*lines, ""]).encode())] == ["dances"]
    assert made.lost is None


def test_subscriptions_and_announcements():
    """A resubscription with words counts as paid, an announcement as its writer's; raids say nothing."""
    tags = "@msg-id={};login=ann;display-name=Ann;user-id=7;badges={}"
    resub = said(f"{tags.format('resub', 'subscriber/3')} :tmi.twitch.tv USERNOTICE #stage :3 months!")
    assert (resub.text, resub.priority, resub.paid, resub.sender_name) == (
        "3 months!",
        1,
        "subscription",
        "Ann",
    )
    news = said(f"{tags.format('announcement', 'moderator/1')} :tmi.twitch.tv USERNOTICE #stage :soon")
    assert (news.priority, news.paid, news.sender_id) == (2, None, "7")
    for line in (
        f"{tags.format('resub', '')} :tmi.twitch.tv USERNOTICE #stage",
        f"{tags.format('raid', '')} :tmi.twitch.tv USERNOTICE #stage :raid",
    ):
        assert chat().feed(f"{line}\r\n".encode()) == []


def test_ping_is_answered():
    """The server's question is answered with its own words."""
    made = chat()
    made.to_send()
    made.feed(b"PING :a b\r\n")
    made.ask()
    assert made.to_send() == b"PONG :a b\r\nPING :greenroom\r\n"


@pytest.mark.parametrize(
    ("line", "twitch", "message", "retryable"),
    [
        (":tmi.twitch.tv RECONNECT", True, "asked for a new connection", True),
        (":tmi.twitch.tv NOTICE * :Login authentication failed", True, "refused the anonymous login", True),
        ("@msg-id=msg_channel_suspended :t NOTICE #stage :This channel is gone", True, "is gone", False),
        (":s 403 gr12345 #stage :No such channel", False, "there is no such channel", False),
        (":s 471 gr12345 #stage :Full", False, "the channel is full", True),
        (":s 465 gr12345 :You are banned", False, "refused us: You are banned", False),
        ("ERROR :Closing Link", False, "closed the connection: Closing Link", True),
        (":op KICK #stage gr12345 :out", False, "removed from the channel", True),
    ],
)
def test_the_end(line: str, twitch: bool, message: str, retryable: bool):
    """What ends the conversation is told in words, and whether another try makes sense."""
    made = chat(twitch)
    assert made.feed(f"{line}\r\n".encode()) == []
    assert made.lost is not None
    assert message in made.lost.message
    assert made.lost.retryable is retryable


@pytest.mark.parametrize(
    "line",
    [
        ":op KICK #stage somebody :out",
        ":op KICK #other gr12345 :out",
        ":tmi.twitch.tv NOTICE #stage :slow mode",
        ":x 999 ? ?",
        ":",
        "@;;; ",
    ],
)
def test_not_the_end(line: str):
    """What concerns others, or is not known, changes nothing."""
    made = chat(twitch=False)
    assert made.feed(f"{line}\r\n".encode()) == []
    assert made.lost is None


def test_a_taken_nick():
    """Another name is tried; the conversation goes on."""
    made = chat(twitch=False)
    made.to_send()
    made.feed(b":s 433 * gr12345 :in use\r\n")
    assert made.to_send() == b"NICK gr12345\r\n"
    assert made.lost is None


def test_not_irc():
    """A server that speaks something else is told from a chat."""
    made = chat()
    made.feed(b"\x16\x03\x01" * 10_000)
    assert made.lost is not None
    assert "does not speak IRC" in made.lost.message
