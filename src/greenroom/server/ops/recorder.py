"""What happens, written down as it happens: visits, replies of this second, closes. Plain data; no clock ticks
here.

It is told by `server.metrics`, which everything that is counted passes.
"""

from __future__ import annotations

from collections.abc import Callable
from time import time

from greenroom.server.ops.messages import OpsClose, OpsVisits
from greenroom.server.ops.ring import Latest, Ring
from greenroom.sessions.services import TurnEnd
from greenroom.tasks import CloseReport

MOST_REPLIES = 2000
"""Replies of one second that are kept for its percentiles; further ones are only counted."""
OWNERS_DEPTH = 2
"""Closes of `server/clients/client 7f3a…` are told, those of what it owned are in its report."""


class Recorder:
    """The server's recent past.

    Args:
        visits, closes: how many of each are kept.
        now: Unix seconds.
    """

    def __init__(self, visits: int, closes: int, now: Callable[[], float] = time) -> None:
        self._now = now
        self.awake = False
        """Set once the server is open: what it does to warm up is nobody's visit."""
        self.turns_running = 0
        self.abandoned = 0
        self.closes: Latest[OpsClose] = Latest(closes)
        self.visits_total = 0
        self._visits = Ring(visits, ("n", "t", "first_reply_ms", "reply_ms"))
        self._words: Latest[tuple[str, str]] = Latest(visits)
        self._replies: list[float] = []
        self._replies_count = 0
        self.on_turns: Callable[[int], None] = lambda running: None
        """Called when the first turn begins and when the last one has ended, with how many run."""

    # -- told by the metrics -------------------------------------------------------------------------------

    def turn_began(self) -> None:
        self.turns_running += 1
        if self.turns_running == 1:
            self.on_turns(1)

    def turn_ended(self, turn: TurnEnd) -> None:
        self.turns_running -= 1
        if not self.turns_running:
            self.on_turns(0)
        first = turn.first_reply_seconds
        if first is not None:
            self._replies_count += 1
            if len(self._replies) < MOST_REPLIES:
                self._replies.append(first * 1000)
        if turn.visit and self.awake:
            self.visits_total += 1
            self._visits.append(
                {
                    "n": self.visits_total,
                    "t": round(self._now(), 1),
                    "first_reply_ms": None if first is None else round(first * 1000, 2),
                    "reply_ms": round(turn.seconds * 1000, 2),
                }
            )
            self._words.append((turn.how, turn.character))

    def scope_closed(self, report: CloseReport) -> None:
        if not self.awake or report.scope.count("/") > OWNERS_DEPTH:
            return
        self.closes.append(
            OpsClose(
                owner=report.scope,
                t=round(self._now(), 1),
                duration_ms=round(report.seconds * 1000, 2),
                reason=report.reason,
                ended=report.ended,
                dropped=report.dropped,
                scopes=report.scopes,
                abandoned=[f"{info.owner}/{info.name}" for info in report.abandoned],
            )
        )

    # -- asked by the sampler and the answers --------------------------------------------------------------

    def take_replies(self) -> tuple[list[float], int]:
        """First replies in ms since the last call, and how many there were."""
        found, self._replies = self._replies, []
        count, self._replies_count = self._replies_count, 0
        return found, count

    def visits(self, since: int = 0) -> OpsVisits:
        """The visits that are kept, or those after number `since`."""
        kept = len(self._visits)
        skip = max(0, kept - (self.visits_total - since))
        words = self._words.since(since)
        column = self._visits.column
        return OpsVisits(
            n=[int(number or 0) for number in column("n", skip)],
            t=[moment or 0.0 for moment in column("t", skip)],
            first_reply_ms=column("first_reply_ms", skip),
            reply_ms=[milliseconds or 0.0 for milliseconds in column("reply_ms", skip)],
            how=[how for how, _ in words],
            character=[character for _, character in words],
        )

    @property
    def closes_total(self) -> int:
        return self.closes.total


def percentile(values: list[float], share: float) -> float | None:
    """The nearest-rank percentile; None of nothing."""
    if not values:
        return None
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]
