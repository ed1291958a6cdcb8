"""GA008: code that swallows a cancellation.

Swallowing is right in one place: around the wait for a task one has just cancelled oneself. It does
little harm where the task ends at once anyway. It hurts where the loop goes on (the task cannot be
stopped), and in functions that others await (their timeouts no longer fire).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from greenroom.tasks.audit.context import Context, called_name, is_close_like, is_end_like, words
from greenroom.tasks.audit.findings import Finding, Severity
from greenroom.tasks.audit.module import Function, Module, blocks, self_attr

_CANCELLED = {
    "asyncio.CancelledError",
    "asyncio.exceptions.CancelledError",
    "concurrent.futures.CancelledError",
    "asyncio.futures.CancelledError",
}
_HANDED_ON = {"set_exception", "cancel", "set_result", "exit", "_exit", "uncancel", "cancelling", "cancelled"}


def swallowed(context: Context) -> Iterator[Finding]:
    """GA008."""
    for function in context.module.functions:
        if not function.is_async:
            continue
        for node in function.own:
            if isinstance(node, ast.Try | ast.TryStar):
                yield from _judge_try(context, function, node)
            elif isinstance(node, ast.With):
                yield from _judge_suppress(context, function, node)


def _judge_try(context: Context, function: Function, node: ast.Try | ast.TryStar) -> Iterator[Finding]:
    for handler in node.handlers:
        caught = _catches(context.module, handler.type)
        if caught is None:
            continue
        if not _awaits(node.body) or _passes_on(handler) or _waits_for_cancelled(function, node.body):
            return
        if _nothing_lost(context.module, node):
            return
        severity = _severity(context, function, node, handler, caught)
        what = {"bare": "a bare except", "base": "except BaseException"}.get(caught, "except CancelledError")
        loop = severity is not Severity.INFO and _goes_on_looping(context.module, node, handler)
        yield context.finding(
            "GA008",
            handler,
            severity=severity,
            message=f"{what} swallows the cancellation and the loop goes on: the task cannot be stopped"
            if loop
            else f"{what} swallows the cancellation: whoever cancelled cannot tell, and timeouts around "
            "this do not fire",
        )
        return


def _nothing_lost(module: Module, node: ast.AST) -> bool:
    """True for clean-up inside an `except` part that raises afterwards, and inside a cancel shield."""
    for parent in (node, *module.ancestors(node)):
        if isinstance(parent, ast.ExceptHandler) and any(isinstance(one, ast.Raise) for one in parent.body):
            return True
        if isinstance(parent, ast.With) and any("shield=True" in ast.unparse(item) for item in parent.items):
            return True
    return False


def _catches(module: Module, node: ast.expr | None) -> str | None:
    """What the handler catches: `cancel`, `base`, `bare`, or None when cancellation passes it by."""
    if node is None:
        return "bare"
    kinds = node.elts if isinstance(node, ast.Tuple) else [node]
    for kind in kinds:
        if module.resolve(kind) in _CANCELLED:
            return "cancel"
        if isinstance(kind, ast.Name) and kind.id == "BaseException":
            return "base"
    return None


def _awaits(body: list[ast.stmt]) -> bool:
    return any(isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith) for node in _walk(body))


def _walk(body: list[ast.stmt]) -> Iterator[ast.AST]:
    todo: list[ast.AST] = list(body)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            continue
        yield node
        todo.extend(ast.iter_child_nodes(node))


def _passes_on(handler: ast.ExceptHandler) -> bool:
    """True when the handler raises, or gives the exception to something other than a logger."""
    for node in _walk(handler.body):
        if isinstance(node, ast.Raise):
            return True
        if called_name(node) in _HANDED_ON or "cancel" in words(called_name(node)):
            return True
        if handler.name and isinstance(node, ast.Assign | ast.AnnAssign | ast.Return | ast.NamedExpr):
            value = node.value
            if value is not None and any(
                isinstance(inner, ast.Name) and inner.id == handler.name for inner in ast.walk(value)
            ):
                return True
        if isinstance(node, ast.Call) and handler.name and not _is_log(node):
            for arg in [*node.args, *(keyword.value for keyword in node.keywords)]:
                if isinstance(arg, ast.Name) and arg.id == handler.name:
                    return True
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("exc_info", "format_exc")):
            return True
    return False


def _is_log(call: ast.Call) -> bool:
    return called_name(call) in {
        "debug", "info", "warning", "error", "exception", "critical", "log", "print", "str", "repr", "type",
        "format", "isinstance",
    }  # fmt: skip


def _waits_for_cancelled(function: Function, body: list[ast.stmt]) -> bool:
    """True when the try only waits for tasks, and the function has cancelled something."""
    waits = [node for node in _walk(body) if isinstance(node, ast.Await)]
    for node in _walk(body):
        if isinstance(node, ast.AsyncFor) or (isinstance(node, ast.AsyncWith) and not _is_timeout(node)):
            return False
    if not all(_is_task_wait(node.value) for node in waits):
        return False
    for node in function.top().everything():
        name = called_name(node)
        if "cancel" in words(name) and name not in {"cancelled", "cancelling"}:
            return True
    return is_end_like(function.top().name)


def _is_timeout(node: ast.AsyncWith) -> bool:
    return all("timeout" in called_name(item.context_expr) for item in node.items)


def _only_waits_for_tasks(body: list[ast.stmt]) -> bool:
    """True when every await of the block is for another task, or ends something: the error may be theirs."""
    waits = [node for node in _walk(body) if isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith)]
    return all(
        isinstance(node, ast.Await) and (_is_task_wait(node.value) or is_close_like(called_name(node.value)))
        for node in waits
    )


def _is_task_wait(node: ast.expr) -> bool:
    if isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
        return True
    if isinstance(node, ast.NamedExpr):
        return _is_task_wait(node.value)
    if isinstance(node, ast.Call) and called_name(node) in {"wait_for", "gather", "shield", "wait"}:
        return all(
            _is_task_wait(arg.value if isinstance(arg, ast.Starred) else arg)
            or isinstance(arg, ast.GeneratorExp | ast.ListComp | ast.Constant)
            or (isinstance(arg, ast.Call) and called_name(arg) in {"gather", "shield", "values", "list"})
            for arg in node.args
        )
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "wait"
        and ("task" in ast.unparse(node.func.value).lower())
    )


def _goes_on_looping(module: Module, node: ast.AST, handler: ast.ExceptHandler) -> bool:
    """True when the try stands in an endless loop and the handler does not leave it."""
    told: set[str] = set()
    for inner in _walk(handler.body):
        if isinstance(inner, ast.Return | ast.Break | ast.Raise):
            return False
        if isinstance(inner, ast.Name | ast.Attribute) and isinstance(inner.ctx, ast.Store):
            told.add(ast.unparse(inner))
    for parent in module.ancestors(node):
        if isinstance(parent, ast.While | ast.For | ast.AsyncFor):
            return not _leaves_on(parent, told)
    return False


def _leaves_on(loop: ast.While | ast.For | ast.AsyncFor, told: set[str]) -> bool:
    """True when the loop ends on a variable that the handler sets (`aborted = True`)."""
    tests: list[ast.expr] = [loop.test] if isinstance(loop, ast.While) else []
    for node in _walk(loop.body):
        if isinstance(node, ast.If) and any(isinstance(last, ast.Break | ast.Return) for last in node.body):
            tests.append(node.test)
    return any(ast.unparse(node) in told for test in tests for node in ast.walk(test))


def _ends_function(module: Module, node: ast.AST) -> bool:
    """True when nothing that awaits follows the try in its function."""
    child = node
    for parent in module.ancestors(node):
        for block in blocks(parent).values():
            if isinstance(child, ast.stmt) and child in block and _awaits(block[block.index(child) + 1 :]):
                return False
        child = parent
    return True


def _severity(
    context: Context, function: Function, node: ast.Try | ast.TryStar, handler: ast.ExceptHandler, caught: str
) -> Severity:
    module = context.module
    if _goes_on_looping(module, node, handler):
        return Severity.WARNING
    if is_end_like(function.top().name) or is_end_like(function.name) or _only_waits_for_tasks(node.body):
        return Severity.INFO
    leaves = any(isinstance(inner, ast.Return | ast.Break) for inner in _walk(handler.body))
    ends = leaves or _ends_function(module, node)
    if _is_task_main(context, function) or (ends and _nobody_calls(context, function)):
        return Severity.INFO
    return Severity.WARNING


def _is_task_main(context: Context, function: Function) -> bool:
    if function in context.started or function.name in context.started_names:
        return True
    if any(isinstance(node, ast.While) and isinstance(node.test, ast.Constant) for node in function.own):
        return True  # nobody awaits an endless loop directly
    return _looks_like_task_main(function)


def _nobody_calls(context: Context, function: Function) -> bool:
    """True for a top-level handler that the file itself never awaits and that takes no coroutine to run."""
    if function.parent is not None or function.name.startswith("_") or context.call_counts[function]:
        return False
    if function.cls is None:
        return True
    return not any(self_attr(node) for node in context.module.attributes.get(function.name, ()))


def _looks_like_task_main(function: Function) -> bool:
    """A background loop by its name, or the program's own main function."""
    known = {"run", "loop", "main", "worker", "task", "background", "forever", "monitor", "watch", "watcher"}
    known |= {
        "consume",
        "consumer",
        "reader",
        "writer",
        "listen",
        "listener",
        "heartbeat",
        "keepalive",
        "serve",
    }
    known |= {"periodic", "poll", "handler", "pump", "keep", "alive", "lifespan", "routine", "job"}
    return bool(words(function.name) & known)


def _judge_suppress(context: Context, function: Function, node: ast.With) -> Iterator[Finding]:
    module = context.module
    for item in node.items:
        call = item.context_expr
        if not isinstance(call, ast.Call) or module.resolve(call.func) != "contextlib.suppress":
            continue
        kinds = {_catches(module, arg) for arg in call.args} - {None}
        if not kinds or not _awaits(node.body) or _waits_for_cancelled(function, node.body):
            continue
        if _nothing_lost(module, node):
            continue
        main = _is_task_main(context, function) and not _in_while(module, node)
        quiet = main and _ends_function(module, node)
        if is_end_like(function.top().name) or is_end_like(function.name) or _only_waits_for_tasks(node.body):
            quiet = True
        yield context.finding(
            "GA008",
            node,
            severity=Severity.INFO if quiet else Severity.WARNING,
            message="suppress(CancelledError) hides the cancellation of this very task: whoever cancelled "
            "cannot tell, and timeouts around this do not fire",
        )


def _in_while(module: Module, node: ast.AST) -> bool:
    return any(isinstance(parent, ast.While | ast.For | ast.AsyncFor) for parent in module.ancestors(node))
