"""The command line of the fault server."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import signal
import sys
from collections.abc import Sequence

from greenroom.lab.faults.catalog import FAULTS, Pace, UnknownFault, faults_named
from greenroom.lab.faults.world import World


def parser() -> argparse.ArgumentParser:
    """The arguments, with the catalog in the help."""
    listing = "\n".join(f"  {name:<20}{what}" for name, what in FAULTS.items())
    made = argparse.ArgumentParser(
        prog="greenroom faults",
        description="A small server with known defects built in; sound unless a fault is switched on.",
        epilog=f"faults:\n{listing}\n  {'as-found':<20}those of the analysed server together\n\n"
        "example:\n  greenroom faults --fault speech-after-close --port 12500",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument(
        "--fault", action="append", default=[], metavar="NAME", help="switch a fault on; repeatable"
    )
    made.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    made.add_argument("--port", type=int, default=12393, help="port; 0 for any free one (default: 12393)")
    made.add_argument(
        "--provider-slots", type=int, help="replies generated at once (default: 2; as-found: 1)"
    )
    made.add_argument("--sentences", type=int, help="length of a reply (default: 8; as-found: 4)")
    made.add_argument("--time-scale", type=float, default=1.0, help="0.1 makes everything ten times as fast")
    return made


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGINT or SIGTERM; the first line printed is JSON and says where."""
    options = parser().parse_args(arguments)
    usual = Pace.as_found() if "as-found" in options.fault else Pace()
    slots = usual.provider_slots if options.provider_slots is None else options.provider_slots
    sentences = usual.sentences if options.sentences is None else options.sentences
    if options.time_scale <= 0 or slots < 1 or sentences < 1:
        parser().error("--time-scale must be above 0, --provider-slots and --sentences at least 1")
    try:
        faults = faults_named(options.fault)
    except UnknownFault as error:
        parser().error(str(error))
    pace = dataclasses.replace(usual, provider_slots=slots, sentences=sentences)
    try:
        asyncio.run(
            _serve(World(faults, pace.scaled(options.time_scale), host=options.host, port=options.port))
        )
    except OSError as error:
        sys.exit(
            f"greenroom faults: cannot listen on {options.host}:{options.port}: {error.strerror or error}"
        )


async def _serve(world: World) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stopping.set)
        except NotImplementedError:  # Windows: Ctrl+C raises KeyboardInterrupt instead
            break
    async with world:
        print(json.dumps({"url": world.url, "faults": sorted(world.faults)}), flush=True)
        await stopping.wait()
