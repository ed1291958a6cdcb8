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
from greenroom.tasks.audit.module import Function, Module, dotted, position, self_attr


def close_without_deadline(context: Context) -> Iterator[Finding]:
    """GA006."""
    module = context.module
    for function in module.functions:
        if not function.is_async:
            continue
        closing = is_close_like(function.top().name)
        for node in function.own:
            if not isinstance(node, ast.Await) or under_deadline(module, node):
                continue
            value = node.value
            name = module.resolve(value.func) if isinstance(value, ast.Call) else None
            cancelled = _cancelled_before(function, node)
            if isinstance(value, ast.Call) and name == "asyncio.wait":
                if has_timeout(value) or len(value.args) > 1:
                    continue
                ending = closing or _waits_for_many(value, cancelled)
                if ending and not _returns_early(value):
                    inside = _waits_for_closing(context, value, function)
                    yield context.finding("GA006", value, severity=Severity.INFO if inside else None)
                elif not _returns_early(value):
                    yield context.finding(
                        "GA006",
                        value,
                        severity=Severity.INFO,
                        message="wait() without a deadline: one task that never ends holds this for ever",
                    )
            elif not closing or not cancelled:
                continue
            elif isinstance(value, ast.Call) and name == "asyncio.gather":
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


def _waits_for_many(wait: ast.Call, cancelled: set[str]) -> bool:
    """True when it waits for the tasks just cancelled, as they come: a list, not `[task]`."""
    if not wait.args or isinstance(wait.args[0], ast.List | ast.Set | ast.Tuple):
        return False
    return any(dotted(node) in cancelled for node in ast.walk(wait.args[0]))


def _cancelled_before(function: Function, wait: ast.Await) -> set[str]:
    """What the function has called `.cancel()` on before this wait, by dotted name; loops name their source."""
    found = _receivers_of_cancel(function, wait)
    for node in function.own:
        if isinstance(node, ast.For | ast.comprehension):
            names = {inner.id for inner in ast.walk(node.target) if isinstance(inner, ast.Name)}
            if names & {text.partition(".")[0] for text in found}:
                found |= {text for inner in ast.walk(node.iter) if (text := dotted(inner))}
    return found


def _receivers_of_cancel(function: Function, wait: ast.Await) -> set[str]:
    return {
        text
        for node in function.own
        if isinstance(node, ast.Call) and called_name(node) == "cancel" and position(node) < position(wait)
        if isinstance(node.func, ast.Attribute) and (text := dotted(node.func.value))
    }


def _returns_early(wait: ast.Call) -> bool:
    """True for return_when=FIRST_COMPLETED or FIRST_EXCEPTION."""
    return any(
        keyword.arg == "return_when" and "ALL_COMPLETED" not in ast.unparse(keyword.value)
        for keyword in wait.keywords
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
        function = module.owner.get(call)
        if not _is_thrown_away(module, call, function):
            continue
        if function is not None and _is_clean_up(context, call, function):
            continue
        kept = function is not None and all(_holds_kept_tasks(module, arg, function) for arg in call.args)
        yield context.finding("GA007", call, severity=Severity.INFO if kept else None)


def _holds_kept_tasks(module: Module, arg: ast.expr, function: Function) -> bool:
    """True for `*self._tasks`, a module's own set, and a local taken from them: they have an owner elsewhere."""
    value = arg.value if isinstance(arg, ast.Starred) else arg
    if isinstance(value, ast.Name):
        sources = [
            node.value
            for node in function.own
            if isinstance(node, ast.Assign)
            and any(isinstance(target, ast.Name) and target.id == value.id for target in node.targets)
        ]
        if not sources and module.is_global(value.id, function):
            return True
        return bool(sources) and all(_holds_kept_tasks(module, source, function) for source in sources)
    if not any(
        self_attr(node) or (isinstance(node, ast.Name) and module.is_global(node.id, function))
        for node in ast.walk(value)
    ):
        return False
    plain = {"list", "tuple", "set", "values", "copy", "done", "items", "get", "wrap_future"}
    return all(called_name(node) in plain for node in ast.walk(value) if isinstance(node, ast.Call))


def _returns_exceptions(call: ast.Call) -> bool:
    return any(
        keyword.arg == "return_exceptions"
        and isinstance(keyword.value, ast.Constant)
        and keyword.value.value is True
        for keyword in call.keywords
    )


def _is_thrown_away(module: Module, value: ast.expr, function: Function | None) -> bool:
    """True when the future is awaited and nobody reads what comes out, also through wait_for or a local."""
    parent = module.parents.get(value)
    if isinstance(parent, ast.Await):
        statement = module.parents.get(parent)
        if isinstance(statement, ast.Expr):
            return True
        reads = _reads(statement, function)
        return reads is not None and not reads
    if isinstance(parent, ast.Call) and module.resolve(parent.func) in {"asyncio.wait_for", "asyncio.shield"}:
        return bool(parent.args) and parent.args[0] is value and _is_thrown_away(module, parent, function)
    reads = _reads(parent, function)
    return bool(reads) and all(_is_thrown_away(module, node, function) for node in reads or ())


def _reads(statement: ast.AST | None, function: Function | None) -> list[ast.Name] | None:
    """The places that read the locals the statement assigns to; None when it assigns to anything else."""
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1 or function is None:
        return None
    target = statement.targets[0]
    targets = target.elts if isinstance(target, ast.Tuple) else [target]
    names = {item.id for item in targets if isinstance(item, ast.Name)}
    if len(names) != len(targets):
        return None
    return [
        node
        for node in function.everything()
        if isinstance(node, ast.Name) and node.id in names and isinstance(node.ctx, ast.Load)
    ]


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
    sources = [*call.args, *_filled_with(call, function)]
    jobs = [node for source in sources for node in ast.walk(source) if isinstance(node, ast.Call)]
    if any(is_end_like(called_name(job)) for job in jobs):
        return True
    return any(_reports_itself(module.target(job.func, function)) for job in jobs)


def _filled_with(call: ast.Call, function: Function) -> Iterator[ast.expr]:
    """What was put into the local lists that are gathered: `jobs.append(work())`, `jobs = [work()]`."""
    given = [arg.value if isinstance(arg, ast.Starred) else arg for arg in call.args]
    names = {arg.id for arg in given if isinstance(arg, ast.Name)}
    for node in function.own:
        if isinstance(node, ast.Assign) and any(
            getattr(target, "id", "") in names for target in node.targets
        ):
            yield node.value
        elif (
            isinstance(node, ast.Call)
            and called_name(node) in {"append", "add", "extend"}
            and node.args
            and getattr(getattr(node.func, "value", None), "id", "") in names
        ):
            yield node.args[0]


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
