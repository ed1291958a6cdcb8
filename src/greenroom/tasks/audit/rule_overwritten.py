"""GA003: the only reference to a task is overwritten while the task may still run.

Any look at the old task before the new one is stored counts as a guard, and so does an early return
that tests the object's own state: the rule speaks only where the code shows no thought at all.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from greenroom.tasks.audit.context import Context, called_name, is_start_like, words
from greenroom.tasks.audit.findings import Finding, Severity
from greenroom.tasks.audit.module import Function, Module, dotted, position, self_attr
from greenroom.tasks.audit.spawns import Fate, Kind, Spawn

_UNIQUE = {"uuid", "token", "id", "ids", "nonce", "counter", "count", "seq", "sequence", "number", "next"}
_UNIQUE_OWNERS = {"request", "req", "message", "msg", "call", "job", "task", "stream", "run", "query"}
_MAKING = {"new", "generate", "create", "make", "random", "start", "open", "spawn", "register", "allocate"}
_ONCE = {"__init__", "__post_init__", "__aenter__", "__enter__", "__attrs_post_init__", "setUp", "asyncSetUp"}


def overwritten(context: Context) -> Iterator[Finding]:
    """GA003."""
    for spawn in context.spawns.all:
        function = spawn.function
        if function is None or function.name in _ONCE:
            continue
        for fate in spawn.fates:
            if fate.kind is Kind.ATTRIBUTE and self_attr(fate.holder) and function.cls is not None:
                name = self_attr(fate.holder) or ""
                if not _guarded(context, function, name, spawn):
                    yield _attribute_finding(context, spawn, function, name, fate)
                    break
            elif (
                fate.kind is Kind.CONTAINER
                and isinstance(fate.node, ast.Assign)
                and fate.key is not None
                and _key_may_repeat(context, function, fate)
                and not _key_guarded(context, function, fate)
            ):
                text = f"{dotted(fate.holder)}[{ast.unparse(fate.key)}]"
                once = is_start_like(function.name) and not _in_loop(context.module, fate.node)
                yield context.finding(
                    "GA003",
                    fate.node,
                    severity=Severity.INFO if once else None,
                    message=f"a second call for the same key overwrites {text} while the first task may "
                    "still run: the first has no owner then",
                )
                break


def _attribute_finding(context: Context, spawn: Spawn, function: Function, name: str, fate: Fate) -> Finding:
    once = is_start_like(function.name)
    severity = Severity.INFO if once and not _in_loop(context.module, fate.node) else Severity.WARNING
    return context.finding(
        "GA003",
        fate.node,
        severity=severity,
        message=f"a second {function.name}() overwrites self.{name} while the first task may still run: "
        "the first has no owner then",
    )


def _in_loop(module: Module, node: ast.AST) -> bool:
    return any(isinstance(parent, ast.While | ast.For | ast.AsyncFor) for parent in module.ancestors(node))


def _guarded(context: Context, function: Function, name: str, spawn: Spawn) -> bool:
    module = context.module
    if Kind.AWAITED in spawn.kinds() or _looks_at(module, function, name):
        return True
    if isinstance(spawn.coro, ast.Call):
        job = module.target(spawn.coro.func, function)
        if job is not None and job is function.top():
            return True  # a task that starts its own successor is about to end
        if job is not None and _clears(job, name):
            return True  # the task takes itself off the attribute: its owner knows its state
    if _tests_own_state(module, function, spawn):
        return True
    for node in function.own:
        earlier = position(node) < position(spawn.node) or _in_loop(module, spawn.node)
        if isinstance(node, ast.Call) and earlier:
            helper = module.target(node.func, function)
            if helper is not None and any(
                _looks_at(module, found, name) for found in module.reachable([helper])
            ):
                return True
    return _callers_guard(context, function, name)


def _looks_at(module: Module, function: Function, name: str) -> bool:
    for node in function.everything():
        if isinstance(node, ast.Attribute) and node.attr == name and isinstance(node.ctx, ast.Load):
            parent = module.parents.get(node)
            if isinstance(parent, ast.Attribute) and parent.attr in {"add_done_callback", "set_name"}:
                continue
            return True
        if isinstance(node, ast.Constant) and node.value == name:
            return True
    return False


def _clears(job: Function, name: str) -> bool:
    return any(
        isinstance(node, ast.Attribute) and node.attr == name and isinstance(node.ctx, ast.Store)
        for node in job.everything()
    )


def _tests_own_state(module: Module, function: Function, spawn: Spawn) -> bool:
    """An `if self.…` around the spawn, or one before it that leaves the function."""
    for parent in module.ancestors(spawn.node):
        if isinstance(parent, ast.If) and _mentions_self(parent.test):
            return True
    for node in function.own:
        if (
            isinstance(node, ast.If)
            and position(node) < position(spawn.node)
            and _mentions_self(node.test)
            and any(isinstance(last, ast.Return | ast.Raise | ast.Continue) for last in node.body[-1:])
        ):
            return True
    return False


def _mentions_self(test: ast.expr) -> bool:
    return any(self_attr(node) is not None for node in ast.walk(test))


def _callers_guard(context: Context, function: Function, name: str) -> bool:
    """A private helper is guarded when every caller looks at the task first, or is called once."""
    if not function.name.startswith("_") or function.parent is not None:
        return False
    module = context.module
    callers: list[Function] = []
    for node in module.attributes.get(function.name, ()):
        caller = module.owner.get(node)
        if caller is not None and caller is not function:
            callers.append(caller.top())
    return bool(callers) and all(
        caller.name in _ONCE
        or any(_looks_at(module, found, name) for found in (caller, *_helpers(module, caller)))
        for caller in callers
    )


def _helpers(module: Module, function: Function) -> list[Function]:
    found: list[Function] = []
    for node in function.own:
        if isinstance(node, ast.Call):
            hit = module.target(node.func, function)
            if hit is not None:
                found.append(hit)
    return found


def _key_may_repeat(context: Context, function: Function, fate: Fate) -> bool:
    """True for keys that name a lasting thing (a user, a room); False for keys made fresh."""
    module = context.module
    key = fate.key
    if key is None or isinstance(key, ast.Constant):
        return False
    holder = fate.holder
    if isinstance(holder, ast.Name) and not _is_shared(module, function, holder.id):
        return False
    for parent in module.ancestors(fate.node):
        if isinstance(parent, ast.For | ast.AsyncFor):
            bound = {node.id for node in ast.walk(parent.target) if isinstance(node, ast.Name)}
            if bound & {node.id for node in ast.walk(key) if isinstance(node, ast.Name)}:
                return False
    if isinstance(key, ast.Call | ast.Tuple):
        return False
    text = dotted(key)
    if text is None or text.rsplit(".", 1)[-1].isupper():
        return False  # an upper-case name is a constant: one slot of a record
    last = text.rsplit(".", 1)[-1]
    parts = words(last)
    owner = words(text.rsplit(".", 2)[-2]) if "." in text else set[str]()
    if parts & {"uuid", "token", "nonce", "seq", "sequence", "counter", "fut", "future", "task"}:
        return False
    if parts == {"id"} or (parts & {"id", "key"} and (parts | owner) & _UNIQUE_OWNERS):
        return False
    return not (isinstance(key, ast.Name) and _made_fresh(function, last))


def _is_shared(module: Module, function: Function, name: str) -> bool:
    """True for a parameter or a module global: the container outlives the call."""
    if name in function.params:
        return True
    for node in module.nodes:
        if (
            isinstance(node, ast.Name)
            and node.id == name
            and isinstance(node.ctx, ast.Store)
            and module.owner.get(node) is None
        ):
            return function.name not in _ONCE and not _assigned(function, name)
    return False


def _assigned(function: Function, name: str) -> bool:
    return any(
        isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store)
        for node in function.own
    )


def _made_fresh(function: Function, name: str) -> bool:
    """True when the local `name` comes from a call such as uuid4(), next(ids) or self._new_id()."""
    for node in function.own:
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == name for target in node.targets
        ):
            if (
                isinstance(node.value, ast.Call)
                and (made := called_name(node.value))
                and (made[0].isupper() or "factory" in words(made))
            ):
                return True  # an object just made is a new key
            for inner in ast.walk(node.value):
                text = getattr(inner, "attr", getattr(inner, "id", ""))
                if words(str(text)) & (_UNIQUE | _MAKING):
                    return True
    return False


def _key_guarded(context: Context, function: Function, fate: Fate) -> bool:
    """True when the function looks at holder[key] or `key in holder` anywhere, for this key."""
    module = context.module
    key = ast.dump(fate.key) if fate.key is not None else ""
    holder = ast.unparse(fate.holder) if fate.holder is not None else ""
    for node in function.top().everything():
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load | ast.Del):
            if ast.unparse(node.value) == holder and ast.dump(node.slice) == key:
                return True
        elif isinstance(node, ast.Compare) and ast.dump(node.left) == key:
            if any(ast.unparse(other).startswith(holder) for other in node.comparators):
                return True
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.args
            and ast.dump(node.args[0]) == key
        ):
            if ast.unparse(node.func.value) == holder:
                return True
            helper = module.target(node.func, function)
            if helper is not None and _names_holder(helper, fate.holder):
                return True
    if isinstance(fate.holder, ast.Attribute):
        for parent in module.ancestors(fate.node):
            if isinstance(parent, ast.If) and _mentions_self(parent.test):
                return True
    return False


def _names_holder(helper: Function, holder: ast.expr | None) -> bool:
    name = self_attr(holder)
    return name is not None and any(
        isinstance(node, ast.Attribute) and node.attr == name for node in helper.everything()
    )
