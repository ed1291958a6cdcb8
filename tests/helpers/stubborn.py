"""The `greenroom` command with an agent that does not take no for an answer.

Not a test: `ServerProcess(program="stubborn.py")` runs it. When a message says "stay", the reply swallows every
cancellation until a file `let-go` appears in the working folder, as a badly written client library does.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

from greenroom.agents.base import ChatRequest
from greenroom.agents.builtin import BuiltinEngine

_stream = BuiltinEngine.stream


async def stream(self: BuiltinEngine, request: ChatRequest) -> AsyncGenerator[str, None]:
    async for token in _stream(self, request):
        yield token
        if "stay" in str(request.messages[-1]):
            await hold_on()


async def hold_on() -> None:
    while not Path("let-go").exists():
        try:
            await asyncio.sleep(0.02)
        except asyncio.CancelledError:
            continue


if __name__ == "__main__":
    BuiltinEngine.stream = stream  # type: ignore[method-assign]
    from greenroom.cli import main

    sys.argv[0] = "greenroom"
    main()
