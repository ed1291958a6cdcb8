"""GA005: loops that sleep and look, where an event would do.

The hard part is what not to say. A heartbeat, a flush, a retry, a pacing loop and a check of
something outside the process all sleep in a loop, and rightly. So the rule speaks in two cases:

* a loop that does nothing but sleep until the program's own state changes;
* an endless loop with a short constant sleep (at most a second) whose whole remaining body hangs on
  one `if` about the program's own state.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from greenroom.tasks.audit.context import Context, called_name, in_handler, words
from greenroom.tasks.audit.findings import Finding, Severity
from greenroom.tasks.audit.module import Module, self_attr

_SHORT = 1.0
_SLEEPS = {"asyncio.sleep", "anyio.sleep", "trio.sleep"}
_LOG = {"debug", "info", "warning", "error", "exception", "log", "print", "trace"}
_STATE_METHODS = {"empty", "full", "qsize", "is_set", "done", "get", "locked", "is_closing", "values", "keys"}
_STATE_CALLS = {"len", "any", "all", "not", "bool", "min", "max", "isinstance", "getattr", "sum"}
_CLOCK = {"time", "monotonic", "perf_counter", "now", "utcnow"}
_STOPPED = {
    "closed",
    "closing",
    "stopped",
    "stopping",
    "stop",
    "shutdown",
    "exit",
    "quit",
    "done",
    "finished",
}
_GOING = {"running", "run", "active", "alive", "connected", "started", "enabled", "should", "keep", "going"}
_OUTSIDE = {
    "poll", "exists", "is_alive", "alive", "process", "proc", "path", "file", "thread", "progress", "status",
    "returncode", "pid", "exitcode", "tokens", "deadline", "timeout", "elapsed", "retries", "attempts",
}  # fmt: skip


def polling(context: Context) -> Iterator[Finding]:
    """GA005."""
    for function in context.module.functions:
        if not function.is_async:
            continue
        for node in function.own:
            if isinstance(node, ast.While):
                found = _judge(context, node) or _judge_empty_queue(context, node)
                if found is not None:
                    yield found


def _judge(context: Context, loop: ast.While) -> Finding | None:
    module = context.module
    sleeps = [
        inner
        for inner in _walk_own(loop.body)
        if isinstance(inner, ast.Await) and _is_sleep(module, inner.value) and not in_handler(module, inner)
    ]
    if len(sleeps) != 1:
        return None
    sleep = sleeps[0]
    call = sleep.value
    assert isinstance(call, ast.Call)
    argument = call.args[0] if call.args else None
    constant = _constant(module, argument)
    if constant is None and not isinstance(argument, ast.Name | ast.Attribute):
        return None  # a computed delay is pacing or a back-off
    if (
        isinstance(argument, ast.Name | ast.Attribute)
        and constant is None
        and words(ast.unparse(argument)) & {"delay", "backoff", "wait", "retry", "remaining", "timeout"}
    ):
        return None
    endless = isinstance(loop.test, ast.Constant) and bool(loop.test.value)
    rest = [stmt for stmt in _flatten(loop.body) if not _is_idle(module, stmt)]
    if not rest:
        return None if endless else _waiting_loop(context, loop, sleep, constant)
    if constant is None or constant > _SHORT:
        return None
    return _looking_loop(context, loop, sleep, rest, endless, constant)


def _judge_empty_queue(context: Context, loop: ast.While) -> Finding | None:
    """`try: queue.get_nowait() … except asyncio.QueueEmpty: await sleep(0.01)`, round and round."""
    for node in _walk_own(loop.body):
        if (
            not isinstance(node, ast.ExceptHandler)
            or context.module.resolve(node.type) != "asyncio.QueueEmpty"
        ):
            continue
        attempt = context.module.parents.get(node)
        if not any(called_name(inner) == "get_nowait" for inner in _walk_own(getattr(attempt, "body", []))):
            continue
        idle = [stmt for stmt in node.body if not isinstance(stmt, ast.Continue)]
        if not idle or not all(_is_idle(context.module, stmt) for stmt in idle):
            continue
        for inner in _walk_own(node.body):
            if isinstance(inner, ast.Await) and _is_sleep(context.module, inner.value):
                text = "the loop wakes up only to look into the queue: `await queue.get()` wakes it in time"
                return context.finding("GA005", inner, message=text)
    return None


def _waiting_loop(
    context: Context, loop: ast.While, sleep: ast.Await, constant: float | None
) -> Finding | None:
    """`while not self._ready: await sleep(0.1)` and nothing else."""
    if not _is_own_state(loop.test):
        return None
    text = "the loop sleeps until a condition changes: it burns CPU idle and answers up to a sleep too late"
    if constant == 0:
        text = "the loop spins with sleep(0) until a condition changes: it takes a whole core"
    if _asks_by_acting(context, loop.test):
        return None
    severity = Severity.WARNING
    slow = constant is not None and constant >= _SHORT
    if (slow and _is_keep_alive(loop.test, waiting=True)) or (constant is not None and constant > 5):
        severity = Severity.INFO
    return context.finding("GA005", sleep, severity=severity, message=text)


def _looking_loop(
    context: Context,
    loop: ast.While,
    sleep: ast.Await,
    rest: list[ast.stmt],
    endless: bool,
    constant: float,
) -> Finding | None:
    """`while True: await sleep(0.1); if self._pending: …`"""
    if not endless and not _is_keep_alive(loop.test):
        return None
    if constant == 0:
        return None
    conditions = [stmt for stmt in rest if isinstance(stmt, ast.If)]
    if not conditions:
        return None
    first = conditions[0]
    if _asks_by_acting(context, first.test):
        return None
    last = first
    while len(last.orelse) == 1 and isinstance(last.orelse[0], ast.If):
        last = last.orelse[0]
        if not _is_own_state(last.test) or _counts_down(loop, last.test):
            return None
    if _sleeps_and_goes_round(first, sleep) and rest[0] is first:
        rest = [first]
    branches = [first.body, last.orelse]
    if not any(
        sleep in ast.walk(stmt) for stmt in _flatten(loop.body) if not isinstance(stmt, ast.If)
    ) and not any(_is_idle_sleep(sleep, branch) for branch in branches):
        return None  # asleep only on some inner branch: a retry
    if not _is_own_state(first.test) or _counts_down(loop, first.test):
        return None
    if _names(first.test) & _fresh_locals(loop):
        return None
    for stmt in rest[: rest.index(first)]:
        if any(isinstance(node, ast.Await) for node in _walk_own([stmt])):
            return None
    if any(_works(stmt) for stmt in rest if not isinstance(stmt, ast.If)):
        return None
    return context.finding(
        "GA005",
        sleep,
        message=f"the loop wakes up every {constant:g} s to look at a condition: it burns CPU idle and "
        "answers up to that much too late",
    )


def _sleeps_and_goes_round(branch: ast.If, sleep: ast.Await) -> bool:
    """`if queue.empty(): await sleep(0.1); continue`: what follows runs when there is something to do."""
    return (
        isinstance(branch.body[-1], ast.Continue)
        and not branch.orelse
        and _is_idle_sleep(sleep, branch.body)
        and len(branch.body) == 2
    )


def _asks_by_acting(context: Context, test: ast.expr) -> bool:
    """True when the test calls a method of the object that reads a clock or does something itself.

    A token bucket refills when asked: nobody else could tell when it is full.
    """
    module = context.module
    for node in ast.walk(test):
        if isinstance(node, ast.Call) and _is_own_question(node):
            asked = module.target(node.func, module.owner.get(node))
            if asked is None:
                continue
            for inner in asked.everything():
                if called_name(inner) in _CLOCK:
                    return True
                if isinstance(inner, ast.Attribute) and isinstance(inner.ctx, ast.Store):
                    return True
                if (
                    isinstance(inner, ast.Expr)
                    and isinstance(inner.value, ast.Call)
                    and called_name(inner.value) not in _LOG
                ):
                    return True
    return False


def _is_idle_sleep(sleep: ast.Await, branch: list[ast.stmt]) -> bool:
    return any(isinstance(stmt, ast.Expr) and stmt.value is sleep for stmt in branch)


def _counts_down(loop: ast.While, test: ast.expr) -> bool:
    """True when the loop itself changes what it tests (a counter, a last value): it keeps time."""
    tested = {ast.unparse(node) for node in ast.walk(test) if isinstance(node, ast.Name | ast.Attribute)}
    for node in _walk_own(loop.body):
        if isinstance(node, ast.AugAssign) and ast.unparse(node.target) in tested:
            return True
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id in tested for target in node.targets
        ):
            return True
    return False


def _names(node: ast.AST) -> set[str]:
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}


def _fresh_locals(loop: ast.While) -> set[str]:
    """Locals that the loop's body takes from a call each time: a look at the outside, not at a variable."""
    found: set[str] = set()
    for node in _walk_own(loop.body):
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr) and node.value is not None:
            outside = any(isinstance(inner, ast.Await) for inner in ast.walk(node.value))
            outside = outside or any(
                isinstance(inner, ast.Call) and called_name(inner) not in _STATE_METHODS | _STATE_CALLS
                for inner in ast.walk(node.value)
            )
            if outside:
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                for target in targets:
                    found |= _names(target)
    return found


def _works(stmt: ast.stmt) -> bool:
    """True for a statement that does something each time: an await, a loop, a call for its effect."""
    if isinstance(stmt, ast.For | ast.AsyncFor | ast.While | ast.AsyncWith):
        return True
    if any(isinstance(node, ast.Await) for node in _walk_own([stmt])):
        return True
    return isinstance(stmt, ast.Expr) and called_name(stmt.value) not in {"create_task", "ensure_future"}


def _flatten(body: list[ast.stmt]) -> list[ast.stmt]:
    """The loop's statements, with locks and try blocks (not their handlers) looked through."""
    found: list[ast.stmt] = []
    for stmt in body:
        if isinstance(stmt, ast.Try | ast.With) or (
            isinstance(stmt, ast.AsyncWith) and all("lock" in ast.unparse(i).lower() for i in stmt.items)
        ):
            found += _flatten(stmt.body)
        else:
            found.append(stmt)
    return found


def _walk_own(body: list[ast.stmt]) -> Iterator[ast.AST]:
    todo: list[ast.AST] = list(reversed(body))
    while todo:
        node = todo.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            todo.extend(ast.iter_child_nodes(node))


def _is_sleep(module: Module, node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and module.resolve(node.func) in _SLEEPS


def _constant(module: Module, node: ast.AST | None) -> float | None:
    """The delay when it is written down: a number, or a module constant that is one."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return float(node.value)
    if isinstance(node, ast.Name):
        for stmt in module.tree.body:
            if isinstance(stmt, ast.Assign | ast.AnnAssign):
                targets = stmt.targets if isinstance(stmt, ast.Assign) else [stmt.target]
                if any(isinstance(target, ast.Name) and target.id == node.id for target in targets):
                    return _constant(module, stmt.value) if not isinstance(stmt.value, ast.Name) else None
    return None


def _is_idle(module: Module, stmt: ast.stmt) -> bool:
    """True for the sleep itself, for logging, pass, and counters."""
    if isinstance(stmt, ast.Pass):
        return True
    if isinstance(stmt, ast.Expr):
        if isinstance(stmt.value, ast.Constant):
            return True
        if isinstance(stmt.value, ast.Await):
            return _is_sleep(module, stmt.value.value)
        return called_name(stmt.value) in _LOG
    return False


def _is_own_state(test: ast.expr) -> bool:
    """True when the condition looks only at the program's own variables, not at clocks or the outside."""
    looks = False
    for node in ast.walk(test):
        if isinstance(node, ast.Await | ast.NamedExpr):
            return False
        if isinstance(node, ast.Call):
            name = called_name(node)
            own = _is_own_question(node)
            if name in _CLOCK or not (name in _STATE_METHODS or name in _STATE_CALLS or own):
                return False
        if isinstance(node, ast.Name | ast.Attribute):
            text = node.id if isinstance(node, ast.Name) else node.attr
            if words(text) & _OUTSIDE or text in _CLOCK:
                return False
            looks = True
    return looks


def _is_own_question(call: ast.Call) -> bool:
    """`self.has_pending()`: a method of the object itself; `self.driver.poll()` may ask the outside."""
    return self_attr(call.func) is not None and not call.args


def _is_keep_alive(test: ast.expr, *, waiting: bool = False) -> bool:
    """`while self._running`, `while not self._closed`: the condition only ends the loop.

    `waiting` is for a loop that does nothing else: there `while not self.connected` waits for a start.
    """
    negated = isinstance(test, ast.UnaryOp)
    if isinstance(test, ast.UnaryOp):
        test = test.operand
    if isinstance(test, ast.Call) and not test.args:
        test = test.func
    text = ast.unparse(test) if isinstance(test, ast.Name | ast.Attribute) else ""
    last = words(text.removesuffix(".is_set").rsplit(".", 1)[-1])
    if waiting:
        return bool(last & (_STOPPED if negated else _GOING))
    return bool(last & (_STOPPED | _GOING))
