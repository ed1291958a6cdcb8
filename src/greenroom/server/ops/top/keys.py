"""Keys of a terminal, one at a time and without waiting for Enter, on the event loop."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

NAMES = {
    "\x1b[A": "up", "\x1bOA": "up", "\x1b[B": "down", "\x1bOB": "down", "\x1b[C": "right", "\x1bOC": "right",
    "\x1b[D": "left", "\x1bOD": "left", "\x1b[5~": "page up", "\x1b[6~": "page down", "\r": "enter",
    "\n": "enter", " ": "enter", "\x1b": "escape", "\x03": "q", "\x04": "q", "k": "up", "j": "down",
}  # fmt: skip


def parse(text: str) -> Iterator[str]:
    """The names of the keys in what a terminal sent; unknown sequences are passed over."""
    while text:
        sequence = next((known for known in NAMES if len(known) > 1 and text.startswith(known)), None)
        if sequence is None and text[0] == "\x1b" and len(text) > 1:
            # Some other sequence: up to its final letter.
            end = next((i for i, c in enumerate(text[2:], 2) if c.isalpha() or c == "~"), len(text) - 1)
            text = text[end + 1 :]
            continue
        key = sequence or text[0]
        text = text[len(key) :]
        yield NAMES.get(key, key)


@contextmanager
def keys(pressed: Callable[[str], None]) -> Iterator[None]:
    """Tell each key that is pressed meanwhile; does nothing where the input is no terminal."""
    try:
        import termios
        import tty
    except ImportError:  # Windows: the screen shows, Ctrl+C ends it.
        yield
        return
    if not sys.stdin.isatty():
        yield
        return
    number = sys.stdin.fileno()
    loop = asyncio.get_running_loop()

    def ready() -> None:
        for key in parse(os.read(number, 1024).decode("utf-8", "replace")):
            pressed(key)

    before = termios.tcgetattr(number)
    tty.setcbreak(number)
    loop.add_reader(number, ready)
    try:
        yield
    finally:
        loop.remove_reader(number)
        termios.tcsetattr(number, termios.TCSADRAIN, before)
