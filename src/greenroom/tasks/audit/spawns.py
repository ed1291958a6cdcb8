"""Where tasks are started, and what becomes of each.

A started task has one or more *fates*: it is awaited, returned, passed on, put on an attribute or
into a container, or nothing of the sort. A task in a local name has the fates of all uses of that
name. Only when every fate is "nothing" is it dropped: in doubt the audit says nothing.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from enum import Enum

from greenroom.tasks.audit.module import Function, Module, dotted, self_attr

_STARTERS = {
    "asyncio.create_task",
    "asyncio.ensure_future",
    "asyncio.tasks.create_task",
    "asyncio.tasks.ensure_future",
    "asyncio.Task",
}
HIDDEN_STARTERS = {"asyncio.gather", "asyncio.run_coroutine_threadsafe"}
_LOOP_GETTERS = {
    "asyncio.get_event_loop",
    "asyncio.get_running_loop",
    "asyncio.new_event_loop",
    "asyncio.events.get_event_loop",
    "asyncio.events.get_running_loop",
}
_PUT_METHODS = {"append", "add", "appendleft", "extend", "insert", "setdefault", "update"}
_CALLBACK_APIS = {
    "call_soon",
    "call_soon_threadsafe",
    "call_later",
    "call_at",
    "add_signal_handler",
    "add_done_callback",
    "add_reader",
    "add_writer",
}
_SILENT_METHODS = {"set_name", "get_name"}


class Kind(Enum):
    """What becomes of a task."""

    DROPPED = "dropped"
    CALLBACK = "callback"
    ATTRIBUTE = "attribute"
    CONTAINER = "container"
    AWAITED = "awaited"
    HANDED = "handed"


@dataclass(frozen=True, slots=True)
class Fate:
    """One thing that happens to a task; `holder` is the attribute or container that keeps it."""

    kind: Kind
    node: ast.AST
    holder: ast.expr | None = None
    key: ast.expr | None = None


@dataclass(eq=False)
class Spawn:
    """One place that starts a task. `node` is the call (or the starter passed as a callback)."""

    node: ast.expr
    function: Function | None
    coro: ast.expr | None
    fates: list[Fate]
    via: Function | None = None

    def kinds(self) -> set[Kind]:
        """The kinds of all fates."""
        return {fate.kind for fate in self.fates}

    @property
    def dropped(self) -> bool:
        """True when nobody keeps, awaits or receives the task."""
        return self.kinds() <= {Kind.DROPPED, Kind.CALLBACK}


class Spawns:
    """All places of one file that start tasks."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self._loops = self._loop_names()
        self.all: list[Spawn] = []
        for call in module.calls:
            if self.is_start(call.func):
                if not self._is_known_future(call):
                    self._add(call, call.args[0] if call.args else None)
            elif module.resolve(call.func) in HIDDEN_STARTERS:
                # Their results have other owners (a group future, another thread): only a plain
                # statement is known to drop them.
                # A plain def cannot await its gather(); one in code made for both worlds may never run.
                where = module.owner.get(call)
                waits = module.resolve(call.func) != "asyncio.gather" or (
                    where is not None and where.is_async
                )
                if waits and isinstance(module.parents.get(call), ast.Expr):
                    self._add(call, None)
            elif _callback_api(call):
                self._callback_starters(call)
        self._returning = self._returning_functions()
        for call in module.calls:
            if not self.is_start(call.func):
                self._through_helper(call)
        self.all.sort(key=lambda spawn: (spawn.node.lineno, spawn.node.col_offset))

    def is_start(self, func: ast.AST) -> bool:
        """True when calling `func` starts an asyncio task that nobody else owns."""
        if isinstance(func, ast.Name):
            return self.module.resolve(func) in _STARTERS
        if not isinstance(func, ast.Attribute):
            return False
        if func.attr == "create_task":
            return self.module.resolve(func) in _STARTERS or self._is_loop(func.value)
        return self.module.resolve(func) in _STARTERS

    def of_function(self, function: Function) -> list[Spawn]:
        """The spawns directly in this function."""
        return [spawn for spawn in self.all if spawn.function is function]

    def started_functions(self) -> set[Function]:
        """Functions of this file that some spawn runs as a task."""
        found: set[Function] = set()
        for spawn in self.all:
            if isinstance(spawn.coro, ast.Call):
                hit = self.module.target(spawn.coro.func, spawn.function)
                if hit is not None:
                    found.add(hit)
        return found

    def _loop_names(self) -> set[str]:
        names: set[str] = set()
        for node in self.module.nodes:
            if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call):
                continue
            if self.module.resolve(node.value.func) in _LOOP_GETTERS:
                names.update(text for text in map(dotted, node.targets) if text)
        return names

    def _is_loop(self, node: ast.AST) -> bool:
        if isinstance(node, ast.Call):
            func = node.func
            last = func.attr if isinstance(func, ast.Attribute) else dotted(func) or ""
            return self.module.resolve(func) in _LOOP_GETTERS or last.endswith("get_loop")
        text = dotted(node)
        if text is None:
            return False
        last = text.rsplit(".", 1)[-1].lower()
        return text in self._loops or last in {"loop", "_loop"} or last.endswith(("_loop", "eventloop"))

    def _add(self, node: ast.expr, coro: ast.expr | None, via: Function | None = None) -> None:
        function = self.module.owner.get(node)
        fates = list(self.fates(node))
        self.all.append(Spawn(node, function, coro, fates, via))

    def _callback_starters(self, call: ast.Call) -> None:
        """`loop.call_soon(asyncio.create_task, coro)`: started by the loop, returned to nobody."""
        for index, arg in enumerate(call.args):
            if isinstance(arg, ast.Call) and self.module.resolve(arg.func) == "functools.partial":
                self._callback_starters(arg)
            if isinstance(arg, ast.Name | ast.Attribute) and self.is_start(arg):
                coro = call.args[index + 1] if index + 1 < len(call.args) else None
                fate = Fate(Kind.DROPPED, call)
                self.all.append(Spawn(arg, self.module.owner.get(call), coro, [fate]))

    def _returning_functions(self) -> dict[Function, Spawn]:
        """Functions that hand a task they do not keep to their caller, and nothing else."""
        found: dict[Function, Spawn] = {}
        for spawn in self.all:
            function = spawn.function
            if function is None or function.name == "<lambda>":
                continue
            kinds = spawn.kinds() - {Kind.CALLBACK}
            returned = {fate.node for fate in spawn.fates if fate.kind is Kind.HANDED}
            if kinds != {Kind.HANDED} or not all(isinstance(node, ast.Return) for node in returned):
                continue
            # An async helper that only sometimes returns a task is awaited for its other results.
            others = {
                node for node in function.own if isinstance(node, ast.Return) and node.value is not None
            }
            if not function.is_async or others <= returned:
                found[function] = spawn
        return found

    def _is_known_future(self, call: ast.Call) -> bool:
        """`ensure_future(task)` for a local that is kept or awaited elsewhere: it starts nothing new."""
        name = call.args[0] if call.args else None
        function = self.module.owner.get(call)
        if not isinstance(name, ast.Name) or function is None or not self._is_plain_local(name.id, function):
            return False
        if not (self.module.resolve(call.func) or "").endswith("ensure_future"):
            return False
        for node in function.everything():
            if isinstance(node, ast.Name) and node.id == name.id and node is not name:
                if not isinstance(node.ctx, ast.Load):
                    continue
                for fate in self.fates(node):
                    kept = fate.kind in (Kind.CONTAINER, Kind.ATTRIBUTE, Kind.AWAITED)
                    if kept or isinstance(fate.node, ast.Return):
                        return True
        return False

    def _through_helper(self, call: ast.Call) -> None:
        function = self.module.owner.get(call)
        hit = self.module.target(call.func, function)
        if hit is None or hit not in self._returning or hit is function:
            return
        node: ast.expr = call
        if hit.is_async:
            parent = self.module.parents.get(call)
            if not isinstance(parent, ast.Await):
                return
            node = parent
        inner = self._returning[hit].coro
        coro = inner
        if isinstance(inner, ast.Name) and inner.id in hit.params:
            coro = call.args[0] if call.args else None
        self._add(node, coro, via=hit)

    def fates(self, node: ast.AST, depth: int = 0) -> list[Fate]:
        """Everything that happens to the value of the expression `node`."""
        parent = self.module.parents.get(node)
        if parent is None or depth > 12:
            return [Fate(Kind.HANDED, node)]
        if isinstance(parent, ast.Expr):
            return [Fate(Kind.DROPPED, parent)]
        if isinstance(parent, ast.Await):
            return [Fate(Kind.AWAITED, parent)]
        if isinstance(parent, ast.Lambda):
            return self._lambda_fates(parent)
        if isinstance(parent, ast.IfExp) and node is parent.test:
            return []
        if isinstance(parent, ast.NamedExpr):
            inner = self._target_fates(parent.target, parent, depth)
            inner += self.fates(parent, depth + 1)
            return [fate for fate in inner if fate.kind is not Kind.DROPPED] or [Fate(Kind.DROPPED, parent)]
        if isinstance(parent, ast.Attribute):
            return self._method_fates(parent, depth)
        if isinstance(parent, ast.Assign):
            return self._assign_fates(parent, node, depth)
        if isinstance(parent, ast.AnnAssign | ast.AugAssign):
            if isinstance(parent, ast.AugAssign) and not isinstance(parent.target, ast.Name):
                return [Fate(Kind.CONTAINER, parent, parent.target)]
            return self._target_fates(parent.target, parent, depth)
        if isinstance(parent, ast.Call):
            return self._argument_fates(parent, node)
        if isinstance(
            parent,
            ast.IfExp
            | ast.BoolOp
            | ast.Starred
            | ast.List
            | ast.Tuple
            | ast.Set
            | ast.Dict
            | ast.ListComp
            | ast.SetComp
            | ast.DictComp
            | ast.GeneratorExp
            | ast.keyword,
        ):
            return self.fates(parent, depth + 1)
        return [Fate(Kind.HANDED, parent)]

    def _lambda_fates(self, parent: ast.Lambda) -> list[Fate]:
        outer = self.module.parents.get(parent)
        if isinstance(outer, ast.Call) and _callback_api(outer) and outer.func is not parent:
            return [Fate(Kind.DROPPED, parent)]
        return [Fate(Kind.HANDED, parent)]

    def _method_fates(self, attribute: ast.Attribute, depth: int) -> list[Fate]:
        call = self.module.parents.get(attribute)
        called = isinstance(call, ast.Call) and call.func is attribute
        if called and attribute.attr == "add_done_callback":
            return [Fate(Kind.CALLBACK, attribute)]
        if called and attribute.attr in _SILENT_METHODS:
            return [Fate(Kind.CALLBACK if depth else Kind.DROPPED, attribute)]
        return [Fate(Kind.HANDED, attribute)]

    def _argument_fates(self, call: ast.Call, node: ast.AST) -> list[Fate]:
        func = call.func
        if isinstance(func, ast.Attribute) and func.attr in _PUT_METHODS and func is not node:
            key = call.args[0] if func.attr in {"setdefault", "insert"} and len(call.args) > 1 else None
            if isinstance(func.value, ast.Name):
                return self._local_container(func.value, call, key)
            return [Fate(Kind.CONTAINER, call, func.value, key)]
        resolved = self.module.resolve(func)
        name = resolved or dotted(func) or ""
        if name in {"asyncio.shield", "shield"}:
            return self.fates(call, 1)
        if name in {"list", "set", "tuple", "frozenset", "dict"}:
            return self.fates(call, 1)
        return [Fate(Kind.HANDED, call)]

    def _local_container(self, holder: ast.Name, call: ast.AST, key: ast.expr | None) -> list[Fate]:
        """A task put into a local list: dropped when nothing ever reads that list."""
        function = self.module.owner.get(holder)
        if function is not None and self._is_plain_local(holder.id, function):
            for node in function.top().everything():
                if isinstance(node, ast.Name) and node.id == holder.id and isinstance(node.ctx, ast.Load):
                    outer = self.module.parents.get(node)
                    put = isinstance(outer, ast.Attribute) and outer.attr in _PUT_METHODS
                    if not put:
                        return [Fate(Kind.CONTAINER, call, holder, key)]
            return [Fate(Kind.DROPPED, call, holder)]
        return [Fate(Kind.CONTAINER, call, holder, key)]

    def _assign_fates(self, assign: ast.Assign, node: ast.AST, depth: int) -> list[Fate]:
        found: list[Fate] = []
        for target in assign.targets:
            found += self._target_fates(target, assign, depth, node)
        kept = [fate for fate in found if fate.kind not in (Kind.DROPPED, Kind.CALLBACK)]
        return kept or found

    def _target_fates(
        self, target: ast.expr, statement: ast.AST, depth: int, value: ast.AST | None = None
    ) -> list[Fate]:
        if isinstance(target, ast.Attribute):
            return [Fate(Kind.ATTRIBUTE, statement, target)]
        if isinstance(target, ast.Subscript):
            if isinstance(target.value, ast.Name):
                return self._local_container(target.value, statement, target.slice)
            return [Fate(Kind.CONTAINER, statement, target.value, target.slice)]
        if isinstance(target, ast.Name):
            return self._name_fates(target, statement, depth)
        # `a, b = create_task(x), create_task(y)` arrives here with the whole tuple as the value;
        # one of the names being used is enough to stay silent.
        if isinstance(target, ast.Tuple | ast.List):
            found: list[Fate] = []
            for item in target.elts:
                found += self._target_fates(item, statement, depth + 1)
            kept = [fate for fate in found if fate.kind not in (Kind.DROPPED, Kind.CALLBACK)]
            return kept or found
        return [Fate(Kind.HANDED, statement)]

    def _is_plain_local(self, name: str, function: Function) -> bool:
        """True when `name` is a local of the function: not a parameter, global or outer name."""
        if name in function.params:
            return False
        bound = False
        for node in function.own:
            if isinstance(node, ast.Global | ast.Nonlocal) and name in node.names:
                return False
            if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store):
                bound = True
        return bound

    def _name_fates(self, target: ast.Name, statement: ast.AST, depth: int) -> list[Fate]:
        function = self.module.owner.get(target)
        if function is not None and self.module.is_declared_global(target.id, function):
            return [Fate(Kind.ATTRIBUTE, statement, target)]
        if function is None or not self._is_plain_local(target.id, function):
            return [Fate(Kind.HANDED, statement)]
        found: list[Fate] = []
        for node in function.everything():
            if isinstance(node, ast.Name) and node.id == target.id and isinstance(node.ctx, ast.Load):
                if depth > 3:
                    return [Fate(Kind.HANDED, node)]
                found += self.fates(node, depth + 1)
        if not found:
            return [Fate(Kind.DROPPED, statement)]
        return found


def _callback_api(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr in _CALLBACK_APIS


def holder_name(holder: ast.expr | None) -> str | None:
    """`x` for a holder `self.x`, else None."""
    return self_attr(holder)
