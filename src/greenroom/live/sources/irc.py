"""Twitch's chat, and any channel of an IRC server, over TCP or TLS."""

from __future__ import annotations

import asyncio
import secrets
import ssl
from collections.abc import AsyncGenerator

from greenroom.config.source_urls import SourceAddress
from greenroom.live.sources.base import ChatMessage, ChatSource, SourceError
from greenroom.live.sources.irc_chat import JOIN_SECONDS, LOST_SECONDS, QUIET_SECONDS, IrcChat, IrcSettings

__all__ = ["IrcSource"]

TWITCH_HOST, TWITCH_PORT = "irc.chat.twitch.tv", 6697
CONNECT_SECONDS = 15.0
CHUNK = 64 * 1024


def _digits() -> str:
    return str(10_000 + secrets.randbelow(90_000))


class IrcSource(ChatSource):
    """Reads one channel, never writes to it.

    Args:
        address: of platform `twitch` or `irc`; host and port of a Twitch address win over Twitch's own.
        tls: for tests: a context that trusts their certificate.
        quiet_seconds, lost_seconds, join_seconds: see `irc_chat`.
    """

    def __init__(
        self,
        address: SourceAddress,
        *,
        tls: ssl.SSLContext | None = None,
        quiet_seconds: float = QUIET_SECONDS,
        lost_seconds: float = LOST_SECONDS,
        join_seconds: float = JOIN_SECONDS,
    ) -> None:
        super().__init__(str(address))
        twitch = address.platform == "twitch"
        self._settings = IrcSettings(self.url, f"#{address.name}" if twitch else address.name, twitch)
        self._host = address.host or TWITCH_HOST
        self._port = address.port or TWITCH_PORT
        self._tls = tls
        self._use_tls = address.tls
        self._quiet_seconds = quiet_seconds
        self._lost_seconds = lost_seconds
        self._join_seconds = join_seconds

    def describe(self) -> str:
        if self._settings.twitch:
            return f"the chat of {self._settings.channel.removeprefix('#')} on Twitch"
        return f"{self._settings.channel} on the IRC server {self._host}:{self._port}"

    async def messages(self) -> AsyncGenerator[ChatMessage, None]:
        reader, writer = await self._connect()
        try:
            chat = IrcChat(self._settings, digits=_digits)
            chat.open()
            told = asked = False
            join_by = asyncio.get_running_loop().time() + self._join_seconds
            while True:
                if data := chat.to_send():
                    writer.write(data)
                try:
                    async with asyncio.timeout(self._patience(chat, asked, join_by)):
                        await writer.drain()
                        data = await reader.read(CHUNK)
                except TimeoutError:
                    if not chat.joined and asyncio.get_running_loop().time() >= join_by:
                        raise self._no_channel() from None
                    if asked:
                        raise SourceError(f"{self.url}: the server has fallen silent") from None
                    chat.ask()
                    asked = True
                    continue
                if not data:
                    raise SourceError(f"{self.url}: the server closed the connection")
                asked = False
                received = chat.feed(data)
                if chat.joined and not told:
                    told = True
                    self.on_connected()
                for message in received:
                    yield message
                if chat.lost is not None:
                    raise chat.lost
        except (OSError, ssl.SSLError) as error:
            raise SourceError(f"{self.url}: the connection was lost: {error}") from error
        finally:
            # Without waiting: whoever closes us has a deadline, and there is nothing left to be sent.
            writer.transport.abort()

    def _patience(self, chat: IrcChat, asked: bool, join_by: float) -> float:
        patience = self._lost_seconds if asked else self._quiet_seconds
        if not chat.joined:
            patience = min(patience, max(0.0, join_by - asyncio.get_running_loop().time()))
        return patience

    def _no_channel(self) -> SourceError:
        return SourceError(
            f"{self.url}: no answer to joining {self._settings.channel}",
            "check the channel's name",
            retry_after=30.0,
        )

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        context: ssl.SSLContext | bool | None = None
        if self._use_tls:
            context = self._tls or ssl.create_default_context()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return await asyncio.open_connection(self._host, self._port, ssl=context, limit=CHUNK)
        except TimeoutError:
            raise SourceError(f"{self.url}: no connection within {CONNECT_SECONDS:g} s") from None
        except ssl.SSLCertVerificationError as error:
            raise SourceError(
                f"{self.url}: the server's certificate is not to be trusted: {error.verify_message}",
                "use the host that the certificate names",
                retryable=False,
            ) from error
        except (OSError, ssl.SSLError) as error:
            raise SourceError(f"{self.url}: cannot connect to {self._host}:{self._port}: {error}") from error
