"""GA002: tasks kept for ever, in a container that nothing is taken out of before the end.

Every use of the container in the file is looked at: one that may take something out, or hands the
container to code unseen, keeps the rule silent. What close() does to it comes too late to count.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from greenroom.tasks.audit.context import Context, called_name, is_close_like, is_start_like
from greenroom.tasks.audit.findings import Finding, Severity
from greenroom.tasks.audit.module import Function, Module, self_attr
from greenroom.tasks.audit.spawns import Kind, Spawn

_PUT = {"append", "add", "appendleft", "extend", "insert", "setdefault", "update"}
_READ = {"get", "values", "items", "keys", "copy", "index", "count", "union"}
_READERS = {"len", "list", "tuple", "set", "any", "all", "sum", "bool", "sorted", "gather", "wait", "iter"}
_CONTAINERS = {"list", "set", "dict", "deque", "defaultdict", "OrderedDict", "List", "Set", "Dict", "Deque"}


def kept_for_ever(context: Context) -> Iterator[Finding]:
    """GA002."""
    module = context.module
    judged: dict[tuple[str, bool, bool], _Uses] = {}
    for spawn in context.spawns.all:
        for fate in spawn.fates:
            if fate.kind is not Kind.CONTAINER or fate.holder is None or spawn.function is None:
                continue
            if isinstance(fate.key, ast.Constant):
                continue
            holder, nested = _outer(fate.holder)
            if isinstance(holder, ast.Name) and _grows_in_endless_loop(context, spawn, holder, fate.node):
                yield context.finding("GA002", fate.node)
                continue
            is_global = isinstance(holder, ast.Name) and module.is_global(holder.id, spawn.function)
            name = holder.id if is_global and isinstance(holder, ast.Name) else self_attr(holder)
            if name is None:
                continue
            case = (name, is_global, nested)
            if case not in judged:
                judged[case] = _uses(module, *case)
            uses = judged[case]
            if not uses.plain or uses.pruned:
                continue
            many = bool(spawn.function.params - {"self", "cls"})
            once = is_start_like(spawn.function.name) and not _endless(context, fate.node)
            if once and many and fate.key is not None:
                once = not _is_param(spawn.function, fate.key) and not _uses_param(spawn)
            counted = fate.key is not None and not many and _key_of_a_for(module, fate.node, fate.key)
            quiet = once or counted or (uses.pruned_at_close and not (many or _endless(context, fate.node)))
            yield context.finding(
                "GA002",
                fate.node,
                severity=Severity.INFO if quiet else None,
                message="finished tasks stay in this container until everything is closed, with their "
                "results and all they hold"
                if uses.pruned_at_close
                else None,
            )
            break


@dataclass(slots=True)
class _Uses:
    """What a file does with one container. `plain`: it is made as an ordinary list, set or dict."""

    plain: bool = False
    pruned: bool = False
    pruned_at_close: bool = False


def _outer(holder: ast.expr) -> tuple[ast.expr, bool]:
    """The container itself, and whether the task goes into a list within it: `self.tasks[user].append`."""
    if isinstance(holder, ast.Subscript):
        return holder.value, True
    if called_name(holder) == "setdefault" and isinstance(holder, ast.Call):
        return holder.func.value if isinstance(holder.func, ast.Attribute) else holder, True
    return holder, False


def _is_param(function: Function, key: ast.expr) -> bool:
    return any(isinstance(node, ast.Name) and node.id in function.params for node in ast.walk(key))


def _key_of_a_for(module: Module, put: ast.AST, key: ast.expr) -> bool:
    """True when the keys are those a `for` goes through: as many as the other container has."""
    names = {node.id for node in ast.walk(key) if isinstance(node, ast.Name)}
    return any(
        isinstance(parent, ast.For)
        and names & {node.id for node in ast.walk(parent.target) if isinstance(node, ast.Name)}
        for parent in module.ancestors(put)
    )


def _uses_param(spawn: Spawn) -> bool:
    """True when the started work depends on what the caller gave: each call starts another piece of it."""
    if spawn.coro is None or spawn.function is None:
        return False
    given = spawn.function.params - {"self", "cls"}
    return any(isinstance(node, ast.Name) and node.id in given for node in ast.walk(spawn.coro))


def _uses(module: Module, name: str, is_global: bool, nested: bool) -> _Uses:
    found = _Uses()
    nodes: list[ast.Name | ast.Attribute] = []
    for node in module.nodes:
        if isinstance(node, ast.Name) and node.id == name:
            if isinstance(node.ctx, ast.Store):
                found.plain = _is_plain(module, node) or found.plain
            if is_global:
                nodes.append(node)
    if not is_global:
        nodes += module.attributes.get(name, ())
    for node in nodes:
        function = module.owner.get(node)
        if isinstance(node.ctx, ast.Store):
            if isinstance(module.parents.get(node), ast.AugAssign):
                continue
            making = {"__init__", "__new__", "__attrs_post_init__"}
            harmless = function is None if is_global else function is not None and function.name in making
            if harmless:
                found.plain = _is_plain(module, node) or found.plain
        else:
            harmless = not isinstance(node.ctx, ast.Del) and _harmless_read(module, node, nested)
        if not harmless:
            if function is not None and _closes_everything(function.top()):
                found.pruned_at_close = True
            else:
                found.pruned = True
    return found


def _closes_everything(function: Function) -> bool:
    """True for close() and __aexit__(*exc); False for on_disconnect(client): that one prunes."""
    if not is_close_like(function.name):
        return False
    return "exit" in function.name or not function.required - {"self", "cls"}


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


def _harmless_read(module: Module, node: ast.expr, nested: bool = False) -> bool:
    parent = module.parents.get(node)
    if isinstance(parent, ast.Attribute):
        if nested:  # what values(), get() or setdefault() hand out may be emptied elsewhere
            return parent.attr in {"keys", "__contains__"} or _put_into_inner(
                module, module.parents.get(parent)
            )
        return parent.attr in _PUT or parent.attr in _READ
    if nested and isinstance(parent, ast.Subscript):
        return parent.value is node and _put_into_inner(module, parent)
    if nested and isinstance(parent, ast.For | ast.comprehension | ast.Starred | ast.Call):
        return getattr(getattr(parent, "func", None), "id", "") == "len"
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


def _put_into_inner(module: Module, inner: ast.AST | None) -> bool:
    """True for `self.tasks[user].append(…)` and `self.tasks[user] = []`."""
    if isinstance(inner, ast.Subscript) and isinstance(inner.ctx, ast.Store):
        return True
    outer = module.parents.get(inner) if inner is not None else None
    return isinstance(outer, ast.Attribute) and outer.attr in _PUT


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
