"""Tests of the IRC source: with a real server, and with scripted ones for what a real one rarely does."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest
from tests.live.sources.helpers import Handler, loopback
from tests.live.sources.irc_server import IrcServer, Person

from greenroom.config.source_urls import SourceAddress, parse_source_url
from greenroom.live.sources.backoff import Pauses
from greenroom.live.sources.base import ChatMessage, SourceError
from greenroom.live.sources.irc import IrcSource
from greenroom.live.sources.runner import SourceRunner, SourceStatistics
from greenroom.tasks import TaskScope

CERTIFICATE = Path(__file__).with_name("localhost.pem")
"""A certificate of our own making for "localhost", with its key; it protects nothing."""


@asynccontextmanager
async def scripted(script: Handler, tls: ssl.SSLContext | None = None) -> AsyncGenerator[SourceAddress]:
    """A server that plays Twitch by a script; gives the address of its channel."""
    async with loopback(script, tls) as port:
        yield SourceAddress("twitch", "stage", "127.0.0.1", port, tls=False)


async def read_until(reader: asyncio.StreamReader, mark: str) -> str:
    """All that the client sends, up to a line that holds the mark."""
    got = ""
    while mark not in got:
        line = await reader.readline()
        assert line, f"the client left after {got!r}"
        got += line.decode()
    return got


async def take(source: IrcSource, count: int, got: list[ChatMessage] | None = None) -> list[ChatMessage]:
    """The first messages of a source; into `got`, if it may end with an error."""
    got = [] if got is None else got
    async with asyncio.timeout(10), aclosing(source.messages()) as messages:
        async for message in messages:
            got.append(message)
            if len(got) == count:
                break
    return got


class Watched:
    """A runner whose states and messages a test can wait for."""

    def __init__(self, source: IrcSource, scope: TaskScope) -> None:
        self.messages: list[ChatMessage] = []
        self.states: list[SourceStatistics] = []
        self._news = asyncio.Event()
        self.runner = SourceRunner(
            source, scope, self._message, pauses=Pauses(0.01, 0.02, 60), on_state=self._state
        )

    def _message(self, room: str, message: ChatMessage) -> None:
        self.messages.append(message)
        self._news.set()

    def _state(self, statistics: SourceStatistics) -> None:
        self.states.append(statistics)
        self._news.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def connected(self, times: int) -> None:
        await self.until(lambda: self.runner.statistics().connections >= times
                         and self.runner.statistics().state == "connected")  # fmt: skip


async def test_messages_of_a_real_server(irc: IrcServer):
    """What people write in a channel arrives in order, with their names."""
    async with TaskScope("test") as scope:
        watched = Watched(IrcSource(parse_source_url(f"irc://127.0.0.1:{irc.port}/stage")), scope)
        watched.runner.start()
        await watched.connected(1)
        alice = await Person.joined(irc.port, "Alice")
        alice.say("hello", "你好 : with colons :)", "\x01ACTION waves\x01", "\x01VERSION\x01")
        alice.say("last")
        await watched.until(lambda: len(watched.messages) == 4)
        assert [message.text for message in watched.messages] == [
            "hello", "你好 : with colons :)", "waves", "last",
        ]  # fmt: skip
        assert {(m.sender_name, m.sender_id, m.priority, m.paid) for m in watched.messages} == {
            ("Alice", "alice", 0, None)
        }
        alice.leave()


async def test_a_killed_server_is_found_again(irc: IrcServer):
    """The source connects again after the server died, and nothing is delivered twice."""
    async with TaskScope("test") as scope:
        watched = Watched(IrcSource(parse_source_url(f"irc://127.0.0.1:{irc.port}/stage")), scope)
        watched.runner.start()
        await watched.connected(1)
        irc.stop()
        await watched.until(lambda: watched.runner.statistics().failures_in_a_row >= 2)
        assert "connect" in watched.runner.statistics().last_error
        irc.start()
        watched.runner.retry_now()
        await watched.connected(2)
        bob = await Person.joined(irc.port, "Bob")
        bob.say("back again")
        await watched.until(lambda: bool(watched.messages))
        assert [message.text for message in watched.messages] == ["back again"]
        bob.leave()


async def test_a_taken_nick_is_no_obstacle(irc: IrcServer, monkeypatch: pytest.MonkeyPatch):
    """If the chosen name is in use, another one is tried."""
    chosen = iter(["1", "2", "77777", "77777", "88888"])
    monkeypatch.setattr("greenroom.live.sources.irc._digits", lambda: next(chosen))
    other = await Person.joined(irc.port, "gr77777")
    async with TaskScope("test") as scope:
        watched = Watched(IrcSource(parse_source_url(f"irc://127.0.0.1:{irc.port}/stage")), scope)
        watched.runner.start()
        await watched.connected(1)
        other.say("hi")
        await watched.until(lambda: bool(watched.messages))
    other.leave()


async def test_a_locked_channel_is_a_clear_error(irc: IrcServer):
    """A channel with a password ends the source for good, with a reason."""
    source = IrcSource(parse_source_url(f"irc://127.0.0.1:{irc.port}/locked"))
    with pytest.raises(SourceError, match="the channel wants a password") as error:
        await take(source, 1)
    assert not error.value.retryable


async def test_a_kick_is_noticed(irc: IrcServer):
    """Being removed from the channel is a loss, not silence."""
    owner = await Person.joined(irc.port, "Owner", "#own")
    async with TaskScope("test") as scope:
        watched = Watched(IrcSource(parse_source_url(f"irc://127.0.0.1:{irc.port}/own")), scope)
        watched.runner.start()
        line = await owner.until("JOIN :#own", "JOIN #own")
        owner.send(f"KICK #own {line[1:].partition('!')[0]} :out")
        await watched.until(lambda: watched.runner.statistics().state == "waiting")
        assert "removed from the channel" in watched.runner.statistics().last_error
    owner.leave()


async def test_nobody_listens():
    """A closed port is named in the error."""
    with pytest.raises(SourceError, match=r"cannot connect to 127\.0\.0\.1:1:"):
        await take(IrcSource(SourceAddress("irc", "#x", "127.0.0.1", 1, tls=False)), 1)


async def test_twitch_conversation():
    """The login is anonymous, tags are asked for, and a message carries name, priority and what was paid."""
    sent: list[str] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sent.append(await read_until(reader, "JOIN"))
        writer.write(
            b":tmi.twitch.tv CAP * ACK :twitch.tv/tags twitch.tv/commands\r\n"
            b":tmi.twitch.tv 001 justinfan1 :Welcome, GLHF!\r\n"
            b"@emote-only=0;room-id=1 :tmi.twitch.tv ROOMSTATE #stage\r\n"
            b"@badges=broadcaster/1;display-name=Ann\\sA;id=a-1;tmi-sent-ts=1700000000123;user-id=11 "
            b":ann!ann@ann.tmi.twitch.tv PRIVMSG #stage :welcome all\r\n"
            b"@badges=bits/100;bits=100;display-name=Bo;id=b-1;user-id=12 "
            b":bo!bo@bo.tmi.twitch.tv PRIVMSG #stage :Cheer100 sing!\r\nPING :tmi.twitch.tv\r\n"
        )
        sent.append(await read_until(reader, "PONG"))

    async with scripted(script) as address:
        source = IrcSource(address)
        connected: list[bool] = []
        source.on_connected = lambda: connected.append(True)
        got: list[ChatMessage] = []
        with pytest.raises(SourceError, match="the server closed the connection"):
            await take(source, 3, got)
    assert connected == [True]
    assert "CAP REQ :twitch.tv/tags" in sent[0]
    assert "NICK justinfan" in sent[0]
    assert "PASS" not in sent[0]
    assert sent[1] == "PONG :tmi.twitch.tv\r\n"
    assert [(m.id, m.sender_id, m.sender_name, m.text, m.priority, m.paid) for m in got] == [
        ("a-1", "11", "Ann A", "welcome all", 2, None),
        ("b-1", "12", "Bo", "Cheer100 sing!", 1, "100 bits"),
    ]
    assert got[0].at == 1700000000.123


async def test_reconnect_is_obeyed():
    """When Twitch asks for a new connection, the source makes one."""
    visits = 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal visits
        visits += 1
        await read_until(reader, "JOIN")
        writer.write(b":tmi.twitch.tv ROOMSTATE #stage\r\n")
        if visits == 1:
            writer.write(b":tmi.twitch.tv RECONNECT\r\n")
        else:
            writer.write(b":bo!bo@bo PRIVMSG #stage :after\r\n")
        await reader.read()

    async with scripted(script) as address, TaskScope("test") as scope:
        watched = Watched(IrcSource(address), scope)
        watched.runner.start()
        await watched.until(lambda: bool(watched.messages))
        assert watched.runner.statistics().connections == 2


async def test_a_vanished_server_is_noticed():
    """A connection without a byte is asked, then given up."""
    asked: list[str] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_until(reader, "JOIN")
        writer.write(b":tmi.twitch.tv ROOMSTATE #stage\r\n")
        asked.append(await read_until(reader, "PING"))
        await reader.read()

    async with scripted(script) as address:
        source = IrcSource(address, quiet_seconds=0.02, lost_seconds=0.02)
        with pytest.raises(SourceError, match="fallen silent"):
            await take(source, 1)
    assert asked == ["PING :greenroom\r\n"]


async def test_a_channel_that_does_not_answer():
    """A name that nobody has is told after a while, although Twitch itself says nothing."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_until(reader, "JOIN")
        writer.write(b":tmi.twitch.tv 001 justinfan1 :Welcome, GLHF!\r\n")
        await reader.read()

    async with scripted(script) as address:
        with pytest.raises(SourceError, match="no answer to joining #stage") as error:
            await take(IrcSource(address, join_seconds=0.03), 1)
    assert error.value.hint == "check the channel's name"


async def test_tls():
    """Over TLS a trusted server is read; one that nobody vouches for is refused for good."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_until(reader, "JOIN")
        writer.write(b":tmi.twitch.tv ROOMSTATE #stage\r\n:bo!bo@bo PRIVMSG #stage :secret\r\n")
        await reader.read()

    own = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    own.load_cert_chain(CERTIFICATE)
    async with scripted(script, own) as address:
        secure = SourceAddress("twitch", "stage", "localhost", address.port, tls=True)
        trusting = ssl.create_default_context(cafile=str(CERTIFICATE))
        (message,) = await take(IrcSource(secure, tls=trusting), 1)
        assert message.text == "secret"
        with pytest.raises(SourceError, match="certificate is not to be trusted") as error:
            await take(IrcSource(secure), 1)
        assert not error.value.retryable


async def test_what_came_before_the_end_is_delivered():
    """Messages that arrive together with the server's farewell are not lost."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_until(reader, "JOIN")
        writer.write(
            b":tmi.twitch.tv ROOMSTATE #stage\r\n:bo!bo@bo PRIVMSG #stage :one\r\n"
            b":tmi.twitch.tv RECONNECT\r\n:bo!bo@bo PRIVMSG #stage :two\r\n"
        )
        await reader.read()

    async with scripted(script) as address:
        (message,) = await take(IrcSource(address), 1)
    assert message.text == "one"
