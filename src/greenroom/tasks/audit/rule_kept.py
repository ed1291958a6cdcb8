"""GA002: tasks kept for ever. GA004: tasks that outlive their owner.

Both ask who looks at the attribute that holds the task. GA002: does anything ever take a task out
again? GA004: does anything that close() reaches cancel it, await it, pass it on, or give its
coroutine the sign to end (clear the flag its loop tests, close what it reads from)?
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from greenroom.tasks.audit.context import Context, is_close_like, is_end_like, is_start_like
from greenroom.tasks.audit.findings import Finding, Severity
from greenroom.tasks.audit.module import ClassInfo, Function, Module, dotted, position, self_attr
from greenroom.tasks.audit.spawns import Kind, Spawn

_PRUNE = {
    "remove",
    "discard",
    "clear",
    "pop",
    "popitem",
    "popleft",
    "difference_update",
    "intersection_update",
    "symmetric_difference_update",
}
_PUT = {"append", "add", "appendleft", "extend", "insert", "setdefault", "update"}
_READ = {"get", "values", "items", "keys", "copy", "index", "count", "union"}
_READERS = {"len", "list", "tuple", "set", "any", "all", "sum", "bool", "sorted", "gather", "wait", "iter"}
_CONTAINERS = {"list", "set", "dict", "deque", "defaultdict", "OrderedDict", "List", "Set", "Dict", "Deque"}
_SIGNS = {
    "close",
    "fail",
    "aclose",
    "stop",
    "shutdown",
    "disconnect",
    "cancel",
    "set",
    "put",
    "put_nowait",
    "send",
    "feed_eof",
    "write_eof",
    "abort",
    "terminate",
    "kill",
    "release",
    "clear",
    "notify_all",
    "set_result",
    "exit",
    "quit",
    "join",
}


def kept_for_ever(context: Context) -> Iterator[Finding]:
    """GA002."""
    module = context.module
    judged: dict[str, bool] = {}
    for spawn in context.spawns.all:
        for fate in spawn.fates:
            if fate.kind is not Kind.CONTAINER or fate.holder is None:
                continue
            if isinstance(fate.key, ast.Constant):
                continue
            if isinstance(fate.holder, ast.Name):
                if _grows_in_endless_loop(context, spawn, fate.holder, fate.node):
                    yield context.finding("GA002", fate.node)
                continue
            name = self_attr(fate.holder)
            if name is None:
                continue
            if name not in judged:
                judged[name] = _never_pruned(module, name)
            if not judged[name]:
                continue
            function = spawn.function
            once = function is not None and is_start_like(function.name) and not _endless(context, fate.node)
            yield context.finding("GA002", fate.node, severity=Severity.INFO if once else None)
            break


def _never_pruned(module: Module, name: str) -> bool:
    """True when self.<name> is a plain container and no use of it can take anything out."""
    plain = False
    for node in module.nodes:
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store):
            plain = _is_plain(module, node) or plain
    for node in module.attributes.get(name, ()):
        if isinstance(node.ctx, ast.Store):
            function = module.owner.get(node)
            if function is None or function.name not in {"__init__", "__new__", "__attrs_post_init__"}:
                return False
            plain = _is_plain(module, node) or plain
        elif isinstance(node.ctx, ast.Del) or not _harmless_read(module, node):
            return False
    return plain


def _is_plain(module: Module, target: ast.AST) -> bool:
    statement = module.parents.get(target)
    value = getattr(statement, "value", None)
    if isinstance(value, ast.List | ast.Set | ast.Dict | ast.ListComp | ast.DictComp | ast.SetComp):
        return True
    if isinstance(value, ast.Call):
        if any(keyword.arg == "maxlen" for keyword in value.keywords) or len(value.args) > 1:
            return False
        made = value.func.attr if isinstance(value.func, ast.Attribute) else getattr(value.func, "id", "")
        if made in _CONTAINERS:
            return True
        if made == "field":
            factories = [key.value for key in value.keywords if key.arg == "default_factory"]
            names = {getattr(node, "id", getattr(node, "attr", "")) for node in factories}
            names |= {getattr(node.value, "id", "") for node in factories if isinstance(node, ast.Subscript)}
            return bool(names & _CONTAINERS)
    return False


def _harmless_read(module: Module, node: ast.Attribute) -> bool:
    parent = module.parents.get(node)
    if isinstance(parent, ast.Attribute):
        return parent.attr in _PUT or parent.attr in _READ
    if isinstance(parent, ast.Subscript):
        return parent.value is not node or (
            not isinstance(parent.ctx, ast.Del)
            and not (isinstance(parent.ctx, ast.Store) and isinstance(parent.slice, ast.Slice))
        )
    if isinstance(parent, ast.Call):
        func = parent.func
        called = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
        return called in _READERS
    return isinstance(
        parent,
        ast.Starred
        | ast.For
        | ast.comprehension
        | ast.Compare
        | ast.UnaryOp
        | ast.If
        | ast.While
        | ast.BoolOp
        | ast.IfExp
        | ast.FormattedValue,
    )


def _endless(context: Context, node: ast.AST) -> bool:
    """True inside `while True` (or a while on a flag) or `async for`."""
    return any(isinstance(parent, ast.While | ast.AsyncFor) for parent in context.module.ancestors(node))


def _grows_in_endless_loop(context: Context, spawn: Spawn, holder: ast.Name, put: ast.AST) -> bool:
    """A local list filled in `while True` that nothing empties: it grows as long as the loop runs."""
    module = context.module
    loop: ast.While | None = None
    for parent in module.ancestors(put):
        if isinstance(parent, ast.While) and isinstance(parent.test, ast.Constant) and parent.test.value:
            loop = parent
    if loop is None or spawn.function is None:
        return False
    if any(isinstance(node, ast.Break | ast.Return) for node in ast.walk(loop)):
        return False
    for node in spawn.function.top().everything():
        if not isinstance(node, ast.Name) or node.id != holder.id:
            continue
        if isinstance(node.ctx, ast.Store):
            if any(parent is loop for parent in module.ancestors(node)):
                return False
            if not _is_plain(module, node):
                return False
        elif isinstance(node.ctx, ast.Load):
            outer = module.parents.get(node)
            if isinstance(outer, ast.Attribute):
                if outer.attr not in _PUT | _READ:
                    return False
            elif isinstance(outer, ast.Call | ast.Return | ast.Assign | ast.keyword | ast.Delete):
                called = getattr(outer.func, "id", "") if isinstance(outer, ast.Call) else ""
                if called not in _READERS:
                    return False
        else:
            return False
    return True


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
    for function in closure:
        if any(_ends(module, node, name) for node in function.everything()):
            return
    if _ended_elsewhere(module, name, spawns):
        return
    if all(Kind.AWAITED in spawn.kinds() for spawn in spawns):
        return  # whoever starts it also waits for it
    signs = _signs(closure)
    if all(_is_signalled(module, spawn, signs) for spawn in spawns):
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
        if position(node) > starts[function] and not bound:
            return True
    return False


def _signs(closure: list[Function]) -> set[str]:
    """Attributes that closing sets, or calls close, stop, set, put, ... on."""
    found: set[str] = set()
    for function in closure:
        for node in function.everything():
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                found.add(node.attr)
            elif (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in _SIGNS
                and isinstance(node.func.value, ast.Attribute)
            ):
                found.add(node.func.value.attr)
    return found


def _is_signalled(module: Module, spawn: Spawn, signs: set[str]) -> bool:
    """True when the task's own code looks at something that closing changes."""
    if not isinstance(spawn.coro, ast.Call):
        return False
    func = spawn.coro.func
    while isinstance(func, ast.Attribute):
        if func.attr in signs:
            return True
        func = func.value
    job = module.target(spawn.coro.func, spawn.function)
    if job is None:
        return False
    for function in module.reachable([job]):
        for node in _watching(function):
            for inner in ast.walk(node):
                if isinstance(inner, ast.Attribute) and inner.attr in signs:
                    return True
    return False


def _watching(job: Function) -> Iterator[ast.AST]:
    for node in job.everything():
        if isinstance(node, ast.While | ast.If):
            yield node.test
        elif isinstance(node, ast.Await):
            yield node.value
        elif isinstance(node, ast.AsyncFor):
            yield node.iter
        elif isinstance(node, ast.AsyncWith):
            for item in node.items:
                yield item.context_expr
