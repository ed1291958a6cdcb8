"""What a soak writes down: visits, samples of the server's processes, quiet windows. Plain data, JSON
both ways.

Times are seconds, sizes bytes, rates per second. None: not measured, or not measurable there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

FORMAT = 1
"""Version of the JSON; raised when a field changes its meaning."""


@dataclass
class Visit:
    """One opened page, from the handshake to the close."""

    number: int
    manner: str
    """How it behaved: polite, silent, early, late, burst, switch, half-open, room."""
    after: str = "calm"
    """What went before: `calm`, or the manner of the abrupt visits just before."""
    began: float = 0.0
    """Since the run began."""
    connect: float | None = None
    """TCP and handshake."""
    opened: float | None = None
    """From the handshake to the last answer to what a page asks when it opens."""
    first_reply: float | None = None
    whole_reply: float | None = None
    pace: float | None = None
    """Median pause between two parts of the reply."""
    switched: float | None = None
    """From a character switch to its announcement."""
    starts: int = 0
    """Turns that were announced…"""
    ends: int = 0
    """… and those whose end was announced."""
    sent: int = 0
    """Messages that ask for a reply."""
    sound: bool = False
    """The reply came with sound."""
    timed_out: bool = False
    error: str | None = None
    bystander: float | None = None
    """Worst round trip of the bystander page while this visit went on, less the time in which the lab or the
    server could not run because others had the cores."""
    stall: float | None = None
    """The same from when the page was open: what the conversation does to others."""
    cpu: float | None = None
    """CPU time of the server during the visit."""
    reads: int | None = None
    """Read calls of the server from the connect to when the page was open."""
    waited: float | None = None
    """How long the server and the lab were ready to run during the visit, but others had the cores."""


@dataclass
class Sample:
    """The server's processes at one moment."""

    visit: int
    """How many visits had been made."""
    at: float
    cpu: float | None = None
    memory: int | None = None
    threads: int | None = None
    fds: int | None = None
    fd_kinds: dict[str, int] = field(default_factory=dict)
    children: int | None = None
    reparented: int | None = None
    child_memory: int | None = None
    tasks: int | None = None
    """As the server tells, if it does."""
    reads: int | None = None
    """Read calls so far."""
    read_bytes: int | None = None


@dataclass
class Quiet:
    """A window in which the lab did nothing: what the server does then, it does by itself."""

    visit: int
    after: str
    """`rest` after a polite visit, else the manner of the abrupt visits just before."""
    seconds: float
    cpu: float
    """Share of one core."""
    wanted: float
    """The same with the time it was ready to run while others had the cores: what it would take if alone."""
    wakeups: float
    """Times a thread of the server was put on a core, per second."""
    child_cpu: float = 0.0
    """Share of one core that processes took which were born since the beginning."""


@dataclass
class Run:
    """Everything one soak saw."""

    url: str
    mode: str
    server: str = ""
    """What was measured, in words."""
    began: str = ""
    """ISO 8601, UTC."""
    machine: str = ""
    greenroom: str = ""
    seconds: float = 0.0
    patience: float = 0.0
    parallel: int = 1
    pid: int | None = None
    visits: list[Visit] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    quiets: list[Quiet] = field(default_factory=list)
    died: int | None = None
    """The visit after which the server's process was gone."""
    recovery: list[float] = field(default_factory=list)
    """First replies after the visits, when the server had been left alone for a while (abrupt mode)."""
    let_go: list[float] = field(default_factory=list)
    """Seconds after which the server closed the connections of peers that had vanished…"""
    kept: list[float] = field(default_factory=list)
    """… and for how long it has kept those it still had at the end."""
    restart: dict[str, float] = field(default_factory=dict)
    """First replies `before` and `after` a restart, if one was asked for."""
    notes: list[str] = field(default_factory=list)
    format: int = FORMAT


class NotARun(ValueError):
    """A file that is no run of this version; the text says why."""


def save(document: dict[str, Any], path: Path) -> None:
    """Write `{"run": …, "verdict": …}` as JSON."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n")


def load(path: Path) -> Run:
    """Read the run out of a file written by `save`. Raises NotARun, and OSError if it cannot be read."""
    try:
        document = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
        run = msgspec.convert(document["run"], Run)
    except (msgspec.DecodeError, KeyError, TypeError) as error:
        raise NotARun(f"{path} is no result of greenroom soak --json: {error}") from error
    if run.format != FORMAT:
        raise NotARun(f"{path} has format {run.format}, this version reads {FORMAT}: measure again")
    return run
