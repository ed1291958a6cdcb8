"""One connection of the fault server: enough of the client protocol, and the defects that concern a page.

The sound way is the default: everything a page starts lives in its scope and ends with it. A defect hands
the same work to `world.forgotten`, a scope that nobody closes before the process ends: what a bare
`create_task` comes to.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections import deque
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from greenroom.tasks import AnyJob, LatestSlot, TaskScope

if TYPE_CHECKING:
    from greenroom.lab.faults.world import World

CHARACTERS = [{"filename": "white.yaml", "name": "white"}, {"filename": "sakura.yaml", "name": "sakura"}]
BLOCKED_SECONDS = 0.15
CONTEXT_BYTES = 300_000


class Page:
    """Serves one client until it goes."""

    def __init__(self, world: World, socket: ServerConnection) -> None:
        self.world = world
        self.uid = str(uuid.uuid4())
        self.history = uuid.uuid4().hex
        self.buffer = bytearray(CONTEXT_BYTES)
        self.closed = False
        self._socket = socket
        self._scope = TaskScope(f"page {self.uid[:8]}", parent=world.scope, max_waiting=50)
        self._agent = LatestSlot(self._scope, "agent init")
        self._init: AnyJob[bytearray] | None = None
        self._turn: AnyJob[None] | None = None
        self._unplayed: deque[asyncio.Event] = deque()
        self.turns: list[str] = []

    def _has(self, fault: str) -> bool:
        return fault in self.world.faults

    async def serve(self) -> None:
        """Greet, answer until the client goes, then close everything."""
        try:
            self.world.opened(self)
            await self._greet()
            async for frame in self._socket:
                await self._receive(json.loads(frame))
        except ConnectionClosed:
            pass  # Gone without a word: the same end.
        finally:
            self.closed = True
            self.world.closed(self)
            if self._turn is not None and not self._has("fire-and-forget"):
                self._turn.cancel("page closed")
            await self._scope.close(1.0)

    async def send(self, kind: str, **fields: Any) -> None:
        """Send one message; nothing once the client has gone."""
        if self.closed:
            return
        try:
            await self._socket.send(json.dumps({"type": kind, **fields}))
        except ConnectionClosed:
            self.closed = True

    async def _greet(self) -> None:
        await self.send("group-update", members=[], is_owner=False)
        await self.send("full-text", text="Connection established")
        await self._model()
        await self.send("group-update", members=[], is_owner=False)
        await self.send("control", text="start-mic")

    async def _model(self) -> None:
        fields = {"model_info": None, "conf_name": "white", "conf_uid": "white", "client_uid": self.uid}
        await self.send("set-model-and-conf", **fields)

    async def _receive(self, message: dict[str, Any]) -> None:
        match message.get("type"):
            case "text-input":
                await self._ask(str(message.get("text", "")))
            case "frontend-playback-complete":
                if self._unplayed:
                    self._unplayed.popleft().set()
            case "interrupt-signal":
                if self._turn is not None:
                    self._turn.cancel("interrupted")
            case "switch-config":
                await self._switch(str(message.get("file", "")))
            case "fetch-backgrounds":
                await self.send("background-files", files=[])
            case "fetch-configs":
                await self.send("config-files", configs=CHARACTERS)
            case "fetch-history-list":
                await self.send("history-list", histories=self._histories())
            case "create-new-history":
                self.history = uuid.uuid4().hex
                await self.send("new-history-created", history_uid=self.history)
            case "heartbeat":
                await self.send("heartbeat-ack")
            case _:
                pass

    def _histories(self) -> list[dict[str, Any]]:
        if self._has("files-at-open"):
            return self.world.read_histories()
        return []

    # -- character -----------------------------------------------------------------------------------------

    async def _switch(self, file: str) -> None:
        if self._has("untracked-init"):
            self._init = self.world.forgotten.start(self.world.loader.load)
        else:
            self._init = self._agent.start(self.world.loader.load)
        await self._model()
        await self.send("config-switched", message=f"Switched to config: {file}")

    # -- turns ---------------------------------------------------------------------------------------------

    async def _ask(self, text: str) -> None:
        if self._has("blocking-call"):
            time.sleep(BLOCKED_SECONDS)  # noqa: ASYNC251 - the defect itself
        if self._has("fire-and-forget") or self._has("orphaned-turn"):
            # With the latter the close still cancels the turn it knows of, which is the latest.
            self._turn = self.world.forgotten.start(self._reply, text)
        else:
            self._turn = self._scope.start(self._reply, text, key="turn", policy="queue")

    async def _reply(self, text: str) -> None:
        if self._init is not None:
            await self._init.wait()
        played = asyncio.Event()
        if self._has("orphaned-turn"):
            self._unplayed.clear()  # A second turn beside the first takes its place.
        self._unplayed.append(played)
        await self.send("control", text="conversation-chain-start")
        await self.send("full-text", text="Thinking...")
        self.world.remember(self, text)
        # Every sentence is handed to the engine at once, as servers do that speak in parallel: a serial engine
        # then has all of them in its queue.
        owner = self.world.forgotten if self._has("speech-after-close") else self._scope
        spoken: asyncio.Queue[AnyJob[str] | None] = asyncio.Queue()
        sender = owner.start(self._send_spoken, spoken) if owner.open else None
        try:
            async with aclosing(self.world.provider.stream(self.world.remembered(self))) as stream:
                async for sentence in stream:
                    if owner.open:
                        spoken.put_nowait(owner.start(self.world.speech.say, sentence, name=sentence))
        finally:
            spoken.put_nowait(None)
        if sender is not None:
            await sender.wait()
        await self.send("backend-synth-complete")
        if not self.closed:
            try:
                patience = None if self._has("orphaned-turn") else self.world.pace.playback
                await asyncio.wait_for(played.wait(), patience)
            except TimeoutError:
                pass  # A page that never says so has still heard it.
        self.world.store(self, text)
        await self.send("force-new-message")
        await self.send("control", text="conversation-chain-end")

    async def _send_spoken(self, spoken: asyncio.Queue[AnyJob[str] | None]) -> None:
        """Send the sentences in order, each when it has been spoken."""
        while (job := await spoken.get()) is not None:
            if not await job.wait() or job.cancelled():
                return
            await self.send(
                "audio", audio=job.result(), volumes=[], slice_length=20, actions={}, forwarded=False,
                display_text={"text": job.name, "name": "White", "avatar": None},
            )  # fmt: skip
