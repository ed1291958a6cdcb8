"""Run the kiosk: `python -m benchmarks.kiosk --minutes 120 --out kiosk.json`; `--plot` draws it.

Three screens, a real server process, a provider that fails now and then. Time in which nobody stands before a
screen is skipped; everything else takes the time it takes. At every virtual midnight all screens fall still, and
the server is looked at: memory, descriptors, threads, tasks, processor time, and how fast it answered that day.
Written down after every day, so that a run can be cut short with Ctrl-C and still be read.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import random
import statistics
import sys
import tempfile
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

import psutil  # noqa: E402 - the path has to be set first
from tests.helpers.moody_provider import MoodyProvider  # noqa: E402
from tests.helpers.server_process import ServerProcess  # noqa: E402

from greenroom.tasks import TaskScope  # noqa: E402

from .day import visits_of_day  # noqa: E402
from .report import write_report  # noqa: E402
from .screen import CHARACTER_FILES, CHARACTERS, Screen, Tally  # noqa: E402

SCREENS = 3


def settings(base_url: str) -> dict[str, Any]:
    """The server's settings: the usual ones, but for time-outs that would only make the hiccups longer."""
    return {
        "character": CHARACTERS[0],
        "agent": {
            "kind": "openai",
            "openai": {"base_url": base_url, "model": "test-model", "silence_seconds": 3, "retries": 1},
        },
        "voice": {"tts": {"engine": "tone", "seconds_per_sentence": 0.01, "slots": 2}},
        "limits": {"engines_idle_seconds": 5},
    }


async def midnight(server: ServerProcess, day: int, began: float, tally: Tally, cpu: float) -> dict[str, Any]:
    """Everything the server holds now that nobody wants anything, and how the day was."""
    found = await server.quiet(clients=SCREENS)
    files = [path for path in server.data_dir.rglob("*") if path.is_file()]
    sample = {
        "day": day,
        "seconds": round(monotonic() - began, 1),
        "visits": tally.visits,
        "turns": tally.turns,
        "problems": tally.problem_count,
        "rss_mb": round(found["rss_bytes"] / 2**20, 2),
        "threads": found["threads"],
        "fds": found["fds"],
        "tasks": found["tasks"]["running"],
        "abandoned": found["abandoned"],
        "children": found["children"],
        "disk_mb": round(sum(path.stat().st_size for path in files) / 2**20, 2),
        "cpu_seconds": round(cpu, 2),
        "first_ms": _milliseconds(tally.first),
        "opened_ms": _milliseconds(tally.opened),
    }
    tally.first.clear()
    tally.opened.clear()
    return sample


def _milliseconds(values: list[float]) -> list[float] | None:
    """Count, lower quartile, median and 95th percentile."""
    if not values:
        return None
    ordered = sorted(values)
    picks = (ordered[len(ordered) // 4], statistics.median(ordered), ordered[int(len(ordered) * 0.95)])
    return [len(ordered), *(round(value * 1000, 2) for value in picks)]


def _keep(record: dict[str, Any], out: Path) -> None:
    out.write_text(json.dumps(record, indent=1), encoding="utf-8")


async def run(minutes: float, visits: int, seed: int, out: Path) -> dict[str, Any]:
    """Open the kiosk for so long; gives (and keeps writing) the record."""
    chance = random.Random(seed)
    tally = Tally()
    record: dict[str, Any] = {
        "began": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "screens": SCREENS,
        "visits_a_day": visits * SCREENS,
        "seed": seed,
        "days": [],
    }
    with tempfile.TemporaryDirectory(prefix="greenroom-kiosk-") as folder:
        async with (
            MoodyProvider() as provider,
            ServerProcess(Path(folder), settings(provider.base_url), characters=CHARACTER_FILES) as server,
            TaskScope("kiosk") as scope,
        ):
            process = psutil.Process(server.pid)
            screens = [Screen(server.ws_url, number, tally) for number in range(SCREENS)]
            began = monotonic()
            day = 0
            # A last day that is cut short in the middle would not be comparable.
            while monotonic() - began < minutes * 60:
                used = process.cpu_times()
                plans = [random.Random(chance.random()) for _ in screens]
                jobs = [
                    scope.start(screen.play, visits_of_day(plan, visits), plan, name="screen")
                    for screen, plan in zip(screens, plans, strict=True)
                ]
                for job in jobs:
                    await job
                now = process.cpu_times()
                spent = now.user + now.system - used.user - used.system
                record["days"].append(await midnight(server, day, began, tally, spent))
                record["tally"] = {
                    name: value for name, value in asdict(tally).items() if name not in ("first", "opened")
                }
                record["requests"] = {"made": provider.count, "aborted": provider.aborted}
                record["log_complaints"] = len(server.complaints())
                _keep(record, out)
                print(json.dumps(record["days"][-1]), flush=True)
                day += 1
            for screen in screens:
                await screen.leave()
            record["after"] = {
                "tasks": (await server.quiet())["tasks"]["running"],
                "tidy": provider.streaming,
            }
            _keep(record, out)
    return record


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--visits", type=int, default=70, help="a day and screen")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("kiosk.json"))
    about = (
        "draw a record and write docs/kiosk.md, with that of a young server beside it if given; runs nothing"
    )
    parser.add_argument("--plot", type=Path, nargs="+", metavar="RECORD", help=about)
    chosen = parser.parse_args()
    if chosen.plot is None:
        with suppress(KeyboardInterrupt):
            asyncio.run(run(chosen.minutes, chosen.visits, chosen.seed, chosen.out))
    else:
        write_report(*(json.loads(path.read_text(encoding="utf-8")) for path in chosen.plot))


if __name__ == "__main__":
    main()
