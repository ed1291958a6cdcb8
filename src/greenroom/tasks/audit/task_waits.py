"""What a block waits for: its own work, or another task that somebody cancels.

A cancellation that comes out of the wait for another task may be that task's own; swallowing it
there is often right. These questions tell the two apart, as far as one file shows.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from greenroom.tasks.audit.context import called_name, is_close_like, is_end_like, words
from greenroom.tasks.audit.module import Function, Module, dotted, self_attr


def awaits(body: list[ast.stmt]) -> bool:
    return any(isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith) for node in walk_own(body))


def walk_own(body: list[ast.stmt]) -> Iterator[ast.AST]:
    todo: list[ast.AST] = list(body)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            continue
        yield node
        todo.extend(ast.iter_child_nodes(node))


def waits_for_cancelled(function: Function, body: list[ast.stmt]) -> bool:
    """True when the try only waits for tasks, and the function has cancelled something."""
    waits = [node for node in walk_own(body) if isinstance(node, ast.Await)]
    for node in walk_own(body):
        if isinstance(node, ast.AsyncFor) or (isinstance(node, ast.AsyncWith) and not is_timeout(node)):
            return False
    if not all(is_task_wait(node.value) for node in waits):
        return False
    for node in function.top().everything():
        name = called_name(node)
        if "cancel" in words(name) and name not in {"cancelled", "cancelling"}:
            return True
    return is_end_like(function.top().name)


def is_timeout(node: ast.AsyncWith) -> bool:
    return all("timeout" in called_name(item.context_expr) for item in node.items)


def only_waits_for_tasks(body: list[ast.stmt]) -> bool:
    """True when every await of the block is for another task, or ends something: the error may be theirs."""
    waits = [node for node in walk_own(body) if isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith)]
    return all(
        isinstance(node, ast.Await) and (is_task_wait(node.value) or is_close_like(called_name(node.value)))
        for node in waits
    )


def is_task_wait(node: ast.expr) -> bool:
    if isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
        return True
    if isinstance(node, ast.NamedExpr):
        return is_task_wait(node.value)
    if isinstance(node, ast.Call) and called_name(node) in {"wait_for", "gather", "shield", "wait"}:
        return all(
            is_task_wait(arg.value if isinstance(arg, ast.Starred) else arg)
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


def in_finite_loop(module: Module, node: ast.AST) -> bool:
    """True in `for child in children: try: await child.stop()`: it ends when all are through."""
    loops = [
        parent for parent in module.ancestors(node) if isinstance(parent, ast.While | ast.For | ast.AsyncFor)
    ]
    return bool(loops) and all(isinstance(loop, ast.For) for loop in loops)


def drains(module: Module, node: ast.AST, body: list[ast.stmt]) -> bool:
    """`while not task.done(): try: await asyncio.wait([task]) …`: it ends with the task, whoever cancels."""
    for parent in module.ancestors(node):
        if isinstance(parent, ast.While):
            test = parent.test
            if not (isinstance(test, ast.UnaryOp) and called_name(test.operand) == "done"):
                return False
            assert isinstance(test.operand, ast.Call)
            task = dotted(getattr(test.operand.func, "value", None))
            waits = [inner for inner in walk_own(body) if isinstance(inner, ast.Await)]
            return task is not None and all(
                any(dotted(part) == task for part in ast.walk(wait.value)) for wait in waits
            )
    return False


def waits_for_own_children(module: Module, body: list[ast.stmt]) -> bool:
    """True when every await is for an attribute that another method of this file cancels."""
    waits = [node for node in walk_own(body) if isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith)]
    for node in waits:
        name = self_attr(node.value) if isinstance(node, ast.Await) else None
        if name is None or not any(
            isinstance(method := module.parents.get(use), ast.Attribute) and method.attr == "cancel"
            for use in module.attributes.get(name, ())
        ):
            return False
    return True
