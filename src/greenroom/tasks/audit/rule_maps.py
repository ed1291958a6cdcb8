"""GA009: a key is removed from a map and then looked up: what hangs on the lookup never runs.

The classic is a disconnect handler that pops the session and afterwards asks the map for the
session, to close it. The close is there, it is reviewed, it is tested for crashes, and it never runs.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from greenroom.tasks.audit.context import Context, called_name, is_end_like
from greenroom.tasks.audit.findings import Finding, Severity
from greenroom.tasks.audit.module import Function, Module, blocks, dotted, self_attr


def lookup_after_pop(context: Context) -> Iterator[Finding]:
    """GA009."""
    module = context.module
    for function in module.functions:
        seen: set[ast.AST] = set()
        for block in _blocks(function):
            for index, statement in enumerate(block):
                removed = _removal(statement)
                if removed is None:
                    continue
                rest = block[index + 1 :] + _after(module, statement)
                for lookup, awaited in _lookups(context, function, rest, *removed):
                    if lookup in seen:
                        continue
                    seen.add(lookup)
                    if awaited and not _closes(module, lookup):
                        continue
                    if isinstance(lookup, ast.Subscript) and not (
                        _is_map(module, function, removed[0]) or _is_task_use(module, lookup)
                    ):
                        continue
                    holder = ast.unparse(removed[0])
                    yield context.finding(
                        "GA009",
                        lookup,
                        severity=Severity.WARNING if awaited else None,
                        message=f"{holder} lost this key in line {statement.lineno}: the lookup never finds "
                        "it, and what hangs on it never runs",
                    )


def _blocks(function: Function) -> Iterator[list[ast.stmt]]:
    yield function.body
    for node in function.own:
        if node is not function.node and isinstance(node, ast.stmt | ast.ExceptHandler | ast.match_case):
            yield from blocks(node).values()


def _removal(statement: ast.stmt) -> tuple[ast.expr, ast.expr] | None:
    """(map, key) when the statement is `m.pop(k, …)` or `del m[k]`, with or without a result."""
    value: ast.AST | None = None
    if isinstance(statement, ast.Expr | ast.Assign | ast.AnnAssign):
        value = statement.value
    if (
        isinstance(value, ast.Call)
        and called_name(value) == "pop"
        and value.args
        and isinstance(value.func, ast.Attribute)
        and _is_plain_key(value.args[0])
    ):
        single = len(value.args) == 1
        if single and isinstance(value.args[0], ast.Constant):
            return None  # list.pop(0) and the like
        if dotted(value.func.value):
            return value.func.value, value.args[0]
    if isinstance(statement, ast.Delete) and len(statement.targets) == 1:
        target = statement.targets[0]
        if (
            isinstance(target, ast.Subscript)
            and dotted(target.value)
            and _is_plain_key(target.slice)
            and (not isinstance(target.slice, ast.Constant) or isinstance(target.slice.value, str))
        ):
            return target.value, target.slice
    return None


def _is_plain_key(node: ast.expr) -> bool:
    if isinstance(node, ast.Subscript):  # message["id"]
        return dotted(node.value) is not None and isinstance(node.slice, ast.Constant)
    if isinstance(node, ast.Tuple):
        return all(_is_plain_key(item) for item in node.elts)
    if isinstance(node, ast.JoinedStr):
        fields = [item.value for item in node.values if isinstance(item, ast.FormattedValue)]
        return all(dotted(item) is not None for item in fields)
    return dotted(node) is not None or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _after(module: Module, statement: ast.stmt) -> list[ast.stmt]:
    """Statements that surely follow when the block ends: only `with` and `try` are looked through."""
    found: list[ast.stmt] = []
    child: ast.AST = statement
    for parent in module.ancestors(statement):
        transparent = isinstance(parent, ast.With | ast.AsyncWith) or (
            isinstance(parent, ast.Try)
            and child in parent.body
            and (not parent.handlers or (child is parent.body[0] and _only_misses(parent)))
        )
        if not transparent:
            break
        for block in blocks(module.parents.get(parent)).values():
            if isinstance(parent, ast.stmt) and parent in block:
                found += block[block.index(parent) + 1 :]
        child = parent
    return found


def _only_misses(node: ast.Try) -> bool:
    """True when the handlers only say that the key was not there: then it is gone either way."""
    kinds = [
        kind
        for handler in node.handlers
        for kind in (handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type])
    ]
    return all(isinstance(kind, ast.Name) and kind.id in {"KeyError", "LookupError"} for kind in kinds)


def _lookups(
    context: Context, function: Function, rest: list[ast.stmt], holder: ast.expr, key: ast.expr
) -> Iterator[tuple[ast.AST, bool]]:
    """Lookups of the key until something may have put it back; True once an await lies between."""
    holder_text, key_dump = ast.unparse(holder), ast.dump(key)
    key_names = {node.id for node in ast.walk(key) if isinstance(node, ast.Name)}
    holder_names = {node.id for node in ast.walk(holder) if isinstance(node, ast.Name)}
    awaited = False
    for statement in rest:
        nodes = list(_in_order(statement))
        for node in nodes:
            if (
                isinstance(node, ast.Name)
                and isinstance(node.ctx, ast.Store | ast.Del)
                and node.id in key_names | holder_names
            ):
                return
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.ctx, ast.Store)
                and ast.unparse(node) == holder_text
            ):
                return
            if (
                isinstance(node, ast.Subscript)
                and isinstance(node.ctx, ast.Store)
                and ast.unparse(node.value) == holder_text
            ):
                return
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and ast.unparse(node.func.value) == holder_text
                and node.func.attr in {"setdefault", "update"}
            ):
                return
        for node in nodes:
            if _is_lookup(node, holder_text, key_dump):
                yield node, awaited
            elif isinstance(node, ast.Call):
                found = _helper_lookup(context, function, node, holder, key_dump)
                if found is not None:
                    yield found, awaited
            elif isinstance(node, ast.Await):
                awaited = True


def _in_order(node: ast.AST) -> Iterator[ast.AST]:
    """Nodes in the order they run, near enough: an await counts after what it awaits."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
        return
    if isinstance(node, ast.Await):
        yield from _in_order(node.value)
        yield node
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _in_order(child)


def _is_lookup(node: ast.AST, holder: str, key: str) -> bool:
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "get"
        and node.args
        and ast.dump(node.args[0]) == key
    ):
        return ast.unparse(node.func.value) == holder
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        return ast.dump(node.slice) == key and ast.unparse(node.value) == holder
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], ast.In):
        return ast.dump(node.left) == key and ast.unparse(node.comparators[0]) == holder
    return False


def _helper_lookup(
    context: Context, function: Function, call: ast.Call, holder: ast.expr, key: str
) -> ast.AST | None:
    """`self._close_session(uid)` whose first act is `self._sessions.get(uid)`."""
    name = self_attr(holder)
    if name is None or self_attr(call.func) is None:
        return None
    helper = context.module.target(call.func, function)
    if helper is None or helper is function or isinstance(helper.node, ast.Lambda):
        return None
    names = [arg.arg for arg in helper.node.args.args][1:]
    for index, arg in enumerate(call.args[: len(names)]):
        if ast.dump(arg) != key:
            continue
        wanted = ast.dump(ast.Name(names[index], ast.Load()))
        for statement in helper.body[:2]:
            for node in _in_order(statement):
                if _is_lookup(node, ast.unparse(holder), wanted) and is_end_like(helper.name):
                    return call
    return None


def _is_task_use(module: Module, lookup: ast.Subscript) -> bool:
    """True for `await m[key]` and `m[key].cancel()` with a key that is no index: lists are not popped so."""
    if isinstance(lookup.slice, ast.Name) and lookup.slice.id in {"i", "j", "n", "idx", "index", "pos"}:
        return False
    parent = module.parents.get(lookup)
    return isinstance(parent, ast.Await) or (isinstance(parent, ast.Attribute) and is_end_like(parent.attr))


def _is_map(module: Module, function: Function, holder: ast.expr) -> bool:
    """True when the file makes the holder a dict, or the function treats it as one."""
    text = ast.unparse(holder)
    name = self_attr(holder)
    for made in module.attributes.get(name, ()) if name else ():
        value = getattr(module.parents.get(made), "value", None)
        if isinstance(made.ctx, ast.Store) and (
            isinstance(value, ast.Dict) or (value is not None and called_name(value) == "dict")
        ):
            return True
    for node in function.own:
        if isinstance(node, ast.Compare) and any(ast.unparse(other) == text for other in node.comparators):
            return True
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            map_like = node.func.attr in {"get", "items", "values", "keys", "setdefault"}
            map_like = map_like or (node.func.attr == "pop" and len(node.args) == 2)
            if map_like and ast.unparse(node.func.value) == text:
                return True
    return False


def _closes(module: Module, lookup: ast.AST) -> bool:
    """True when the looked-up thing is closed afterwards: the lookup is meant to find what was removed."""
    statement = module.statement(lookup)
    names: set[str] = set()
    if isinstance(statement, ast.Assign):
        names = {target.id for target in statement.targets if isinstance(target, ast.Name)}
    function = module.owner.get(lookup)
    if function is None:
        return False
    for node in function.own:
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        receiver = node.func.value
        if isinstance(receiver, ast.Name) and receiver.id in names and is_end_like(node.func.attr):
            return True
    return False
