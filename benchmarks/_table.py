"""What the benchmarks share: measurements with a target, and the table they end in."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(Path(__file__).resolve().parent)]
os.environ.setdefault("PYTHONPATH", str(ROOT / "src"))

from tests.helpers.server_process import ServerProcess  # noqa: E402 - the path has to be set first


@dataclass(frozen=True)
class Figure:
    """One measured value and what it must not exceed (or, with `at_least`, fall below)."""

    what: str
    value: float
    unit: str
    target: float
    at_least: bool = False
    note: str = ""

    @property
    def holds(self) -> bool:
        return self.value >= self.target if self.at_least else self.value <= self.target


Measurement = Callable[[argparse.Namespace], Awaitable[list[Figure]]]


def percentile(values: list[float], part: float) -> float:
    """The value below which this part of them lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def milliseconds(what: str, values: list[float], part: float, target: float, note: str = "") -> Figure:
    """A percentile of seconds, as milliseconds."""
    name = "median" if part == 0.5 else f"p{part * 100:g}"
    return Figure(f"{what}, {name}", percentile(values, part) * 1000, "ms", target, note=note)


@asynccontextmanager
async def serving(settings: Mapping[str, Any], **options: Any) -> AsyncIterator[ServerProcess]:
    """A server with a fresh data folder."""
    with tempfile.TemporaryDirectory(prefix="greenroom-bench-") as folder:
        async with ServerProcess(Path(folder), settings, **options) as server:
            yield server


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has taken, all threads together."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def busy_share(seconds: float = 0.5) -> float:
    """How much of the machine others take right now, 0 to 1."""

    def read() -> tuple[int, int]:
        numbers = [int(n) for n in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
        return sum(numbers), numbers[3] + numbers[4]

    before = read()
    time.sleep(seconds)
    after = read()
    whole = after[0] - before[0]
    return 1 - (after[1] - before[1]) / whole if whole else 0.0


def show(figures: list[Figure]) -> None:
    """Print the table."""
    for figure in figures:
        sign = "≥" if figure.at_least else "≤"
        verdict = "ok" if figure.holds else "MISSED"
        value, target = (f"{number:,.4g}" for number in (figure.value, figure.target))
        line = f"{figure.what:<66}{value:>9} {figure.unit:<6} {sign} {target:>6}   {verdict:<7}{figure.note}"
        print(line.rstrip(), flush=True)


def main(measurements: Mapping[str, Measurement], about: str) -> None:
    """Run the measurements named on the command line, all by default; exit code 1 if a target was missed."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("names", nargs="*", help=f"which: {', '.join(measurements)} (default: all)")
    parser.add_argument("--visits", type=int, default=2000, help="how many visits where they are counted")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    chosen = parser.parse_args()
    unknown = set(chosen.names) - set(measurements)
    if unknown:
        parser.error(
            f"no such measurement: {', '.join(sorted(unknown))}; there are {', '.join(measurements)}"
        )
    print(
        f"{os.cpu_count()} processors, {busy_share():.0%} of them busy with other things before the start\n"
    )
    figures: list[Figure] = []
    for name in chosen.names or measurements:
        found = asyncio.run(measurements[name](chosen))  # type: ignore[arg-type]
        show(found)
        figures += found
    if chosen.json:
        chosen.json.write_text(json.dumps([vars(figure) for figure in figures], indent=1), encoding="utf-8")
    missed = [figure.what for figure in figures if not figure.holds]
    print(f"\n{len(figures) - len(missed)} of {len(figures)} targets hold")
    sys.exit(1 if missed else 0)


def median(values: list[float]) -> float:
    return statistics.median(values)
