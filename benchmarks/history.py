"""What the history store costs: `python benchmarks/history.py [folder]`.

Prints medians in milliseconds, each with its target: one append from an idle loop and back, a hundred at once
(the loop's own work included), and the first and a later page of a list among ten and a hundred thousand
histories. The file lies in a temporary folder, or in the folder named, to measure another disk.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from greenroom.history import HistoryStore

TEXT = "A sentence of ordinary length, as it is said in a conversation; 100 characters are not at all rare. "


async def median(rounds: int, call: Callable[[], Awaitable[object]]) -> float:
    """Return the median time of a call in milliseconds."""
    taken: list[float] = []
    for _ in range(rounds):
        start = time.perf_counter()
        await call()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken) * 1000


def show(what: str, value: float, target: float) -> None:
    """Print one line."""
    print(f"{what:<44}{value:8.3f} ms   target {target:g} ms   {'ok' if value <= target else 'MISSED'}")


async def fill(store: HistoryStore, start: int, end: int) -> None:
    """Store histories with one message each."""
    for first in range(start, end, 5_000):
        await asyncio.gather(
            *(
                store.append_nowait("many", f"h{number}", "human", TEXT)
                for number in range(first, min(end, first + 5_000))
            )
        )


async def measure(folder: Path) -> None:
    """Measure everything on a new file in this folder."""
    start = time.perf_counter()
    store = await HistoryStore.open(folder / "histories.db")
    print(f"{'opening a new file, imports included':<44}{(time.perf_counter() - start) * 1000:8.1f} ms")
    await store.aclose()
    start = time.perf_counter()
    store = await HistoryStore.open(folder / "histories.db")
    print(f"{'opening it again':<44}{(time.perf_counter() - start) * 1000:8.1f} ms")

    show("one append", await median(1000, lambda: store.append("mao", "h", "human", TEXT)), 0.3)

    async def hundred() -> None:
        await asyncio.gather(*(store.append("mao", f"h{number}", "ai", TEXT) for number in range(100)))

    show("a hundred appends at once", await median(50, hundred), 5)

    before = store.statistics()
    start = time.perf_counter()
    await fill(store, 0, 10_000)
    seconds = time.perf_counter() - start
    after = store.statistics()
    batches = after.batches - before.batches
    print(f"{'10,000 new histories':<44}{10_000 / seconds:8.0f} /s in {batches} transactions")
    for count in (10_000, 100_000):
        await fill(store, await store.count("many"), count)
        page = await store.list("many")
        show(f"first page of 100 of {count:,}", await median(100, lambda: store.list("many")), 2)
        for _ in range(count // 200):
            page = await store.list("many", before=page.next)
        place = page.next
        show(
            f"a page in the middle of {count:,}",
            await median(100, lambda place=place: store.list("many", before=place)),
            2,
        )
        print(f"{f'count of {count:,}':<44}{await median(20, lambda: store.count('many')):8.3f} ms")
    await store.aclose()


def main() -> None:
    """Run it all."""
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as folder:
        asyncio.run(measure(Path(folder)))


if __name__ == "__main__":
    main()
