"""GA004: tasks that outlive their owner.

Asks whether anything that close() reaches cancels the task, awaits it, passes it on, or gives its
coroutine the sign to end (clears the flag its loop tests, closes what it reads from).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from greenroom.tasks.audit.context import Context, is_close_like, is_end_like
from greenroom.tasks.audit.findings import Finding, Severity
from greenroom.tasks.audit.module import ClassInfo, Function, Module, blocks, dotted, position, self_attr
from greenroom.tasks.audit.spawns import Kind, Spawn

_PUT = {"append", "add", "appendleft", "extend", "insert", "setdefault", "update"}
_TAKE_OUT = {"pop", "popitem", "popleft", "clear", "remove", "discard"}
_SIGNS = frozenset((
    "close", "fail", "aclose", "stop", "shutdown", "disconnect", "cancel", "set", "put", "put_nowait", "send",
    "feed_eof", "write_eof", "abort", "terminate", "kill", "release", "clear", "notify_all", "set_result",
    "exit", "quit", "join",
))  # fmt: skip


def not_cancelled(context: Context) -> Iterator[Finding]:
    """GA004."""
    kept: dict[tuple[ClassInfo, str], list[Spawn]] = {}
    for spawn in context.spawns.all:
        if spawn.function is None or spawn.function.cls is None:
            continue
        for fate in spawn.fates:
            name = self_attr(fate.holder)
            if dotted(fate.holder) == f"cls.{name}":
                continue  # shared by all objects: no single one's close() may end it
            if is_close_like(spawn.function.top().name):
                continue  # it is part of closing
            if name is not None and fate.kind in (Kind.ATTRIBUTE, Kind.CONTAINER):
                entry = kept.setdefault((spawn.function.cls, name), [])
                if spawn not in entry:
                    entry.append(spawn)
    for (cls, name), spawns in kept.items():
        yield from _judge_attribute(context, cls, name, spawns)


def _judge_attribute(context: Context, cls: ClassInfo, name: str, spawns: list[Spawn]) -> Iterator[Finding]:
    module = context.module
    methods = list(context.methods(cls))
    closers = [method for method in methods if is_close_like(method.name)]
    enders = [method for method in methods if is_end_like(method.name)]
    closure = module.reachable(enders)
    names = {name}
    if len(spawns) == 1:  # one task under two names: ending either ends it
        names |= {held for fate in spawns[0].fates if (held := self_attr(fate.holder)) is not None}
    for function in closure:
        if any(_ends(module, node, held) for node in function.everything() for held in names):
            return
    if _ended_elsewhere(module, name, spawns):
        return
    if all(Kind.AWAITED in spawn.kinds() for spawn in spawns):
        return  # whoever starts it also waits for it
    told, stored = _signs(closure)
    if all(_is_signalled(module, spawn, told, stored) for spawn in spawns):
        return
    first = spawns[0]
    if isinstance(first.coro, ast.Call):
        job = module.target(first.coro.func, first.function)
        own = module.reachable([job]) if job is not None else []
        closers = [method for method in closers if method not in own]  # `_handle_disconnect` run by the task
    if closers:
        where = min(closers, key=lambda method: position(method.node))
        yield context.finding(
            "GA004",
            first.node,
            message=f"self.{name} outlives its owner: {cls.name}.{where.name}() neither cancels nor "
            "awaits it",
            remedy=f"cancel self.{name} in {where.name}() and wait for its end with a deadline",
        )
    else:
        yield context.finding(
            "GA004",
            first.node,
            severity=Severity.INFO,
            message=f"{cls.name} keeps tasks in self.{name} but has no close or stop that could end them",
            remedy="give the class a close() that cancels its tasks and waits with a deadline",
        )


def _ends(module: Module, node: ast.AST, name: str) -> bool:
    """True when `node` uses <something>.<name> in a way that can end the task (in doubt: yes)."""
    if isinstance(node, ast.Constant):
        return node.value == name
    if not isinstance(node, ast.Attribute) or node.attr != name or isinstance(node.ctx, ast.Store):
        return False
    parent = module.parents.get(node)
    if isinstance(parent, ast.Attribute):
        call = module.parents.get(parent)
        if parent.attr in _TAKE_OUT and isinstance(module.parents.get(call) if call else None, ast.Expr):
            return False  # taken off the books, and still running
        return parent.attr not in _PUT | {"add_done_callback", "done", "set_name", "cancelled", "discard"}
    if isinstance(parent, ast.Subscript) and isinstance(parent.ctx, ast.Store):
        return False
    return not isinstance(parent, ast.Compare | ast.UnaryOp | ast.If | ast.While | ast.BoolOp | ast.IfExp)


def _ended_elsewhere(module: Module, name: str, spawns: list[Spawn]) -> bool:
    """Ended by another function, or later in the function that starts it (not only before a restart)."""
    starts: dict[Function | None, tuple[int, int]] = {}
    for spawn in spawns:
        starts[spawn.function] = max(position(spawn.node), starts.get(spawn.function, (0, 0)))
    for node in module.attributes.get(name, ()):
        if not _ends(module, node, name):
            continue
        function = module.owner.get(node)
        if function not in starts:
            return True
        parent = module.parents.get(node)
        bound = isinstance(parent, ast.Attribute) and parent.attr in {"discard", "remove"}
        if (position(node) > starts[function] or _leaves_after(module, node)) and not bound:
            return True
    return False


def _leaves_after(module: Module, node: ast.AST) -> bool:
    """True when the branch that ends the task also leaves the loop or the function."""
    child = node
    for parent in module.ancestors(node):
        for block in blocks(parent).values():
            if isinstance(child, ast.stmt) and child in block:
                after = block[block.index(child) + 1 :]
                if any(isinstance(last, ast.Break | ast.Return) for last in after):
                    return True
        if isinstance(parent, ast.While | ast.For | ast.AsyncFor):
            return False
        child = parent
    return False


def _signs(closure: list[Function]) -> tuple[set[str], set[str]]:
    """Attributes that closing calls close, stop, set, put, ... on, and attributes it sets."""
    told: set[str] = set()
    stored: set[str] = set()
    for function in closure:
        for node in function.everything():
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                stored.add(node.attr)
            elif (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in _SIGNS
                and isinstance(node.func.value, ast.Attribute)
            ):
                told.add(node.func.value.attr)
    return told, stored


def _is_signalled(module: Module, spawn: Spawn, told: set[str], stored: set[str]) -> bool:
    """True when the task's own code looks at something that closing changes."""
    if not isinstance(spawn.coro, ast.Call):
        return False
    func = spawn.coro.func
    while isinstance(func, ast.Attribute):
        if func.attr in told | stored:
            return True
        func = func.value
    for arg in (*spawn.coro.args, *(keyword.value for keyword in spawn.coro.keywords)):
        if self_attr(arg) in told:
            return True  # the sign is handed to the task
    job = module.target(spawn.coro.func, spawn.function)
    if job is None:
        return False
    for function in module.reachable([job]):
        for node, waits in _watching(function):
            signs = told if waits else told | stored  # who waits on the old object never sees the new one
            for inner in ast.walk(node):
                if isinstance(inner, ast.Attribute) and inner.attr in signs:
                    return True
    return False


def _watching(job: Function) -> Iterator[tuple[ast.AST, bool]]:
    """What the task looks at, and whether it waits there."""
    for node in job.everything():
        if isinstance(node, ast.While | ast.If):
            yield node.test, False
        elif isinstance(node, ast.Await):
            yield node.value, True
        elif isinstance(node, ast.AsyncFor):
            yield node.iter, True
        elif isinstance(node, ast.AsyncWith):
            for item in node.items:
                yield item.context_expr, True
