"""Keys under which tasks are kept: which may come twice, and whether the code looks before it stores."""

from __future__ import annotations

import ast

from greenroom.tasks.audit.context import Context, called_name, words
from greenroom.tasks.audit.module import Function, Module, dotted, self_attr
from greenroom.tasks.audit.spawns import Fate

_UNIQUE = {"uuid", "token", "id", "ids", "nonce", "counter", "count", "seq", "sequence", "number", "next"}
_UNIQUE_OWNERS = {"request", "req", "message", "msg", "call", "job", "task", "stream", "run", "query"}
_LASTING_OWNERS = {
    "user", "author", "member", "player", "client", "session", "room", "channel", "guild", "chat", "device",
    "peer", "group", "visitor", "character", "speaker",
}  # fmt: skip
_MAKING = {"new", "generate", "create", "make", "random", "start", "open", "spawn", "register", "allocate"}
# A key that is such an object itself, not its id: each one comes once.
_PASSING = {"stream", "request", "req", "message", "msg", "call", "job", "event", "query", "packet", "frame"}
ONCE = {"__init__", "__post_init__", "__aenter__", "__enter__", "__attrs_post_init__", "setUp", "asyncSetUp"}


def key_may_repeat(context: Context, function: Function, fate: Fate) -> bool:
    """True for keys that name a lasting thing (a user, a room); False for keys made fresh."""
    module = context.module
    key = fate.key
    if key is None:
        return False
    holder = fate.holder
    if isinstance(key, ast.Constant):
        return isinstance(key.value, str) and self_attr(holder) is not None
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
    if isinstance(key, ast.Name) and last in _PASSING:
        return False
    parts = words(last)
    owner = words(text.rsplit(".", 2)[-2]) if "." in text else set[str]()
    if parts & {"uuid", "token", "nonce", "seq", "sequence", "counter", "fut", "future", "task"}:
        return False
    if parts == {"id"} and owner & _LASTING_OWNERS:
        return True
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
            return function.name not in ONCE and not assigned(function, name)
    return False


def assigned(function: Function, name: str) -> bool:
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


def key_guarded(context: Context, function: Function, fate: Fate) -> bool:
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
    if isinstance(fate.key, ast.Constant) and any(
        isinstance(node, ast.Attribute)
        and ast.unparse(node) == holder
        and not isinstance(getattr(module.parents.get(node), "ctx", None), ast.Store)
        for node in function.own
    ):
        return True
    if isinstance(fate.holder, ast.Attribute):
        for parent in module.ancestors(fate.node):
            if isinstance(parent, ast.If) and mentions_self(parent.test):
                return True
    return False


def _names_holder(helper: Function, holder: ast.expr | None) -> bool:
    name = self_attr(holder)
    return name is not None and any(
        isinstance(node, ast.Attribute) and node.attr == name for node in helper.everything()
    )


def mentions_self(test: ast.expr) -> bool:
    return any(self_attr(node) is not None for node in ast.walk(test))
