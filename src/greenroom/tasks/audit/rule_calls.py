"""GA010: calls that block the event loop. GA011: queues without a limit.

GA010 knows a short list of calls that always wait for the network, a process or a clock. Reading a
small file also blocks, but too briefly to be worth an alarm.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from greenroom.tasks.audit.context import Context
from greenroom.tasks.audit.findings import Finding
from greenroom.tasks.audit.module import dotted

_BLOCKING = {
    "time.sleep": "await asyncio.sleep()",
    "urllib.request.urlopen": "an async HTTP client, or asyncio.to_thread()",
    "subprocess.run": "asyncio.create_subprocess_exec()",
    "subprocess.call": "asyncio.create_subprocess_exec()",
    "subprocess.check_call": "asyncio.create_subprocess_exec()",
    "subprocess.check_output": "asyncio.create_subprocess_exec()",
    "os.system": "asyncio.create_subprocess_shell()",
    "socket.create_connection": "asyncio.open_connection()",
    "socket.getaddrinfo": "loop.getaddrinfo()",
    "socket.gethostbyname": "loop.getaddrinfo()",
}
_HTTP_VERBS = {"get", "post", "put", "patch", "delete", "head", "options", "request", "stream"}
_HTTP_MODULES = {"requests", "httpx"}


def blocking(context: Context) -> Iterator[Finding]:
    """GA010."""
    module = context.module
    for call in module.calls:
        function = module.owner.get(call)
        if function is None or not function.is_async:
            continue
        name = module.resolve(call.func)
        if name is None:
            continue
        remedy = _BLOCKING.get(name)
        root, _, verb = name.partition(".")
        if remedy is None and root in _HTTP_MODULES and verb in _HTTP_VERBS:
            remedy = "an async HTTP client, or asyncio.to_thread()"
        if remedy is None:
            continue
        if (
            name == "time.sleep"
            and call.args
            and isinstance(call.args[0], ast.Constant)
            and call.args[0].value == 0
        ):
            continue
        yield context.finding(
            "GA010",
            call,
            message=f"{name}() blocks the event loop: every connection of the process waits with it",
            remedy=f"use {remedy}",
        )


def unbounded_queues(context: Context) -> Iterator[Finding]:
    """GA011."""
    module = context.module
    for call in module.calls:
        name = module.resolve(call.func)
        if (
            name in {"asyncio.Queue", "asyncio.LifoQueue", "asyncio.PriorityQueue"} and not _has_limit(call)
        ) or (name == "collections.deque" and _is_fifo(context, call)):
            yield context.finding("GA011", call)


def _has_limit(call: ast.Call) -> bool:
    given = call.args[0] if call.args else None
    for keyword in call.keywords:
        if keyword.arg in {"maxsize", None}:
            given = keyword.value
    return given is not None and not (isinstance(given, ast.Constant) and not given.value)


def _is_fifo(context: Context, call: ast.Call) -> bool:
    """True for an attribute that is only ever filled at one end and emptied at the other."""
    module = context.module
    if len(call.args) > 1 or any(keyword.arg == "maxlen" for keyword in call.keywords):
        return False
    parent = module.parents.get(call)
    targets = parent.targets if isinstance(parent, ast.Assign) else [getattr(parent, "target", None)]
    for target in targets:
        text = dotted(target)
        if text is None or "." not in text:
            continue
        used: set[str] = set()
        asks_size = False
        for node in module.attributes.get(text.rsplit(".", 1)[-1], ()):
            outer = module.parents.get(node)
            if isinstance(outer, ast.Attribute):
                used.add(outer.attr)
            elif isinstance(outer, ast.Call) and getattr(outer.func, "id", "") == "len":
                asks_size = True
        return "append" in used and "popleft" in used and not asks_size
    return False
