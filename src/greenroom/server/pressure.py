"""Whether the process has room for one more connection; if not, it is refused before the system fails.

Asked when somebody connects, so nothing polls. Descriptors: the system gives out the lowest free number, so the
number of a new socket tells how many are open at least. Memory: what the process holds is read from the system,
which takes some twenty microseconds, and not more often than a few times a second, however many knock.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from time import monotonic

import psutil
import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from greenroom.server.socket_protocol import SCOPE_KEY
from greenroom.sessions.refusal_log import RefusalLog

__all__ = ["Pressure", "PressureGate", "raise_descriptor_limit"]

log = structlog.stdlib.get_logger("greenroom.server")

FRESH = 0.25
"""Seconds for which a reading of the memory counts."""
MIB = 1024 * 1024
FEWEST, MOST = 16, 256
"""Descriptors kept back for files, providers and health checks: an eighth of all, within these bounds."""

Refusal = tuple[int, str]
"""A close code, and the reason."""


def raise_descriptor_limit() -> int | None:
    """Raise the soft limit on open descriptors to the hard one; returns what holds now, None without any."""
    if sys.platform == "win32":
        return None
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError) as error:  # macOS has a lower limit that it does not tell
            log.debug("the limit on open files stays as it is", limit=soft, error=str(error))
        else:
            soft = hard
    return None if soft == resource.RLIM_INFINITY else soft


def _rss() -> int:
    return psutil.Process().memory_info().rss


class Pressure:
    """Decides about new connections.

    Args:
        max_rss_mb: resident memory in MiB above which nobody is let in; 0 for no limit.
        descriptors: how many the process may have open; None for no limit.
    """

    def __init__(
        self,
        max_rss_mb: int,
        descriptors: int | None,
        *,
        rss: Callable[[], int] = _rss,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._max_rss_mb = max_rss_mb
        self._rss = rss
        self._clock = clock
        self._rss_mb = 0
        self._read_at = float("-inf")
        self.descriptors = descriptors
        self.reserve = 0 if descriptors is None else max(FEWEST, min(MOST, descriptors // 8))

    def refusal(self, descriptor: int | None) -> Refusal | None:
        """Why a connection with this descriptor cannot be served; None if it can."""
        if self.descriptors is not None and descriptor is not None:
            room = self.descriptors - self.reserve
            if descriptor >= room:
                return 1013, (
                    f"{descriptor} files and connections are open, of {self.descriptors} allowed; "
                    "try again later (ulimit -n raises it)"
                )
        reason = self.memory()
        return (1013, reason) if reason is not None else None

    def memory(self) -> str | None:
        """Why there is no memory for more; None if there is."""
        if not self._max_rss_mb:
            return None
        now = self._clock()
        if now - self._read_at >= FRESH:
            self._read_at = now
            self._rss_mb = self._rss() // MIB
        if self._rss_mb < self._max_rss_mb:
            return None
        return f"the server uses {self._rss_mb} MiB, of {self._max_rss_mb} allowed; try again later"


class PressureGate:
    """Wraps the application: WebSockets that find no room are told so and closed, everything else passes."""

    def __init__(
        self, app: ASGIApp, pressure: Pressure, refused: Callable[[str], None], refusals: RefusalLog
    ) -> None:
        self._app = app
        self._log = refusals
        self._pressure = pressure
        self._refused = refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            socket = scope.get(SCOPE_KEY)
            refusal = self._pressure.refusal(socket.descriptor if socket is not None else None)
            if refusal is not None:
                await self._refuse(*refusal, scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _refuse(self, code: int, reason: str, scope: Scope, receive: Receive, send: Send) -> None:
        address = (scope.get("client") or ("", 0))[0]
        self._log.warn(
            log, "pressure", "connection refused", address=address, path=scope.get("path"), reason=reason
        )
        self._refused("pressure")
        await receive()
        # Accepted first: a browser shows a page no code and no reason of a handshake that fails.
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": code, "reason": reason})
