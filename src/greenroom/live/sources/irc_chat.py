"""One conversation with an IRC server that is only read: Twitch's dialect, or the plain one. Sans-I/O.

Twitch lets anybody read a chat under a name `justinfan` with digits, without an account or a key. Its tags
tell the shown name, the badges (broadcaster, moderator) and the bits that were paid.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import time

from greenroom.live.sources.base import EVERYBODY, OWNER, PAID, ChatMessage, Priority, SourceError
from greenroom.live.sources.irc_lines import IrcLine, LineBuffer, LineTooLong, parse_line

__all__ = ["IrcChat", "IrcSettings"]

QUIET_SECONDS = 60.0
"""After so long without a byte the server is asked whether it is there."""
LOST_SECONDS = 20.0
"""After so long without an answer to that it is gone."""
JOIN_SECONDS = 20.0
"""From the connection to the channel."""

NICK = "gr"
"""Short, because some servers allow nine characters: five digits follow."""

_JOIN_REFUSED = {
    "403": "there is no such channel",
    "405": "the server allows no more channels",
    "437": "the channel is not available now",
    "471": "the channel is full",
    "473": "the channel is by invitation only",
    "474": "this address is banned from the channel",
    "475": "the channel wants a password",
    "476": "the channel's name is not allowed",
    "477": "the channel is open to registered users only",
    "489": "the channel wants an encrypted connection (ircs://)",
}
_SUSPENDED = {"msg_channel_suspended", "tos_ban", "msg_banned"}
_WITH_TEXT = {"sub", "resub", "giftpaidupgrade", "primepaidupgrade"}


@dataclass(frozen=True, slots=True)
class IrcSettings:
    """Whom to read: `channel` with its `#`; `twitch` for Twitch's dialect."""

    url: str
    channel: str
    twitch: bool


class IrcChat:
    """Feed it bytes; it gives messages, and collects what must be sent.

    Args:
        digits: gives some random digits for the nick.
        now: seconds since 1970, for messages without a time of their own.
    """

    def __init__(
        self, settings: IrcSettings, *, digits: Callable[[], str], now: Callable[[], float] = time
    ) -> None:
        self._settings = settings
        self._digits = digits
        self._now = now
        self._buffer = LineBuffer()
        self._out: list[str] = []
        self._count = 0
        self._serial = digits() + digits()
        self._nick = ""
        self.joined = False
        self.lost: SourceError | None = None
        """Why the conversation is over, once it is."""

    def open(self) -> None:
        """The connection is there."""
        if self._settings.twitch:
            self._send("CAP REQ :twitch.tv/tags twitch.tv/commands")
            self._choose_nick("justinfan")
            self._send(f"JOIN {self._settings.channel}")
        else:
            self._choose_nick(NICK)
            self._send("USER greenroom 0 * :Greenroom, reading only")

    def to_send(self) -> bytes:
        """Take what must be sent now."""
        lines, self._out = self._out, []
        return "".join(f"{line}\r\n" for line in lines).encode()

    def ask(self) -> None:
        """Nothing was heard for a while: ask the server whether it is there."""
        self._send("PING :greenroom")

    def feed(self, data: bytes) -> list[ChatMessage]:
        """Take what arrived; returns the messages in it, also those just before the end (see `lost`)."""
        messages: list[ChatMessage] = []
        try:
            for text in self._buffer.feed(data):
                message = self._handle(text)
                if message is not None:
                    messages.append(message)
        except LineTooLong as error:
            self.lost = SourceError(f"{self._settings.url} does not speak IRC ({error})")
        except SourceError as error:
            self.lost = error
        return messages

    def _send(self, line: str) -> None:
        self._out.append(line)

    def _handle(self, text: str) -> ChatMessage | None:
        try:
            line = parse_line(text)
        except ValueError:
            return None  # a line without a command says nothing
        command = line.command
        if command == "PRIVMSG":
            return self._privmsg(line)
        if command == "USERNOTICE":
            return self._usernotice(line)
        if command == "PING":
            self._send(f"PONG :{line.param(-1)}")
        elif command == "RECONNECT":
            raise SourceError("Twitch asked for a new connection (it restarts a server)")
        elif command in ("376", "422") and not self._settings.twitch:
            # The end of the greeting, with or without a message of the day: some take a JOIN only now.
            self._send(f"JOIN {self._settings.channel}")
        elif command in ("ROOMSTATE", "366") and self._here(line.param(0 if command == "ROOMSTATE" else 1)):
            self.joined = True
        elif command == "433":
            self._choose_nick(NICK)
        elif command == "NOTICE":
            self._notice(line)
        elif command in _JOIN_REFUSED:
            raise SourceError(
                f"{self._settings.url}: {_JOIN_REFUSED[command]}",
                "check the channel's name, or ask those who run it",
                retryable=command in ("437", "471"),
            )
        elif command == "KICK" and self._here(line.param(0)) and line.param(1) == self._nick:
            raise SourceError(f"{self._settings.url}: removed from the channel", retry_after=30.0)
        elif command == "ERROR":
            raise SourceError(
                f"{self._settings.url}: the server closed the connection: {line.param(-1)[:200]}"
            )
        elif command in ("464", "465"):
            raise SourceError(
                f"{self._settings.url}: the server refused us: {line.param(-1)[:200]}",
                "it may want a password or bar this address",
                retryable=False,
            )
        return None

    def _choose_nick(self, name: str) -> None:
        self._nick = f"{name}{self._digits()}"
        self._send(f"NICK {self._nick}")

    def _here(self, channel: str) -> bool:
        return channel.casefold() == self._settings.channel.casefold()

    def _notice(self, line: IrcLine) -> None:
        if not self._settings.twitch:
            return
        text = line.param(-1)[:200]
        if line.tags.get("msg-id") in _SUSPENDED:
            raise SourceError(
                f"{self._settings.url}: {text}", "the channel is closed; name another one", retryable=False
            )
        if not self.joined and ("authentication failed" in text or "Improperly formatted auth" in text):
            raise SourceError(f"{self._settings.url}: Twitch refused the anonymous login: {text}")

    def _privmsg(self, line: IrcLine) -> ChatMessage | None:
        if not self._here(line.param(0)) or len(line.params) < 2:
            return None  # a private message, or another channel's
        text = line.param(1)
        if text.startswith("\x01"):
            if not text.startswith("\x01ACTION "):
                return None
            text = text[8:].rstrip("\x01")  # "/me waves"
        bits = line.tags.get("bits", "")
        paid = f"{bits} bits" if bits.isdecimal() and int(bits[:9]) > 0 else None
        return self._message(line, text, paid)

    def _usernotice(self, line: IrcLine) -> ChatMessage | None:
        """A subscription or an announcement with words of its own; gifts and raids have none."""
        kind = line.tags.get("msg-id", "")
        if not self._here(line.param(0)) or len(line.params) < 2:
            return None
        if kind in _WITH_TEXT:
            return self._message(line, line.param(1), "subscription")
        return self._message(line, line.param(1), None) if kind == "announcement" else None

    def _message(self, line: IrcLine, text: str, paid: str | None) -> ChatMessage:
        self._count += 1
        tags = line.tags
        login = line.nick if line.command == "PRIVMSG" else tags.get("login", line.nick)
        sent = tags.get("tmi-sent-ts", "")
        return ChatMessage(
            source=self._settings.url,
            id=tags.get("id") or tags.get("msgid") or f"{self._serial}-{self._count}",
            sender_id=tags.get("user-id") or login.casefold(),
            sender_name=tags.get("display-name") or login,
            text=text,
            priority=self._priority(tags, paid),
            paid=paid,
            at=int(sent) / 1000 if sent.isdecimal() and len(sent) < 16 else self._now(),
        )

    def _priority(self, tags: dict[str, str], paid: str | None) -> Priority:
        if self._settings.twitch:
            badges = {badge.partition("/")[0] for badge in tags.get("badges", "").split(",")}
            if badges & {"broadcaster", "moderator", "lead_moderator"}:
                return OWNER
        return PAID if paid is not None else EVERYBODY
