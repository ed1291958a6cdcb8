"""What the application's own routes answer: `app.py` puts them beside the routes, `openapi.py` makes a document."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from greenroom.agents.base import EngineStatistics
from greenroom.agents.pool import PoolStatistics
from greenroom.history.records import HistoryStatistics
from greenroom.live.room import RoomStatistics
from greenroom.server.openapi import (
    JSON,
    NAME,
    SAID,
    TEXT,
    Answer,
    Content,
    Operation,
    Parameter,
    ProblemAnswer,
)
from greenroom.tasks import ScopeStatistics, State
from greenroom.voice.base import SpeechStatistics


class Alive(Struct, frozen=True):
    """The process answers. Details are for operators."""

    status: Literal["alive"]
    uptime_seconds: float | UnsetType = UNSET


class Ready(Struct, frozen=True):
    """Pages are served."""

    status: Literal["ready"]
    clients: int | UnsetType = UNSET
    histories: str | UnsetType = UNSET
    """Only if conversations are not kept: why."""


class NotReady(Struct, frozen=True):
    """Pages should go elsewhere."""

    status: Literal["not ready"]
    reason: str | UnsetType = UNSET


class Statistics(Struct, frozen=True):
    """Counts of everything that could grow."""

    uptime_seconds: float
    pid: int
    rss_bytes: int
    threads: int
    fds: int
    children: int
    clients: int
    clients_opened: int
    clients_closed: int
    tasks: ScopeStatistics
    abandoned: int
    engines: PoolStatistics
    generations: list[EngineStatistics]
    voices: list[SpeechStatistics]
    histories: HistoryStatistics
    rooms: list[RoomStatistics]


class TaskInfo(Struct, frozen=True):
    """One task: what `greenroom.tasks.JobInfo` tells, by the same names in the same order."""

    owner: str
    name: str
    site: str
    state: State
    age: float
    position: int
    cancelled_by: str | None
    stack: tuple[str, ...]


class Tasks(Struct, frozen=True):
    """Every task that runs or waits, and those that did not end when their owner closed."""

    tasks: list[TaskInfo]
    abandoned: list[TaskInfo]


class Live2dModel(Struct, frozen=True):
    """One model."""

    name: str
    avatar: str | None
    model_path: str


class Live2dModels(Struct, frozen=True):
    """The models there are (olv-protocol §15)."""

    type: Literal["live2d-models/info"]
    count: int
    characters: list[Live2dModel]


class Failed(Struct, frozen=True):
    """An error in the protocol's own shape."""

    error: str


ANY_ORIGIN = {"Access-Control-Allow-Origin": "*"}
IMAGES: Content = {f"image/{kind}": None for kind in ("gif", "jpeg", "png", "svg+xml", "webp")}
IF_NONE_MATCH = Parameter("If-None-Match", "header", "The `ETag` of what is there already.")
RANGE = Parameter("Range", "header", "A part of the file, such as `bytes=0-99`.")
UNCHANGED = Answer("It is what you have.", {}, ANY_ORIGIN)
NO_FILE = Answer("There is no such file.", {TEXT: SAID}, ANY_ORIGIN)
# From here on an answer may be that of the framework, which knows nothing of other origins.
PARTS = {
    206: Answer("A part, or several.", {"*/*": None}),
    400: Answer("A range that is none.", {TEXT: SAID}),
    416: Answer("There is no such part.", {TEXT: SAID}, {"Content-Range": "How much there is."}),
}

LIVE = Operation(
    "GET", "live", "Whether the process answers.",
    {200: Answer("It does.", {JSON: Alive})}, needs="nobody", tag="health",
)  # fmt: skip
READY = Operation(
    "GET", "ready", "Whether pages are served.",
    {200: Answer("They are.", {JSON: Ready}), 503: Answer("Not yet, or no more.", {JSON: NotReady})},
    needs="nobody", tag="health",
)  # fmt: skip
METRICS = Operation(
    "GET", "metrics", "Metrics for Prometheus.",
    {200: Answer("In its text format.", {TEXT: SAID})}, needs="ops", tag="ops",
)  # fmt: skip
STATISTICS = Operation(
    "GET", "statistics", "Counts of everything that could grow.",
    {200: Answer("As they are now.", {JSON: Statistics})}, needs="ops", tag="ops",
)  # fmt: skip
TASKS = Operation(
    "GET", "tasks", "Every background task with its owner, the line that started it, its state and age.",
    {200: Answer("10,000 at most.", {JSON: Tasks})},
    [Parameter("stacks", "query", "`1`: also where each stands.", example="1")], needs="ops", tag="ops",
)  # fmt: skip
DESCRIPTION = Operation(
    "GET", "openapi", "This document.", {200: Answer("OpenAPI 3.1.", {JSON: {"type": "object"}})}, tag="tools"
)
ASR = Operation(
    "POST", "asr", "The protocol's test of speech recognition, which this server has not.",
    {503: Answer("Always.", {JSON: Failed}, ANY_ORIGIN)}, tag="tools",
)  # fmt: skip
MODELS = Operation(
    "GET", "live2d-models", "The Live2D models there are.",
    {
        200: Answer("Each with its picture.", {JSON: Live2dModels}, ANY_ORIGIN),
        404: Answer("There is no folder of them.", {JSON: Failed}, ANY_ORIGIN),
    },
)  # fmt: skip
MODEL_FILE = Operation(
    "GET", "live2d-model-file", "A file of a Live2D model.",
    {
        **PARTS,
        200: Answer("The file.", {"*/*": None}, ANY_ORIGIN),
        304: Answer("It is what you have.", {}),
        403: Answer("The server itself may not read it."),
        404: Answer("There is no such file.", {JSON: ProblemAnswer}),
    },
    [Parameter("path", "path", "Its place in the folder, with slashes.", NAME, example="mao/mao.model3.json"),
     IF_NONE_MATCH, RANGE],
)  # fmt: skip


def web_tool(name: str) -> Operation:
    """A test page of the protocol."""
    answer = Answer("To its page.", {}, {"Location": "/web-tool/index.html"} | ANY_ORIGIN)
    return Operation("GET", name, "The protocol's test page.", {302: answer}, tag="tools")


def pictures(what: str, example: str) -> Operation:
    """A folder of pictures: the owner's first, which are served from disk, then those that come with the server."""
    return Operation(
        "GET", what, f"A picture of {what}.",
        {
            **PARTS,
            200: Answer("The picture.", IMAGES, ANY_ORIGIN),
            304: UNCHANGED,
            403: Answer("No ending of a picture.", {TEXT: SAID}),
            404: NO_FILE,
        },
        [Parameter("name", "path", "Its file's name.", NAME, example=example), IF_NONE_MATCH, RANGE],
    )  # fmt: skip


SOUND = Operation(
    "GET", "sound", "A sound that `/tts-ws` has just made.",
    {200: Answer("The sound.", {"audio/wav": None}, ANY_ORIGIN), 404: NO_FILE},
    [Parameter("name", "path", "As `/tts-ws` told it.", NAME, example="0.wav")], tag="tools",
)  # fmt: skip


def page(name: str, parameters: tuple[Parameter, ...] = ()) -> Operation:
    """The built page's files."""
    answers = {
        200: Answer("A file of the page; the page itself for what has no ending.", {"*/*": None}, ANY_ORIGIN),
        304: UNCHANGED,
        404: NO_FILE,
    }
    return Operation("GET", name, "The page and its files.", answers, (*parameters, IF_NONE_MATCH))


PAGE = page(
    "page",
    (Parameter("path", "path", "A file of the page, or any place in it.", NAME, example="index.html"),),
)
