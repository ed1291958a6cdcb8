"""The short soak that the page starts: `greenroom soak` as a child process, against this very server.

A process of its own, because a visitor that shares the loop with what it measures measures itself. It belongs to
a scope: closing the server ends it. What its visitors said is deleted afterwards, so that it leaves no
conversations in anybody's list.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections import deque
from collections.abc import Callable
from datetime import datetime
from time import time
from typing import Any

import msgspec
import structlog

from greenroom.config.errors import ConfigError
from greenroom.config.settings import OpsSettings
from greenroom.history import HistoryError
from greenroom.server.ops.messages import OpsProblem, OpsSoak, OpsSoakCause, OpsSoakRequest, OpsSoakVerdict
from greenroom.server.security.door import Door
from greenroom.sessions.services import Services
from greenroom.tasks import AnyJob, ScopeClosed, TaskScope

log = structlog.stdlib.get_logger("greenroom.server")

MODES = ("mixed", "polite", "abrupt", "burst", "switch", "half-open", "room")
VISITS = 50
"""Where nobody says how many."""
SAY = "Tell me something about your day, please, with a few details."
"""What its visitors say: conversations begun while it ran that begin so are deleted when it has ended."""
TERMINATE_SECONDS = 2.0
MAX_LINE = 256 * 1024
TAIL_LINES = 5
TIDY_PAGES = 20


class SoakRefused(Exception):
    """It cannot be started; `status` is that of the answer."""

    def __init__(self, status: int, problem: OpsProblem) -> None:
        super().__init__(problem.problem)
        self.status = status
        self.problem = problem


class SoakRunner:
    """Runs one soak at a time.

    Args:
        scope: owns it.
        settings: its bounds.
        services: to delete its conversations.
        changed: called when there is something new about it.
    """

    def __init__(
        self, scope: TaskScope, settings: OpsSettings, services: Services, changed: Callable[[], None]
    ) -> None:
        self.current: OpsSoak | None = None
        self.url = ""
        """This server's own address, once it listens."""
        self.door: Door | None = None
        """Lets the child in where visitors need a token."""
        self._scope = scope
        self._settings = settings
        self._services = services
        self._changed = changed
        self._job: AnyJob[None] | None = None
        self._count = 0

    def start(self, request: OpsSoakRequest) -> OpsSoak:
        """Start one. Raises `SoakRefused`."""
        visits = min(VISITS, self._settings.soak_visits) if request.visits is None else request.visits
        self._check(visits, request.mode)
        self._count += 1
        run = self.current = OpsSoak(
            id=self._count,
            state="running",
            mode=request.mode,
            visits=visits,
            done=0,
            began=round(time(), 1),
            seconds=0.0,
            visit=[],
            first_reply_ms=[],
            verdict=None,
            error=None,
        )
        try:
            self._job = self._scope.start(self._run, run, name=f"soak {run.id}")
        except ScopeClosed:
            raise SoakRefused(503, OpsProblem("the server shuts down", "try again later", None)) from None
        log.info("soak started", visits=visits, mode=run.mode)
        return run

    async def cancel(self) -> bool:
        """End the one that runs; False if there is none."""
        if self._job is None or self._job.done():
            return False
        self._job.cancel("cancelled from the ops page")
        await self._job.wait(2 * TERMINATE_SECONDS)
        return True

    def _check(self, visits: int, mode: str) -> None:
        most = self._settings.soak_visits
        if not self._settings.soak:
            raise SoakRefused(403, OpsProblem("soaks are switched off", "set ops.soak to true", None))
        if not 1 <= visits <= most:
            problem = f"{visits} visits"
            raise SoakRefused(422, OpsProblem(problem, f"use 1 to {most} (ops.soak_visits)", "visits"))
        if mode not in MODES:
            problem = f"no mode {mode[:40]!r}"
            raise SoakRefused(422, OpsProblem(problem, f"use one of {', '.join(MODES)}", "mode"))
        if self._job is not None and not self._job.done():
            raise SoakRefused(409, OpsProblem("a soak runs already", "wait for it, or cancel it", None))

    # -- running -------------------------------------------------------------------------------------------

    async def _run(self, run: OpsSoak) -> None:
        # Histories tell local time, to the second.
        began = datetime.now().replace(microsecond=0).isoformat()
        try:
            async with asyncio.timeout(self._settings.soak_seconds):
                await self._measure(run)
        except asyncio.CancelledError:
            self._end("cancelled")
            raise
        except TimeoutError:
            seconds = self._settings.soak_seconds
            self._end("failed", error=f"it took longer than {seconds:g} s (ops.soak_seconds)")
        except OSError as error:
            self._end("failed", error=f"it could not be started: {error.strerror or error}")
        finally:
            with contextlib.suppress(ScopeClosed):  # The server shuts down; they stay.
                self._scope.start(self._tidy, began, name="tidy up after the soak")

    async def _measure(self, run: OpsSoak) -> None:
        door, environ = self.door, dict(os.environ)
        token = door.issue_pass("soak", seconds=self._settings.soak_seconds) if door is not None else ""
        if token:
            environ["GREENROOM_TOKEN"] = token
        command = [
            sys.executable, "-m", "greenroom", "soak", self.url, "--jsonl", "--mode", run.mode,
            "--visits", str(run.visits),
        ]  # fmt: skip
        if self.url.startswith("https:"):
            # It is this server, but called by its address, for which no certificate is made.
            command.append("--insecure")
        child = await asyncio.create_subprocess_exec(
            *command,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
            limit=MAX_LINE,
            start_new_session=True,
            env=environ,
        )
        tail: deque[str] = deque(maxlen=TAIL_LINES)
        try:
            await self._read(child, tail)
            code = await child.wait()
        finally:
            if door is not None:
                door.revoke_pass(token)
            await _end_child(child)
        if self.current is not None and self.current.state == "running":
            self._end("failed", error="\n".join(tail)[-1000:] or f"it left with exit code {code}")

    async def _read(self, child: Process, tail: deque[str]) -> None:
        assert child.stdout is not None
        while line := await self._line(child.stdout):
            try:
                told = msgspec.json.decode(line, type=dict[str, Any])
                self._told(told)
            except (msgspec.DecodeError, msgspec.ValidationError, KeyError, TypeError):
                tail.append(line.decode("utf-8", "replace").strip()[:300])

    async def _line(self, output: asyncio.StreamReader) -> bytes:
        try:
            return await output.readline()
        except ValueError:  # longer than `MAX_LINE`, and dropped
            return b"(a line that is too long)\n"

    def _told(self, told: dict[str, Any]) -> None:
        """One line of `greenroom soak --jsonl`."""
        run = self.current
        assert run is not None
        if "visit" in told:
            first = told["first_reply"]
            self._put(
                done=run.done + 1,
                visit=[*run.visit, int(told["visit"])],
                first_reply_ms=[*run.first_reply_ms, None if first is None else round(first * 1000, 2)],
            )
        elif "verdict" in told:
            found = told["verdict"]
            self._end("finished", verdict=msgspec.convert(found, _Verdict).for_page())
        elif "error" in told:
            self._end("failed", error=str(told["error"])[:1000])

    def _end(self, state: str, **fields: Any) -> None:
        if self.current is not None and self.current.state == "running":
            self._put(state=state, **fields)
            log.info("soak ended", state=state, visits=self.current.done)

    def _put(self, **fields: Any) -> None:
        assert self.current is not None
        seconds = round(time() - self.current.began, 1)
        self.current = msgspec.structs.replace(self.current, seconds=seconds, **fields)
        self._changed()

    # -- afterwards ----------------------------------------------------------------------------------------

    async def _tidy(self, began: str) -> None:
        """Delete the conversations that the soak has begun."""
        deleted = 0
        characters = self._services.characters
        for entry in characters.entries():
            try:
                deleted += await self._tidy_character(characters.load(entry.filename).conf_uid, began)
            except (ConfigError, HistoryError) as error:
                log.warning("a soak's conversations stay", character=entry.filename, error=str(error))
        log.info("tidied up after the soak", conversations=deleted)

    async def _tidy_character(self, conf_uid: str, began: str) -> int:
        histories = self._services.histories
        deleted, before = 0, None
        for _ in range(TIDY_PAGES):
            page = await histories.list(conf_uid, before=before)
            for entry in page.entries:
                if entry.updated < began:
                    return deleted
                if entry.created < began:
                    continue
                first = await histories.messages(conf_uid, entry.uid, limit=20)
                if first and first[0].role == "human" and first[0].content == SAY:
                    deleted += await histories.delete(conf_uid, entry.uid)
            before = page.next
            if before is None:
                break
        return deleted


class _Verdict(msgspec.Struct, frozen=True):
    """What `greenroom soak --jsonl` says at its end."""

    outcome: str
    headline: dict[str, str]
    causes: list[OpsSoakCause]
    exit_code: int

    def for_page(self) -> OpsSoakVerdict:
        return OpsSoakVerdict(
            outcome=self.outcome,
            headline=self.headline["en"],
            headline_zh=self.headline["zh"],
            causes=self.causes,
            exit_code=self.exit_code,
        )


async def _end_child(child: Process) -> None:
    """Terminate it if it still runs, and wait for its end: nothing may be left of it."""
    if child.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        child.terminate()
    try:
        async with asyncio.timeout(TERMINATE_SECONDS):
            await child.wait()
    except TimeoutError:
        log.warning("a soak did not end when told to, and is killed", pid=child.pid)
    finally:
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()


__all__ = ["MODES", "SoakRefused", "SoakRunner"]
