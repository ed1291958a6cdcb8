"""Accepts TLS connections so that their handshakes are counted among the half-open connections.

asyncio's own server knows of a TLS connection when its handshake is over; until then nobody could turn out the oldest
of those that stop in the middle, and each holds a descriptor for as long as the deadline allows. Here each handshake
is a task that the waiting room knows.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable

import structlog

from greenroom.server.waiting_room import WaitingRoom
from greenroom.tasks import AnyJob, TaskScope

__all__ = ["TlsListener"]

log = structlog.stdlib.get_logger("greenroom.server")

NONE_LEFT = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
PAUSE_SECONDS = 1.0
"""Before accepting again when the system had nothing left, as asyncio's server does."""


class Handshake:
    """One connection on which TLS is not there yet."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.turned_out = False

    def turn_out(self) -> None:
        """End it at once (see `WaitingRoom`): whoever waits for its bytes finds that there are none."""
        self.turned_out = True
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError as error:
            log.debug("a handshake had ended already", error=str(error))


class TlsListener:
    """In the place of an `asyncio.Server`, as far as uvicorn uses it.

    Args:
        listener: listens already; a copy of it is used.
        protocol: makes the protocol that serves a connection.
        seconds: for one handshake, and for saying goodbye.
        scope: owns the tasks, and nothing else.
    """

    def __init__(
        self,
        listener: socket.socket,
        protocol: Callable[[], asyncio.Protocol],
        context: ssl.SSLContext,
        seconds: float,
        room: WaitingRoom,
        scope: TaskScope,
    ) -> None:
        self._listener = listener.dup()
        self._protocol = protocol
        self._context = context
        self._seconds = seconds
        self._room = room
        self._scope = scope
        self._accepting: AnyJob[None] = scope.start(self._accept, name="accept")

    def close(self) -> None:
        """Accept nobody any more."""
        self._accepting.cancel()

    async def wait_closed(self) -> None:
        await self._accepting.wait()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                try:
                    connection, _ = await loop.sock_accept(self._listener)
                except OSError as error:
                    # Else it was gone before it was accepted.
                    if error.errno in NONE_LEFT:
                        log.error("no connection can be accepted", error=error.strerror)
                        await self._pause()
                    continue
                handshake = Handshake(connection)
                self._room.enter(handshake)
                self._scope.start(self._shake_hands, handshake, name="handshake")
                await asyncio.sleep(0)
        finally:
            self._listener.close()

    async def _pause(self) -> None:
        # The listener would be ready at once, over and over.
        await asyncio.sleep(PAUSE_SECONDS)

    async def _shake_hands(self, handshake: Handshake) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                self._protocol,
                handshake.connection,
                ssl=self._context,
                ssl_handshake_timeout=self._seconds,
                ssl_shutdown_timeout=self._seconds,
            )
        except ConnectionAbortedError:  # what asyncio and uvloop raise at the deadline
            if not handshake.turned_out:
                self._room.refused("slow handshake")
        except OSError as error:  # TLS' own errors are such, too
            if not handshake.turned_out:
                self._room.refused("tls handshake")
                log.debug("a TLS handshake failed", error=str(error))
        finally:
            self._room.leave(handshake)
