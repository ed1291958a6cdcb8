"""What a rule gets: the indexed file, its spawns, and the questions several rules ask."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cached_property

from greenroom.tasks.audit.findings import RULES, Finding, Severity
from greenroom.tasks.audit.module import ClassInfo, Function, Module, dotted
from greenroom.tasks.audit.spawns import Spawns

_WORDS = re.compile(r"[a-z]+|[A-Z]+(?![a-z])|[A-Z][a-z]*")

# Names of methods that end the object for good ...
_CLOSE = frozenset((
    "close", "aclose", "stop", "shutdown", "disconnect", "cleanup", "aexit", "exit", "terminate",
    "teardown", "destroy", "dispose", "finalize", "unload", "quit", "lost",
))  # fmt: skip
# ... and names of methods that end some of its work. Only whether they cancel a task matters.
_END = _CLOSE | frozenset((
    "cancel", "kill", "abort", "detach", "uninstall", "deactivate", "release", "finish", "leave", "join",
    "drain", "remove", "reset", "end", "clear", "clean", "del", "unsubscribe", "suspend", "pause",
    "deinit", "closing",
))  # fmt: skip
# Names of methods that are called once in the life of an object.
_START = frozenset((
    "init", "start", "connect", "open", "run", "setup", "main", "aenter", "enter", "startup", "launch",
    "serve", "initialize", "begin", "prepare", "install", "load", "boot", "post", "attach", "listen",
    "subscribe", "made", "running", "added", "spawn", "resume", "accept", "accepted", "lifespan",
))  # fmt: skip


# Words that may stand before the verb: `on_close`, `async_stop`, `_handle_disconnect`, `session_close`.
_FILLERS = frozenset((
    "on", "async", "handle", "do", "perform", "force", "graceful", "gracefully", "safe", "safely", "try", "a",
    "connection", "session", "client", "server", "will", "at", "sync", "http", "ws", "internal", "begin",
))  # fmt: skip
_STARTING_WORDS = frozenset({"task", "spawn", "future", "background"})
_RUNNING = frozenset({"run", "run_until_complete", "start_soon", "gather", "wait_for_all"})


def words(name: str) -> set[str]:
    """The lower-case words of a name: `_closeAll_now` gives close, all, now."""
    return {word.lower() for word in _WORDS.findall(name)}


def is_close_like(name: str) -> bool:
    """True for close, stop, aclose, __aexit__, on_disconnect; not for wait_closed or monitor_disconnect."""
    found = [word.lower() for word in _WORDS.findall(name)]
    while len(found) > 1 and found[0] in _FILLERS:
        del found[0]
    return bool(found) and (found[0] in _CLOSE or found[:2] in (["tear", "down"], ["shut", "down"]))


def is_end_like(name: str) -> bool:
    """True for whatever may end a part of the object's work: also cancel, leave, reset, ..."""
    return is_close_like(name) or bool(words(name) & _END)


def is_start_like(name: str) -> bool:
    """True for start, connect, __aenter__, setup, ...: called once by contract."""
    return bool(words(name) & _START)


def called_name(node: ast.AST) -> str:
    """The last name of a call's function: `cancel` for `self._task.cancel()`; empty if not a call."""
    if not isinstance(node, ast.Call):
        return ""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


class Context:
    """One file under audit."""

    def __init__(self, module: Module) -> None:
        self.module = module

    @cached_property
    def spawns(self) -> Spawns:
        """Where the file starts tasks."""
        return Spawns(self.module)

    @cached_property
    def started(self) -> set[Function]:
        """Functions of this file that run as the main function of a task."""
        return self.spawns.started_functions()

    @cached_property
    def started_names(self) -> set[str]:
        """Names of functions that run as tasks or as the program's main, as far as names tell.

        Wider than `started`: `spawn(other.run())` counts, whoever defines `spawn` and `run`.
        """
        found: set[str] = set()
        for call in self.module.calls:
            if words(called_name(call)) & _STARTING_WORDS or called_name(call) in _RUNNING:
                for arg in call.args:
                    func = arg.func if isinstance(arg, ast.Call) else arg
                    found.add((dotted(func) or "").rsplit(".", 1)[-1])
            for keyword in call.keywords:
                if keyword.arg in {"target", "coro"} and isinstance(keyword.value, ast.Call):
                    found.add(called_name(keyword.value))
        return found

    @cached_property
    def run_to_end(self) -> set[str]:
        """Names of functions that run_until_complete() runs in this file."""
        return {
            called_name(call.args[0])
            for call in self.module.calls
            if called_name(call) == "run_until_complete" and call.args
        } - {""}

    @cached_property
    def call_counts(self) -> Counter[Function]:
        """How often each function of this file is called in it."""
        found: Counter[Function] = Counter()
        for call in self.module.calls:
            hit = self.module.target(call.func, self.module.owner.get(call))
            if hit is not None:
                found[hit] += 1
        return found

    def finding(
        self,
        rule: str,
        node: ast.AST,
        *,
        severity: Severity | None = None,
        message: str | None = None,
        remedy: str | None = None,
    ) -> Finding:
        """A finding of `rule` at `node`, with the rule's own words where none are given."""
        known = RULES[rule]
        line = getattr(node, "lineno", 1)
        return Finding(
            path=self.module.path,
            line=line,
            col=self.module.column(node),
            rule=rule,
            severity=known.severity if severity is None else severity,
            message=message or known.harm,
            remedy=remedy or known.remedy,
            code=self.module.code(line),
        )

    def methods(self, cls: ClassInfo) -> Iterator[Function]:
        """All methods of the class, its bases and subclasses in this file."""
        for member in self.module.family(cls):
            yield from member.methods.values()

    def semaphore_names(self) -> set[str]:
        """Last names of everything assigned from asyncio.Semaphore(...)."""
        found: set[str] = set()
        for node in self.module.nodes:
            if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Call):
                made = self.module.resolve(node.value.func) or ""
                if made.endswith(("asyncio.Semaphore", "asyncio.BoundedSemaphore")):
                    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                    for target in targets:
                        text = dotted(target)
                        if text:
                            found.add(text.rsplit(".", 1)[-1])
        return found


def in_finally(module: Module, node: ast.AST) -> bool:
    """True when `node` stands in the `finally` part of a try in its function."""
    child = node
    for parent in module.ancestors(node):
        if isinstance(parent, ast.Try | ast.TryStar) and child in parent.finalbody:
            return True
        child = parent
    return False


def in_handler(module: Module, node: ast.AST) -> bool:
    """True when `node` stands in an `except` part in its function."""
    return any(isinstance(parent, ast.ExceptHandler) for parent in module.ancestors(node))


def under_deadline(module: Module, node: ast.AST) -> bool:
    """True when a timeout surrounds `node`: wait_for(...), `async with timeout()`, move_on_after, ..."""
    for parent in module.ancestors(node):
        if isinstance(parent, ast.Call) and called_name(parent) in {"wait_for", "wait"}:
            return True
        if isinstance(parent, ast.AsyncWith | ast.With):
            for item in parent.items:
                name = called_name(item.context_expr).lower()
                if "timeout" in name or name in {"move_on_after", "fail_after", "move_on_at", "fail_at"}:
                    return True
    return False


def has_timeout(call: ast.Call) -> bool:
    """True when the call has a timeout that is not the constant None."""
    for keyword in call.keywords:
        if keyword.arg is None:
            return True
        if keyword.arg == "timeout":
            return not (isinstance(keyword.value, ast.Constant) and keyword.value.value is None)
    return False
