"""`greenroom soak`: finds or starts the server, runs the soak, prints and writes what came out."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from rich.console import Console

from greenroom.lab.display import Progress, verdict_view, visits_table
from greenroom.lab.lines import Lines
from greenroom.lab.olv import OlvVisitor
from greenroom.lab.plan import MODES, NoSuchMode, steps
from greenroom.lab.process import NoProcess, ProcessTree, find_by_port
from greenroom.lab.record import Run, Visit, save
from greenroom.lab.report import NotBuilt, check_built, write_report
from greenroom.lab.script import BadScript, Script, read_script
from greenroom.lab.scripted import ScriptVisitor
from greenroom.lab.soak import Options, Soak
from greenroom.lab.target import CannotStart, OwnServer, port_of, task_counter, websocket_url
from greenroom.lab.verdict import Verdict, judge
from greenroom.lab.verdict.figures import median_of
from greenroom.lab.visitors import Access, Unreachable, Visitor, shown
from greenroom.protocol.address import BadAddress
from greenroom.tasks import TaskScope

USAGE = 2
RESTART_SECONDS = 60.0
VISITS_AFTER_RESTART = 4


@dataclass(frozen=True)
class Wanted:
    """What the command line asks for."""

    url: str | None = None
    mode: str = "mixed"
    visits: int = 50
    parallel: int = 1
    duration: float | None = None
    think: float = 0.0
    patience: float = 60.0
    pid: int | None = None
    script: Path | None = None
    assert_flat: bool = False
    restart_command: str | None = None
    json: Path | None = None
    report: Path | None = None
    language: str = "en"
    lines: bool = False
    access: Access = Access()  # noqa: RUF009 - frozen


def run_soak(wanted: Wanted, console: Console | None = None) -> int:
    """Do it; returns the exit code. Failures of usage are printed, not raised."""
    lines = Lines(sys.stdout) if wanted.lines else None
    console = console or Console(quiet=wanted.lines)
    try:
        script = read_script(wanted.script) if wanted.script is not None else None
        _check(wanted, script)
        if wanted.url is None and script is None:
            console.print(
                "Starting a Greenroom with a quick built-in agent, 4 provider slots and one voice …"
            )
            with OwnServer() as server:
                run = _measure(wanted, console, server.url, server.pid, None, "greenroom serve", lines)
        else:
            address = wanted.url or (script.url if script is not None else "")
            url = websocket_url(address, "/" if script is not None else "/client-ws")
            name = script.name if script else ""
            run = _measure(wanted, console, url, wanted.pid, script, name, lines)
    except (BadAddress, BadScript, NoProcess, NoSuchMode, NotBuilt, Unreachable, CannotStart) as error:
        if lines is not None:
            lines.write(error=str(error))
        console.print(f"greenroom soak: {error}", style="red", markup=False, highlight=False)
        return USAGE
    except KeyboardInterrupt:
        console.print("greenroom soak: interrupted; nothing was judged", style="red")
        return 130
    verdict = judge(run)
    if lines is not None:
        lines.verdict(run, verdict)
    console.print(visits_table(run, wanted.language, console.width))
    console.print(verdict_view(run, verdict, wanted.language))
    return _written(wanted, console, run, verdict)


def _check(wanted: Wanted, script: Script | None) -> None:
    """Refuse what cannot work before anything is started."""
    if wanted.mode not in MODES:
        raise NoSuchMode(f"no mode {wanted.mode!r}: it is one of {', '.join(MODES)}")
    if wanted.report is not None:
        check_built()
    if script is None:
        return
    if not (wanted.url or script.url):
        raise BadAddress("the script has no url: name the server on the command line")
    next(steps(wanted.mode, ScriptVisitor.manners))


def _measure(
    wanted: Wanted,
    console: Console,
    url: str,
    pid: int | None,
    script: Script | None,
    server: str,
    lines: Lines | None,
) -> Run:
    tree, note = _tree(url, pid)
    with Progress(console, wanted.visits, wanted.language) as progress:
        run = asyncio.run(_soak(wanted, url, tree, script, lines or progress))
    run.server = server
    run.patience = wanted.patience
    run.url = shown(url)
    if note:
        run.notes.append(note)
    return run


def _tree(url: str, pid: int | None) -> tuple[ProcessTree | None, str]:
    """The server's processes; a server elsewhere has none here."""
    if pid is not None:
        return ProcessTree(pid), ""
    port = port_of(url)
    if port is None:
        return None, "the server runs on another machine: CPU, memory and processes cannot be seen from here"
    try:
        return ProcessTree(find_by_port(port)), ""
    except NoProcess as error:
        return None, f"CPU, memory and processes were not measured: {error}"


async def _soak(
    wanted: Wanted, url: str, tree: ProcessTree | None, script: Script | None, on_visit: Callable[[Run], None]
) -> Run:
    visitor: Visitor
    if script is None:
        visitor = OlvVisitor(url, wanted.patience, wanted.think, wanted.access)
    else:
        visitor = ScriptVisitor(script, url, wanted.patience, wanted.think, wanted.access)
    counter = await task_counter(url, wanted.access) if script is None else None
    try:
        options = Options(wanted.mode, wanted.visits, wanted.parallel, wanted.duration)
        soak = Soak(url, visitor, options, tree=tree, tasks=counter, on_visit=on_visit)
        run = await soak.go()
    finally:
        if counter is not None:
            await counter.aclose()
    if wanted.restart_command is not None:
        await _restart(wanted.restart_command, visitor, run)
    return run


def _shell(command: str) -> int:
    return subprocess.run(command, shell=True, check=False).returncode


async def _restart(command: str, visitor: Visitor, run: Run) -> None:
    """Restart the server and visit it again; notes what happened in the run."""
    last = [visit.first_reply for visit in run.visits[-10:] if visit.first_reply is not None]
    async with TaskScope("restart", threads=1) as scope:
        code = await scope.run_in_thread(_shell, command)
    if code != 0:
        run.notes.append(f"the restart command ended with {code}")
        return
    deadline = monotonic() + RESTART_SECONDS
    replies: list[float] = []
    while len(replies) < VISITS_AFTER_RESTART and monotonic() < deadline:
        visit = Visit(0, "polite")
        await visitor.pay(visit)
        if visit.first_reply is not None:
            replies.append(visit.first_reply)
        else:
            await asyncio.sleep(0.2)
    before, after = median_of(last), median_of(replies[1:] or replies)
    if before is None or after is None:
        run.notes.append(f"after the restart no reply came within {RESTART_SECONDS:.0f} s")
    else:
        run.restart = {"before": before, "after": after}


def document(run: Run, verdict: Verdict) -> dict[str, Any]:
    """What `--json` writes."""
    return {"run": run, "verdict": {**asdict(verdict), "exit_code": verdict.exit_code}}


def _written(wanted: Wanted, console: Console, run: Run, verdict: Verdict) -> int:
    try:
        if wanted.json is not None:
            save(document(run, verdict), wanted.json)
            console.print(f"Written: {wanted.json}", highlight=False)
        if wanted.report is not None:
            write_report([run], wanted.report, [""])
            console.print(f"Written: {wanted.report}", highlight=False)
    except OSError as error:
        console.print(f"greenroom soak: cannot write {error.filename}: {error.strerror}", style="red")
        return USAGE
    if wanted.assert_flat and verdict.outcome != "flat":
        return 1
    return verdict.exit_code
