"""GA001: tasks nobody keeps. GA012: tasks that exist only to queue at a semaphore.

Ruff's RUF006 sees a bare `asyncio.create_task(...)` statement. Most dropped tasks look different:
in a lambda given to a callback, through a helper that returns the task to a caller who ignores it,
in a local that only gets a callback, or in a wrapper that every part of the program calls.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from greenroom.tasks.audit.context import Context, called_name
from greenroom.tasks.audit.findings import Finding, Severity
from greenroom.tasks.audit.module import Function
from greenroom.tasks.audit.spawns import HIDDEN_STARTERS, Kind, Spawn

_RUNNERS = {"run_forever", "run_until_complete", "run_app"}


def dropped(context: Context) -> Iterator[Finding]:
    """GA001."""
    for spawn in context.spawns.all:
        if not spawn.dropped:
            continue
        severity, message = _judge(context, spawn)
        yield context.finding("GA001", spawn.node, severity=severity, message=message)


def _judge(context: Context, spawn: Spawn) -> tuple[Severity, str]:
    if spawn.function is not None and spawn.function.top().name == "__del__":
        return Severity.INFO, "a last resort in __del__: the task may never run when the loop is closing"
    if isinstance(spawn.node, ast.Call) and context.module.resolve(spawn.node.func) in HIDDEN_STARTERS:
        if called_name(spawn.node) == "gather":
            return (
                Severity.ERROR,
                "gather() is not awaited: nobody can cancel what it starts, errors come late",
            )
        return Severity.INFO, "the future is dropped: the coroutine's error is never seen by anybody"
    if _is_script(context, spawn.function):
        return Severity.INFO, "a script's main task is dropped: its error is reported late, if at all"
    if spawn.via is not None:
        return (
            Severity.WARNING,
            f"{spawn.via.name}() returns the task it starts, and this caller drops it",
        )
    if Kind.CALLBACK in spawn.kinds():
        return (
            Severity.WARNING,
            "the task has a callback but no owner: nobody can cancel it, and it can be collected half-way",
        )
    if any(fate.holder is not None for fate in spawn.fates):
        return (
            Severity.WARNING,
            "the task goes into a local container that nobody reads: it is dropped when the function ends",
        )
    wrapper = spawn.function
    if wrapper is not None and wrapper.name != "<lambda>" and wrapper.parent is None:
        calls = context.call_counts[wrapper]
        if calls > 1 and len(wrapper.body) <= 6:
            return (
                Severity.ERROR,
                f"wrapper that starts and forgets: {wrapper.name}() is called {calls} times here, and "
                "nobody can cancel the tasks it starts",
            )
    return Severity.ERROR, (
        "a task is started and dropped: nobody can cancel it, its error comes late or never, "
        "and it can be collected half-way"
    )


def _is_script(context: Context, function: Function | None) -> bool:
    """True when the loop is run to its end beside the spawn: the task lives as long as the program."""
    nodes = function.own if function is not None else context.module.nodes
    return any(
        isinstance(node, ast.Call)
        and called_name(node) in _RUNNERS
        and context.module.owner.get(node) is function
        for node in nodes
    )


def unbounded_waiters(context: Context) -> Iterator[Finding]:
    """GA012."""
    names = context.semaphore_names()
    for spawn in context.spawns.all:
        if not isinstance(spawn.coro, ast.Call) or spawn.via is not None:
            continue
        if not _in_loop(context, spawn.node):
            continue
        job = context.module.target(spawn.coro.func, spawn.function)
        if job is None or not _opens_with_semaphore(job, names):
            continue
        if spawn.function is not None and _acquires(spawn.function):
            continue
        yield context.finding("GA012", spawn.node)


def _in_loop(context: Context, node: ast.AST) -> bool:
    loops = ast.For | ast.AsyncFor | ast.While | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
    return any(isinstance(parent, loops) for parent in context.module.ancestors(node))


def _opens_with_semaphore(job: Function, names: set[str]) -> bool:
    for statement in job.body[:3]:
        if isinstance(statement, ast.AsyncWith):
            for item in statement.items:
                expr = item.context_expr
                last = expr.attr if isinstance(expr, ast.Attribute) else getattr(expr, "id", "")
                if last in names or "semaphore" in str(last).lower() or str(last).lower() in {"sem", "_sem"}:
                    return True
    return False


def _acquires(function: Function) -> bool:
    return any(isinstance(node, ast.Await) and called_name(node.value) == "acquire" for node in function.own)
