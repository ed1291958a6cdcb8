"""What closing a client released, and the one log line that says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import structlog

from greenroom.tasks import CloseReport

log = structlog.stdlib.get_logger("greenroom.sessions")


@dataclass(frozen=True, slots=True)
class ContextReport:
    """What closing a client released; `seconds` is how long that took."""

    seconds: float
    tasks: CloseReport
    waiters: int
    engines: int
    wake_words: bool
    unsent: int
    failures: tuple[str, ...]

    def log(self, *, client: str, reason: str, stayed: float, quiet: bool) -> None:
        """Write the line; `quiet` for a visit of the warm-up, which is nobody's."""
        details: dict[str, Any] = {"failures": self.failures} if self.failures else {}
        level = log.debug if quiet else log.info
        level(
            "client closed",
            client=client[:8],
            reason=reason,
            stayed_s=round(stayed, 3),
            service_context="released",
            message_handler=f"{self.waiters} waiters",
            wake_word_manager="released" if self.wake_words else "none",
            tasks=f"{self.tasks.ended} ended, {len(self.tasks.abandoned)} abandoned",
            engines=f"{self.engines} released",
            unsent=self.unsent,
            close_ms=round(self.seconds * 1000, 1),
            **details,
        )
