"""GA003: the only reference to a task is overwritten while the task may still run.

Any look at the old task before the new one is stored counts as a guard, and so does an early return
that tests the object's own state: the rule speaks only where the code shows no thought at all.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from greenroom.tasks.audit.context import (
    Context,
    in_finally,
    is_close_like,
    is_start_like,
)
from greenroom.tasks.audit.findings import Finding, Severity
from greenroom.tasks.audit.module import Function, Module, blocks, dotted, position, self_attr
from greenroom.tasks.audit.spawns import Fate, Kind, Spawn
from greenroom.tasks.audit.task_keys import ONCE, assigned, key_guarded, key_may_repeat, mentions_self


def overwritten(context: Context) -> Iterator[Finding]:
    """GA003."""
    for spawn in context.spawns.all:
        function = spawn.function
        if function is None or function.name in ONCE or _has_another_owner(spawn):
            continue
        places = [(fate, _holder(function, fate)) for fate in spawn.fates]
        if any(text and _is_looked_at(context, spawn, function, fate) for fate, text in places):
            continue
        for fate, text in places:
            if text:
                yield _finding(context, function, text, fate)
                break


def _has_another_owner(spawn: Spawn) -> bool:
    """True when a set or list holds the task too, or somebody else was given it."""
    return any(
        fate.kind in (Kind.AWAITED, Kind.HANDED)
        or (fate.kind is Kind.CONTAINER and not isinstance(fate.node, ast.Assign))
        for fate in spawn.fates
    )


def _holder(function: Function, fate: Fate) -> str:
    """What holds the task and could be overwritten, as the message names it; empty for other fates."""
    if fate.kind is Kind.CONTAINER and fate.key is not None:
        return f"{dotted(fate.holder)}[{ast.unparse(fate.key)}]"
    if fate.kind is not Kind.ATTRIBUTE or fate.holder is None:
        return ""
    if isinstance(fate.holder, ast.Name):
        return f"the global {fate.holder.id}"
    own = self_attr(fate.holder) is not None and function.cls is not None
    return ast.unparse(fate.holder) if own or _is_param_attr(function, fate.holder) else ""


def _is_looked_at(context: Context, spawn: Spawn, function: Function, fate: Fate) -> bool:
    """True when something looks at this place before it is overwritten, or it is new each time."""
    if fate.kind is Kind.CONTAINER:
        return not key_may_repeat(context, function, fate) or key_guarded(context, function, fate)
    if isinstance(fate.holder, ast.Name):
        return _global_guarded(context, function, fate.holder.id)
    return isinstance(fate.holder, ast.Attribute) and _guarded(context, function, fate.holder.attr, spawn)


def _finding(context: Context, function: Function, holder: str, fate: Fate) -> Finding:
    once = is_start_like(function.name) or is_close_like(function.name)
    once = once or _only_constructors_call(context, function)
    severity = Severity.INFO if once and not _in_loop(context.module, fate.node) else Severity.WARNING
    same = "for the same key " if fate.kind is Kind.CONTAINER else ""
    return context.finding(
        "GA003",
        fate.node,
        severity=severity,
        message=f"a second {function.name}() {same}overwrites {holder} while the first task may still run: "
        "the first has no owner then",
    )


def _is_param_attr(function: Function, holder: ast.expr | None) -> bool:
    """True for `client.task` where `client` comes from the caller and so outlives this call."""
    return (
        isinstance(holder, ast.Attribute)
        and isinstance(holder.value, ast.Name)
        and holder.value.id in function.params - {"self", "cls"}
        and not assigned(function, holder.value.id)
    )


def _in_loop(module: Module, node: ast.AST) -> bool:
    """True when a loop can bring the program back here: not when the code after `node` leaves it."""
    child = node
    leaves_function = leaves_loop = False
    for parent in module.ancestors(node):
        for block in blocks(parent).values():
            if isinstance(child, ast.stmt) and child in block:
                after = block[block.index(child) + 1 :]
                leaves_function |= any(isinstance(last, ast.Return | ast.Raise) for last in after)
                leaves_loop |= any(isinstance(last, ast.Break) for last in after)
        if isinstance(parent, ast.Try) and child in parent.body and parent.handlers:
            after = parent.body[parent.body.index(child) + 1 :] if isinstance(child, ast.stmt) else []
            if any(isinstance(inner, ast.Await) for statement in after for inner in ast.walk(statement)):
                leaves_function = leaves_loop = False  # an error on the way there may come round again
        if isinstance(parent, ast.While | ast.For | ast.AsyncFor):
            if not leaves_function and not leaves_loop:
                return True
            leaves_loop = False
        child = parent
    return False


def _only_constructors_call(context: Context, function: Function) -> bool:
    """True when this file calls the method, and only while an object is made."""
    nodes = [node for node in context.module.attributes.get(function.name, ()) if self_attr(node)]
    callers = [context.module.owner.get(node) for node in nodes]
    return bool(callers) and all(caller is not None and caller.name in ONCE for caller in callers)


def _global_guarded(context: Context, function: Function, name: str) -> bool:
    """True when the function, what it calls, or all its callers look at the global before."""

    def looks(found: Function) -> bool:
        return any(
            isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)
            for node in found.everything()
        )

    module = context.module
    if any(looks(found) for found in (function, *_helpers(module, function))):
        return True
    callers = {
        owner.top()
        for node in module.nodes
        if isinstance(node, ast.Name) and node.id == function.name and isinstance(node.ctx, ast.Load)
        if (owner := module.owner.get(node)) is not None and owner.top() is not function
    }
    return bool(callers) and all(looks(caller) for caller in callers)


def _guarded(context: Context, function: Function, name: str, spawn: Spawn) -> bool:
    module = context.module
    if _looks_at(module, function, name):
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
        earlier = earlier or in_finally(module, node)
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
        if isinstance(parent, ast.If) and mentions_self(parent.test):
            return True
    for node in function.own:
        if (
            isinstance(node, ast.If)
            and position(node) < position(spawn.node)
            and mentions_self(node.test)
            and any(isinstance(last, ast.Return | ast.Raise | ast.Continue) for last in node.body[-1:])
        ):
            return True
    return False


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
        caller.name in ONCE
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
