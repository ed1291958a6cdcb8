"""What the routes of the ops room answer, for `/openapi.json`."""

from __future__ import annotations

from greenroom.server.openapi import HTML, JSON, NAME, SAID, Answer, Operation, Parameter, ProblemAnswer
from greenroom.server.ops.messages import (
    OpsError,
    OpsExport,
    OpsSoak,
    OpsSoakStarted,
    OpsStack,
    OpsState,
    OpsTree,
)
from greenroom.server.ops.soak import MODES, VISITS
from greenroom.server.ops.tree import CURSOR

WRONG = {JSON: OpsError}

PAGE = Operation(
    "GET", "ops-page", "The ops room's page.",
    {200: Answer("The page.", {HTML: SAID}), 304: Answer("It is what you have.")}, needs="ops", tag="ops",
)  # fmt: skip
STATE = Operation(
    "GET", "ops-state", "Everything the page shows but the tree.",
    {200: Answer("As it is now.", {JSON: OpsState})}, needs="ops", tag="ops",
)  # fmt: skip
EVENTS = Operation(
    "GET", "ops-events", "The same as a stream of server-sent events that does not end (docs/ops.md).",
    {
        200: Answer("`state`, and then whatever is new each second.", {"text/event-stream": SAID}),
        503: Answer("Too many watch already.", WRONG, {"Retry-After": "In seconds."}),
    },
    needs="ops", tag="ops",
)  # fmt: skip
STACK = Operation(
    "GET", "ops-stack", "Where a task stands.",
    {200: Answer("Outermost first.", {JSON: OpsStack}), 404: Answer("There is no such task any more.", WRONG)},
    [Parameter("id", "path", "As in the tree.", NAME, example="1-1")], needs="ops", tag="ops",
)  # fmt: skip
CANCEL_SOAK = Operation(
    "DELETE", "cancel-soak", "End the soak that runs.",
    {200: Answer("As it ended.", {JSON: OpsSoak}), 404: Answer("None runs.", WRONG)}, needs="ops", tag="ops",
)  # fmt: skip
EXPORT = Operation(
    "GET", "ops-export", "State and tree as a file to keep.",
    {200: Answer("The file.", {JSON: OpsExport}, {"Content-Disposition": "Its name, with the date."})},
    needs="ops", tag="ops",
)  # fmt: skip
NOTHING = Operation(
    "GET", "ops-nothing", "Nothing else is here.", {404: Answer("Nothing is here.", WRONG)},
    [Parameter("path", "path", "Any.", NAME, example="nothing")], needs="ops", tag="ops",
)  # fmt: skip


def tree(most: int) -> Operation:
    """A page of the tree has `most` owners and tasks."""
    limit = {"type": "integer", "minimum": 1, "maximum": most}
    parameters = [
        Parameter(
            "after", "query", "The `next` of the page before.", {"type": "string", "pattern": f"^{CURSOR}$"}
        ),
        Parameter(
            "limit", "query", "Owners and tasks on a page (`ops.tree_nodes`).", limit, example=min(50, most)
        ),
    ]
    answers = {200: Answer("A page.", {JSON: OpsTree}), 422: Answer("A parameter is wrong.", WRONG)}
    return Operation(
        "GET", "ops-tree", "Owners and tasks, page by page.", answers, parameters, needs="ops", tag="ops"
    )


def start_soak(most: int) -> Operation:
    """A soak has at most so many visits."""
    schema = {
        "type": "object",
        "properties": {
            "visits": {
                "type": ["integer", "null"],
                "minimum": 1,
                "maximum": most,
                "default": min(VISITS, most),
            },
            "mode": {"enum": list(MODES), "default": "mixed"},
        },
        "additionalProperties": False,
    }
    answers = {
        202: Answer("It has begun.", {JSON: OpsSoakStarted}),
        403: Answer("Soaks are switched off (`ops.soak`).", {JSON: ProblemAnswer}),
        409: Answer("One runs already.", WRONG),
        413: Answer("A body of more than 4096 bytes.", WRONG),
        422: Answer("A field is wrong.", WRONG),
        503: Answer("The server shuts down.", WRONG),
    }
    return Operation(
        "POST",
        "start-soak",
        "Start a soak against this server.",
        answers,
        body={JSON: schema},
        needs="ops",
        tag="ops",
    )
