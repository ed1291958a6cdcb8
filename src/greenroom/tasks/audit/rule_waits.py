"""GA006: closing without a deadline. GA007: errors that gather() collects for nobody."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from greenroom.tasks.audit.context import (
    Context,
    called_name,
    has_timeout,
    in_finally,
    is_close_like,
    is_end_like,
    under_deadline,
    words,
)
from greenroom.tasks.audit.findings import Finding, Severity
from greenroom.tasks.audit.module import Function, dotted, position, self_attr


def close_without_deadline(context: Context) -> Iterator[Finding]:
    """GA006."""
    module = context.module
    for function in module.functions:
        if not function.is_async or not is_close_like(function.top().name):
            continue
        cancelled = {
            text
            for node in function.own
            if isinstance(node, ast.Call) and called_name(node) == "cancel"
            if isinstance(node.func, ast.Attribute) and (text := dotted(node.func.value))
        }
        for node in function.own:
            if not isinstance(node, ast.Await) or under_deadline(module, node):
                continue
            value = node.value
            name = module.resolve(value.func) if isinstance(value, ast.Call) else None
            if isinstance(value, ast.Call) and name == "asyncio.wait":
                if not has_timeout(value) and len(value.args) < 2:
                    inside = _waits_for_closing(context, value, function)
                    yield context.finding("GA006", value, severity=Severity.INFO if inside else None)
            elif isinstance(value, ast.Call) and name == "asyncio.gather" and cancelled:
                yield context.finding(
                    "GA006",
                    value,
                    severity=Severity.INFO,
                    message="closing waits for cancelled tasks without a deadline: one that swallows its "
                    "cancellation hangs the shutdown",
                )
            elif dotted(value) in cancelled:
                yield context.finding(
                    "GA006",
                    node,
                    severity=Severity.INFO,
                    message="closing waits for the cancelled task without a deadline: it hangs if the task "
                    "swallows its cancellation",
                )


def _waits_for_closing(context: Context, wait: ast.Call, function: Function) -> bool:
    """True when it waits for close() calls it has just started: those may have a deadline of their own."""
    started = [spawn for spawn in context.spawns.of_function(function) if spawn.coro is not None]
    if not started or not wait.args or not isinstance(wait.args[0], ast.Name | ast.ListComp | ast.List):
        return False
    names = [called_name(spawn.coro) for spawn in started if spawn.coro is not None]
    return all(is_end_like(name) or name == "wait_closed" for name in names)


def errors_ignored(context: Context) -> Iterator[Finding]:
    """GA007."""
    module = context.module
    for call in module.calls:
        if module.resolve(call.func) != "asyncio.gather" or not _returns_exceptions(call):
            continue
        awaiting = module.parents.get(call)
        if not isinstance(awaiting, ast.Await):
            continue
        statement = module.parents.get(awaiting)
        function = module.owner.get(call)
        if not _is_ignored(statement, function):
            continue
        if function is not None and _is_clean_up(context, call, function):
            continue
        kept = function is not None and all(_holds_kept_tasks(arg, function) for arg in call.args)
        yield context.finding("GA007", call, severity=Severity.INFO if kept else None)


def _holds_kept_tasks(arg: ast.expr, function: Function) -> bool:
    """True for `*self._tasks` and for a local taken from it: those tasks have an owner elsewhere."""
    value = arg.value if isinstance(arg, ast.Starred) else arg
    if isinstance(value, ast.Name):
        sources = [
            node.value
            for node in function.own
            if isinstance(node, ast.Assign)
            and any(isinstance(target, ast.Name) and target.id == value.id for target in node.targets)
        ]
        return bool(sources) and all(_holds_kept_tasks(source, function) for source in sources)
    if not any(self_attr(node) for node in ast.walk(value)):
        return False
    plain = {"list", "tuple", "set", "values", "copy", "done", "items"}
    return all(called_name(node) in plain for node in ast.walk(value) if isinstance(node, ast.Call))


def _returns_exceptions(call: ast.Call) -> bool:
    return any(
        keyword.arg == "return_exceptions"
        and isinstance(keyword.value, ast.Constant)
        and keyword.value.value is True
        for keyword in call.keywords
    )


def _is_ignored(statement: ast.AST | None, function: Function | None) -> bool:
    if isinstance(statement, ast.Expr):
        return True
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1 and function is not None:
        target = statement.targets[0]
        if isinstance(target, ast.Name):
            return not any(
                isinstance(node, ast.Name) and node.id == target.id and isinstance(node.ctx, ast.Load)
                for node in function.everything()
            )
    return False


def _is_clean_up(context: Context, call: ast.Call, function: Function) -> bool:
    """Waiting for tasks just cancelled, or for many close() calls: their errors are rarely of use."""
    module = context.module
    name = function.top().name
    if is_end_like(name) or "closed" in words(name) or in_finally(module, call):
        return True
    for node in function.everything():
        if words(called_name(node)) & {"cancel", "throw"} and position(node) < position(call):
            return True
    watched = "add_done_callback"  # each task tells its error itself
    if any(
        called_name(node) == watched for found in module.reachable([function]) for node in found.everything()
    ):
        return True
    jobs = [node for arg in call.args for node in ast.walk(arg) if isinstance(node, ast.Call)]
    if any(is_end_like(called_name(job)) for job in jobs):
        return True
    return any(_reports_itself(module.target(job.func, function)) for job in jobs)


def _reports_itself(job: Function | None) -> bool:
    """True when the gathered function handles its own errors: by a decorator, or one try around it all."""
    if job is None or isinstance(job.node, ast.Lambda):
        return False
    for decorator in job.node.decorator_list:
        if words(ast.unparse(decorator)) & {"log", "logged", "exceptions", "exception", "errors", "catch"}:
            return True
    for statement in job.body:
        if isinstance(statement, ast.Try):
            kinds = {dotted(handler.type) for handler in statement.handlers}
            if kinds & {None, "Exception", "BaseException"}:
                return True
    return False
