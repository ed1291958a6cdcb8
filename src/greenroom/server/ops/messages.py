"""What the ops room tells: the answers of `/ops/*` and the events of its stream.

The page's types are generated from these classes (`python -m greenroom.server.ops.schema`). Series are
columnar: lists of equal length, one entry a sample or visit, oldest first. Times `t` are Unix seconds; a name
ends with its unit. Nothing here carries what anybody said: only names of characters, rooms and clients.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

VerdictState = Literal["flat", "growing", "step", "not_enough"]
SoakState = Literal["running", "finished", "cancelled", "failed"]


class OpsSample(Struct, frozen=True):
    """One second of the server. A reply time is None in a second in which nobody was answered."""

    t: float
    reply_ms_p50: float | None
    """First replies of this second, of all turns: from a message to its first sentence; the median."""
    reply_ms_p95: float | None
    replies: int
    tasks: int
    rss_mb: float
    cpu_pct: float
    """Of one core."""
    loop_lag_ms: float
    """How late the loop came to a timer."""
    slots_busy: int
    slots_waiting: int
    queue_waiting: int
    """Messages that wait in the queues of all rooms."""
    clients: int
    viewers: int
    threads: int
    fds: int
    tasks_by_kind: dict[str, int]
    """Background tasks alive, by the branch of the tree they live in."""


class OpsSamples(Struct, frozen=True):
    """Many samples, by column. In the coarse ones gauges are means, lag and what waits the worst of the step."""

    step_s: float
    t: list[float]
    reply_ms_p50: list[float | None]
    reply_ms_p95: list[float | None]
    replies: list[int]
    tasks: list[float]
    rss_mb: list[float]
    cpu_pct: list[float]
    loop_lag_ms: list[float]
    slots_busy: list[float]
    slots_waiting: list[float]
    queue_waiting: list[float]
    clients: list[float]
    viewers: list[float]
    threads: list[float]
    fds: list[float]
    tasks_by_kind: dict[str, list[float]]


class OpsVisits(Struct, frozen=True):
    """Visits by column: pages whose first turn has ended."""

    n: list[int]
    """The number of the visit, from 1."""
    t: list[float]
    first_reply_ms: list[float | None]
    """From the visitor's first message to its first sentence; None if none came."""
    reply_ms: list[float]
    """The whole first turn."""
    how: list[str]
    """How it ended: finished, cut off, client gone."""
    character: list[str]


class OpsBaseline(Struct, frozen=True):
    """The band in which first replies lay when the server was young: median ± k · MAD (scaled to σ)."""

    low_ms: float
    median_ms: float
    high_ms: float
    visits: int
    """How many visits it is made of."""
    k: float
    character: str
    """Of whom: replies of others may take longer by nature."""


class OpsVerdictFigures(Struct, frozen=True):
    """What the hint rests on."""

    visits: int
    baseline_ms: float | None
    recent_ms: float | None
    change_ms: float | None
    """Over all visits that are kept."""
    per_100_ms: float | None
    """Per 100 visits."""
    margin_ms: float | None
    """A change below it does not matter."""
    at: int | None
    """The visit of a step."""
    needed: int
    """Visits that are needed before anything is said."""


class OpsVerdict(Struct, frozen=True):
    """Is it getting slower? A hint; `greenroom soak` gives the verdict."""

    state: VerdictState
    text_key: str
    method: str
    figures: OpsVerdictFigures


class OpsClose(Struct, frozen=True, gc=False):
    """One owner's close."""

    owner: str
    t: float
    duration_ms: float
    reason: str
    ended: int
    """Tasks that ran when it began and ended within the deadline."""
    dropped: int
    """Tasks that waited and never began."""
    scopes: int
    abandoned: list[str]


class OpsAbandoned(Struct, frozen=True):
    """A task that did not end when its owner closed, and still runs."""

    id: str
    owner: str
    name: str
    site: str
    age_s: float
    cancelled_by: str | None


class OpsQueue(Struct, frozen=True):
    """The queue of one room."""

    room: str
    waiting: int
    oldest_s: float
    active: bool
    """Whether a conversation runs."""
    viewers: int


class OpsProvider(Struct, frozen=True):
    """An engine and its slots."""

    name: str
    kind: Literal["agent", "voice"]
    busy: int
    waiting: int
    slots: int | None
    started: int
    finished: int
    aborted: int
    failed: int


class OpsSoakCause(Struct, frozen=True):
    """A defect the soak names."""

    name: str
    name_zh: str
    evidence: str
    evidence_zh: str


class OpsSoakVerdict(Struct, frozen=True):
    """What the soak found."""

    outcome: str
    """flat, growing, step, saturated, not enough visits."""
    headline: str
    headline_zh: str
    causes: list[OpsSoakCause]
    exit_code: int


class OpsSoak(Struct, frozen=True):
    """A soak that was started here: the one that runs, or the last one."""

    id: int
    state: SoakState
    mode: str
    visits: int
    """Wanted."""
    done: int
    began: float
    seconds: float
    visit: list[int]
    first_reply_ms: list[float | None]
    verdict: OpsSoakVerdict | None
    error: str | None
    """Why it failed."""


class OpsLimits(Struct, frozen=True):
    """The bounds that charts may draw."""

    connections: int
    provider_slots: int | None
    """None: no limit."""
    rooms: int
    forwards: int
    queue: int
    """Messages that may wait in one room."""
    subscribers: int
    soak_visits: int
    """The most visits of a soak from the page; 0 where it may start none."""
    fine_s: int
    coarse_s: int
    """How long each second and each half minute are kept."""
    visits: int
    closes: int
    """The latest that are kept, like the visits."""
    tree_nodes: int
    """Owners and tasks on one page of the tree."""


class OpsState(Struct, frozen=True):
    """Everything, once; the stream keeps it up to date."""

    version: str
    pid: int
    started_at: float
    uptime_s: float
    limits: OpsLimits
    samples: OpsSamples
    samples_coarse: OpsSamples
    visits: OpsVisits
    visits_total: int
    baseline: OpsBaseline | None
    verdict_hint: OpsVerdict
    tasks_by_kind: dict[str, int]
    closes: list[OpsClose]
    """Oldest first."""
    closes_total: int
    abandoned: list[OpsAbandoned]
    abandoned_total: int
    """Since the server started; `abandoned` lists those that still run."""
    queues: list[OpsQueue]
    providers: list[OpsProvider]
    soak: OpsSoak | None


class OpsCloses(Struct, frozen=True):
    """New closes, oldest first, and how many there were in all."""

    closes: list[OpsClose]
    total: int


class OpsAbandonedList(Struct, frozen=True):
    """All abandoned tasks that still run."""

    abandoned: list[OpsAbandoned]
    total: int


class OpsNewVisits(Struct, frozen=True):
    """New visits, and what they make of the hint."""

    visits: OpsVisits
    total: int
    baseline: OpsBaseline | None
    verdict_hint: OpsVerdict


class OpsQueues(Struct, frozen=True):
    """All queues and engines; sent when something about them changed."""

    queues: list[OpsQueue]
    providers: list[OpsProvider]


class OpsTask(Struct, frozen=True):
    """A task of an owner."""

    id: str
    name: str
    site: str
    """The line that started it."""
    state: str
    """waiting, running, cancelling."""
    age_s: float
    position: int
    """Its place among those that wait, from 1; 0 if it runs."""
    cancelled_by: str | None


class OpsOwner(Struct, frozen=True):
    """A scope. Owners come parents first; `depth` and `path` tell who lives in whom."""

    path: str
    name: str
    kind: str
    """server, client, room, engine …: the name without its number."""
    depth: int
    age_s: float
    open: bool
    running: int
    """Its own tasks, without those of its children."""
    waiting: int
    tasks: list[OpsTask]
    tasks_left_off: int


class OpsTree(Struct, frozen=True):
    """A page of the tree of owners."""

    t: float
    owners: list[OpsOwner]
    left_off: int
    """Owners and tasks of listed owners that did not fit on this page."""
    next: str | None
    """Give it as `after` for the next page; None on the last."""


class OpsFrame(Struct, frozen=True):
    """One line of a stack."""

    file: str
    line: int
    function: str
    code: str


class OpsStack(Struct, frozen=True):
    """Where a task stands, outermost first."""

    id: str
    name: str
    owner: str
    state: str
    frames: list[OpsFrame]
    taken_at: float


class OpsSoakRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of `POST /ops/soak`."""

    visits: int | None = None
    """None: as many as usual, which is 50 where the settings allow it."""
    mode: str = "mixed"


class OpsSoakStarted(Struct, frozen=True):
    """Its answer."""

    run: OpsSoak


class OpsProblem(Struct, frozen=True):
    """What is wrong with a request, and what to do."""

    problem: str
    fix: str
    field: str | None


class OpsError(Struct, frozen=True):
    """The body of every answer that is not a success."""

    error: OpsProblem


class OpsExport(Struct, frozen=True):
    """`GET /ops/export`."""

    exported_at: float
    state: OpsState
    tree: OpsTree


EVENTS: dict[str, type[Struct]] = {
    "state": OpsState,
    "sample": OpsSample,
    "visits": OpsNewVisits,
    "closes": OpsCloses,
    "abandoned": OpsAbandonedList,
    "queues": OpsQueues,
    "soak": OpsSoak,
}
"""Events of `/ops/events`: `state` on connecting, `sample` each second, the others with it when there is news."""
ANSWERS: tuple[type[Struct], ...] = (
    OpsState, OpsTree, OpsStack, OpsSoakRequest, OpsSoakStarted, OpsExport, OpsError,
)  # fmt: skip
