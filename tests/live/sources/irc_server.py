"""A real IRC server (ngIRCd) on a free loopback port, and a person who talks in it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CONFIG = """
[Global]
Name = irc.greenroom.test
Info = a server for tests
Listen = 127.0.0.1
Ports = {port}
MotdPhrase = "hello"
ServerGID = {group}
ServerUID = {user}

[Limits]
MaxConnections = 0
MaxConnectionsIP = 0
MaxPenaltyTime = 0
PingTimeout = 120
PongTimeout = 20
ConnectRetry = 60

[Options]
DNS = no
Ident = no
PAM = no

[Channel]
Name = #stage
Topic = live

[Channel]
Name = #locked
Key = secret
Modes = +k secret
"""
START_SECONDS = 10.0


@dataclass
class IrcServer:
    """A running server; `stop` and `start` it in the middle of a test."""

    program: str
    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start and wait until it takes connections."""
        config = self.folder / "ngircd.conf"
        config.write_text(CONFIG.format(port=self.port, user=_user(), group=_group()))
        config.chmod(0o644)
        log = (self.folder / "ngircd.log").open("ab")
        self.process = subprocess.Popen(
            [self.program, "-n", "-f", str(config)], stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )
        log.close()
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 0.2):
                return
            time.sleep(0.01)
        text = (self.folder / "ngircd.log").read_text(errors="replace")
        self.stop()
        raise RuntimeError(f"ngircd did not start:\n{text}")

    def stop(self) -> None:
        """Kill it: its connections end at once."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@contextlib.contextmanager
def irc_server(program: str, folder: Path) -> Iterator[IrcServer]:
    """A server for the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = IrcServer(program, folder, port)
    server.start()
    try:
        yield server
    finally:
        server.stop()


class Person:
    """Somebody who joins a channel and writes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, channel: str) -> None:
        self._reader = reader
        self._writer = writer
        self._channel = channel

    @classmethod
    async def joined(cls, port: int, nick: str, channel: str = "#stage") -> Person:
        """Connect, log in and join."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        person = cls(reader, writer, channel)
        person.send(f"NICK {nick}", f"USER {nick} 0 * :{nick}")
        await person.until(" 376 ", " 422 ")
        person.send(f"JOIN {channel}")
        await person.until(" 366 ")
        return person

    def send(self, *lines: str) -> None:
        """Send raw lines."""
        self._writer.write("".join(f"{line}\r\n" for line in lines).encode())

    def say(self, *texts: str) -> None:
        """Write to the channel."""
        self.send(*(f"PRIVMSG {self._channel} :{text}" for text in texts))

    async def until(self, *marks: str) -> str:
        """Read until a line with one of the marks came; returns it. Answers pings."""
        async with asyncio.timeout(10):
            while True:
                line = (await self._reader.readline()).decode()
                if not line:
                    raise RuntimeError(f"the server closed the connection before {marks}")
                if line.startswith("PING"):
                    self.send(line.strip().replace("PING", "PONG", 1))
                if any(mark in line for mark in marks):
                    return line

    def leave(self) -> None:
        """Close the connection."""
        self._writer.transport.abort()


def _user() -> str:
    import os
    import pwd

    # Started by root it would change to the user "irc", whom not every machine has.
    return pwd.getpwuid(os.getuid()).pw_name


def _group() -> str:
    import grp
    import os

    return grp.getgrgid(os.getgid()).gr_name
