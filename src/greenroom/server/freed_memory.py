"""Memory that a busy time has left behind goes back to the system when it is quiet again.

What a program frees stays with the C library, which keeps it for later: after a storm of visitors that was some
10 MB here, for as long as the process lived. glibc gives it back when asked (`malloc_trim(3)`), within a few
milliseconds, in which others who want memory may wait; so it is asked in a quiet second, and in a thread.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable

import structlog

from greenroom.tasks import ScopeClosed, TaskScope

__all__ = ["FreedMemory", "library_trim"]

log = structlog.stdlib.get_logger("greenroom.server")

QUIET_PCT = 10.0
"""A second in which the process took less of a core than this is a quiet one."""
WORTH_MB = 4.0
"""Growth since the last time, in MiB, for which it is worth asking."""


def library_trim() -> Callable[[], object] | None:
    """What gives freed memory back; None where the C library has no such thing."""
    if sys.platform != "linux":
        return None
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return None if trim is None else lambda: trim(0)


class FreedMemory:
    """Told of the process's figures once a second (`look`).

    Args:
        scope: owns the asking, and nothing else.
        trim: asks; blocks for some milliseconds. None: nothing is ever asked.
    """

    def __init__(self, scope: TaskScope, trim: Callable[[], object] | None) -> None:
        self._scope = scope
        self._trim = trim
        self._base_mb: float | None = None

    def look(self, rss_mb: float, cpu_pct: float) -> None:
        """The resident memory now, in MiB, and the share of a core taken in the last second."""
        if self._trim is None or self._scope.load[0]:
            return  # Cannot be asked, or is being asked.
        if self._base_mb is None or rss_mb < self._base_mb:
            self._base_mb = rss_mb
        elif rss_mb >= self._base_mb + WORTH_MB and cpu_pct < QUIET_PCT:
            # Asked once, whatever comes of it: what is still there is in use, and the new base.
            self._base_mb = None
            try:
                self._scope.start(self._ask, self._trim, rss_mb, name="give memory back")
            except ScopeClosed as error:
                log.debug("memory is not given back", error=str(error))

    async def _ask(self, trim: Callable[[], object], rss_mb: float) -> None:
        await self._scope.run_in_thread(trim, name="malloc_trim")
        log.debug("freed memory was given back", rss_mb_before=rss_mb)
