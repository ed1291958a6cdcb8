"""`greenroom top`: follows a server's stream and draws it until somebody presses q."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from rich.console import Console
from rich.live import Live

from greenroom.protocol.address import BadAddress
from greenroom.server.ops.messages import OpsSoakRequest
from greenroom.server.ops.top.keys import keys
from greenroom.server.ops.top.model import Model, NoOps
from greenroom.server.ops.top.remote import Lost, Refused, Remote, base_url, follow
from greenroom.server.ops.top.screen import screen
from greenroom.tasks import ScopeFull, TaskScope

USAGE = 2
TREE_EVERY = 2
"""The tree is asked for with every so many samples."""
SOAK = OpsSoakRequest(visits=50, mode="mixed")
PAGE = 10


def run_top(
    url: str, token: str, *, once: bool = False, as_json: bool = False, console: Console | None = None
) -> int:
    """Show it; returns the exit code. What goes wrong is printed, not raised."""
    console = console or Console()
    try:
        return asyncio.run(_top(base_url(url), token, once or not console.is_terminal, as_json, console))
    except (BadAddress, Refused, Lost, NoOps) as error:
        text = f"greenroom top: {error}"
        Console(stderr=True).print(text, style="red", markup=False, highlight=False, soft_wrap=True)
        return USAGE
    except KeyboardInterrupt:
        return 0


async def _top(url: str, token: str, once: bool, as_json: bool, console: Console) -> int:
    remote = Remote(url, token)
    try:
        if as_json:
            state = await remote.state()
            Model().hear("state", state)
            sys.stdout.write(state.decode() + "\n")
        elif once:
            model = Model()
            model.hear("state", await remote.state())
            model.tree = await remote.tree()
            console.print(screen(model, url, console.width, max(console.height, 48)), highlight=False)
        else:
            await Top(remote, console).run()
    finally:
        await remote.aclose()
    return 0


class Top:
    """The live screen."""

    def __init__(self, remote: Remote, console: Console) -> None:
        self.model = Model()
        self._remote = remote
        self._console = console
        self._changed = asyncio.Event()
        self._over = False
        self._samples = 0
        self._failed: BaseException | None = None
        self._live: Live | None = None
        self._scope: TaskScope

    async def run(self) -> None:
        """Until q. Raises `Refused`, `NoOps`, and `Lost` if there never was a connection."""
        loop = asyncio.get_running_loop()
        if hasattr(signal, "SIGWINCH"):
            loop.add_signal_handler(signal.SIGWINCH, self._changed.set)
        async with TaskScope("top", max_running=8, close_timeout=1.0) as self._scope:
            self._scope.start(self._guarded, self._follow, name="stream")
            with Live(console=self._console, screen=True, auto_refresh=False) as live, keys(self.press):
                while not self._over:
                    size = self._console.size
                    shown = screen(self.model, self._remote.url, size.width, size.height)
                    live.update(shown, refresh=True)
                    await self._changed.wait()
                    self._changed.clear()
        if self._failed is not None:
            raise self._failed

    def press(self, key: str) -> None:
        """What a key does."""
        model = self.model
        actions: dict[str, Callable[[], object]] = {
            "q": self._stop,
            "up": lambda: model.move(-1),
            "down": lambda: model.move(1),
            "page up": lambda: model.move(-PAGE),
            "page down": lambda: model.move(PAGE),
            "enter": model.toggle,
            "right": lambda: model.open(True),
            "left": lambda: model.open(False),
            "o": model.sort,
            "s": self._stack,
            "S": self._soak,
            "escape": self._back,
        }
        action = actions.get(key)
        if action is not None:
            if key != "S":
                model.notice = ""
            action()
            self._changed.set()

    def _stop(self) -> None:
        self._over = True

    def _back(self) -> None:
        self.model.stack = None

    def _stack(self) -> None:
        row = self.model.row()
        if self.model.stack is not None:
            self.model.stack = None
        elif row is None or row.task is None:
            self.model.notice = "select a task first: ⏎ opens its owner"
        else:
            self._start(self._ask_stack(row.task.id))

    def _soak(self) -> None:
        soak = self.model.state.soak if self.model.state is not None else None
        running = soak is not None and soak.state == "running"
        question = "end the soak" if running else f"start a soak of {SOAK.visits} visits against this server"
        question = f"press S again to {question}"
        if self.model.notice != question:
            self.model.notice = question
            return
        self.model.notice = ""
        self._start(self._remote.cancel_soak() if running else self._remote.start_soak(SOAK))

    async def _ask_stack(self, id: str) -> None:
        self.model.stack = await self._remote.stack(id)
        if self.model.stack is None:
            self.model.notice = "that task has ended"

    # -- following -----------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        await follow(self._remote, self._hear, self._lost)

    def _hear(self, name: str, data: str) -> None:
        self.model.hear(name, data)
        if name in ("state", "sample"):
            if self._samples % TREE_EVERY == 0:
                self._start(self._ask_tree())
            self._samples += 1
        self._changed.set()

    def _lost(self, why: str) -> None:
        self.model.lost = why
        self._changed.set()

    async def _ask_tree(self) -> None:
        self.model.tree = await self._remote.tree()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside the stream; what goes wrong with it is told on the screen."""

        async def told() -> None:
            try:
                await work
            except (Refused, Lost) as error:
                self.model.notice = str(error)
            self._changed.set()

        try:
            self._scope.start(told, name=work.__name__)
        except ScopeFull:
            work.close()

    async def _guarded(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await work()
        except (Refused, Lost, NoOps) as error:
            self._failed = error
            self._over = True
            self._changed.set()
