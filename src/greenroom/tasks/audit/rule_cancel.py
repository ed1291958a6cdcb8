"""GA008: code that swallows a cancellation.

Swallowing is right in one place: around the wait for a task one has just cancelled oneself. It does
little harm where the task ends at once anyway. It hurts where the loop goes on (the task cannot be
stopped), and in functions that others await (their timeouts no longer fire).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from greenroom.tasks.audit.context import Context, called_name, is_end_like, words
from greenroom.tasks.audit.findings import Finding, Severity
from greenroom.tasks.audit.module import Function, Module, blocks, position, self_attr
from greenroom.tasks.audit.task_waits import (
    awaits,
    drains,
    in_finite_loop,
    only_waits_for_tasks,
    waits_for_cancelled,
    waits_for_own_children,
    walk_own,
)

_CANCELLED = {
    "asyncio.CancelledError",
    "asyncio.exceptions.CancelledError",
    "concurrent.futures.CancelledError",
    "asyncio.futures.CancelledError",
}
# What a comment or docstring says where swallowing is meant.
_DELIBERATE = (
    "on purpose", "deliberate", "intentional", "by design", "best effort", "best-effort", "even if this task is",
    "any further", "cannot mean", "ignoring cancel", "must complete", "must finish",
)  # fmt: skip
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
        if not awaits(node.body) or _passes_on(handler) or waits_for_cancelled(function, node.body):
            return
        if _raises_later(context.module, handler):
            return
        if _nothing_lost(context.module, node):
            return
        severity = _severity(context, function, node, handler, caught)
        if _meant(context.module, node, handler):
            severity = Severity.INFO
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
        if isinstance(parent, ast.ExceptHandler) and (
            any(isinstance(one, ast.Raise) for one in parent.body) or _raises_later(module, parent)
        ):
            return True
        if isinstance(parent, ast.With) and any("shield=True" in ast.unparse(item) for item in parent.items):
            return True
    return False


def _raises_later(module: Module, handler: ast.ExceptHandler) -> bool:
    """True when the handler sets a variable and the function raises later where that variable is set."""
    function = module.owner.get(handler)
    told = {
        node.id
        for node in walk_own(handler.body)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    if function is None or not told:
        return False
    for node in function.own:
        if isinstance(node, ast.Raise) and position(node) > position(handler):
            tests = [parent.test for parent in module.ancestors(node) if isinstance(parent, ast.If)]
            raised = [node.exc] if node.exc is not None else []
            if any(getattr(part, "id", "") in told for test in (*tests, *raised) for part in ast.walk(test)):
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


def _passes_on(handler: ast.ExceptHandler) -> bool:
    """True when the handler raises, or gives the exception to something other than a logger."""
    for node in walk_own(handler.body):
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


def _goes_on_looping(module: Module, node: ast.AST, handler: ast.ExceptHandler) -> bool:
    """True when the try stands in an endless loop and the handler does not leave it."""
    told: set[str] = set()
    for inner in walk_own(handler.body):
        if isinstance(inner, ast.Return | ast.Break | ast.Raise):
            return False
        if isinstance(inner, ast.Name | ast.Attribute) and isinstance(inner.ctx, ast.Store):
            told.add(ast.unparse(inner))
        helper = module.target(inner.func, module.owner.get(inner)) if isinstance(inner, ast.Call) else None
        told |= {ast.unparse(one) for one in (helper.everything() if helper else ()) if _is_own_store(one)}
    for parent in module.ancestors(node):
        if isinstance(parent, ast.While | ast.For | ast.AsyncFor):
            return not _leaves_on(parent, told)
    return False


def _is_own_store(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and self_attr(node) is not None


def _leaves_on(loop: ast.While | ast.For | ast.AsyncFor, told: set[str]) -> bool:
    """True when the loop ends on a variable that the handler sets (`aborted = True`)."""
    tests: list[ast.expr] = [loop.test] if isinstance(loop, ast.While) else []
    for node in walk_own(loop.body):
        if isinstance(node, ast.If) and any(isinstance(last, ast.Break | ast.Return) for last in node.body):
            tests.append(node.test)
    return any(ast.unparse(node) in told for test in tests for node in ast.walk(test))


def _ends_function(module: Module, node: ast.AST) -> bool:
    """True when nothing that awaits follows the try in its function."""
    child = node
    for parent in module.ancestors(node):
        for block in blocks(parent).values():
            if isinstance(child, ast.stmt) and child in block and awaits(block[block.index(child) + 1 :]):
                return False
        child = parent
    return True


def _severity(
    context: Context, function: Function, node: ast.Try | ast.TryStar, handler: ast.ExceptHandler, caught: str
) -> Severity:
    module = context.module
    if drains(module, node, node.body) or waits_for_own_children(module, node.body):
        return Severity.INFO
    if function.name in context.run_to_end:
        return Severity.INFO  # run_until_complete() gives nobody a task to cancel
    if _goes_on_looping(module, node, handler) and not (
        is_end_like(function.top().name) and in_finite_loop(module, node)
    ):
        return Severity.WARNING
    if is_end_like(function.top().name) or is_end_like(function.name) or only_waits_for_tasks(node.body):
        return Severity.INFO
    leaves = any(isinstance(inner, ast.Return | ast.Break) for inner in walk_own(handler.body))
    ends = leaves or _ends_function(module, node)
    if _is_task_main(context, function) or (
        ends and (function.is_generator or _is_handler(context, function, named=caught == "cancel"))
    ):
        return Severity.INFO
    return Severity.WARNING


def _meant(module: Module, first: ast.stmt, handler: ast.ExceptHandler | None = None) -> bool:
    """True when a comment near the handler, or the function's docstring, says that it is on purpose."""
    function = module.owner.get(first)
    start, end = first.lineno - 3, first.lineno + 1
    if handler is not None:
        start, end = handler.lineno - 3, handler.end_lineno or handler.lineno
    said = [" ".join(line.partition("#")[2] for line in module.lines[max(start - 1, 0) : end])]
    if function is not None and not isinstance(function.node, ast.Lambda):
        sentences = (ast.get_docstring(function.node) or "").split(".")
        said += [sentence for sentence in sentences if "cancel" in sentence.lower()]
    return any(word in " ".join(text.lower().split()) for text in said for word in _DELIBERATE)


def _is_task_main(context: Context, function: Function) -> bool:
    if function in context.started or function.name in context.started_names:
        return True
    if any(isinstance(node, ast.While) and isinstance(node.test, ast.Constant) for node in function.own):
        return True  # nobody awaits an endless loop directly
    return _looks_like_task_main(function)


def _is_handler(context: Context, function: Function, named: bool) -> bool:
    """True for what a framework runs as a task of its own: on_message, handle_x, a decorated endpoint.

    `named`: the code names CancelledError, so its author knows that it ends here.
    """
    if context.call_counts[function] or function.parent is not None or isinstance(function.node, ast.Lambda):
        return False
    first = function.name.lstrip("_").partition("_")[0]
    if function.node.decorator_list or first in {"on", "handle", "cmd", "command"}:
        return True
    # Nobody waits for its result, and it ends at once: most likely it runs as a task from elsewhere.
    gives = [node for node in function.own if isinstance(node, ast.Return) and node.value is not None]
    return named and all(isinstance(node.value, ast.Constant) and node.value.value is None for node in gives)


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
        "start",
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
        if not kinds or not awaits(node.body) or waits_for_cancelled(function, node.body):
            continue
        if _nothing_lost(module, node):
            continue
        main = _is_task_main(context, function) and not _in_while(module, node)
        quiet = main and _ends_function(module, node)
        if is_end_like(function.top().name) or is_end_like(function.name) or only_waits_for_tasks(node.body):
            quiet = True
        if drains(module, node, node.body) or _meant(module, node):
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
