"""What is wrong in a configuration, in words that name the file, the line, the field and the fix."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["ConfigError", "Problem", "did_you_mean", "shown"]

MAX_SHOWN = 40
"""The most characters of a user's own value that a message repeats."""

MAX_LISTED = 50
"""The most problems that the text of one error lists; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to put right.

    `file` is a file's name, or what else the value came from (an environment variable, the command line).
    `line` counts from 1, None where there are no lines. `field` is the dotted path, empty for the whole file.
    """

    file: str
    line: int | None
    field: str
    message: str
    fix: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line is not None else self.file
        sentence = f"{self.message}; {self.fix}" if self.fix else self.message
        return ": ".join(part for part in (place, self.field, sentence) if part)


class ConfigError(Exception):
    """A configuration that cannot be used; `problems` is everything that was found, not just the first."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        lines = [str(problem) for problem in self.problems[:MAX_LISTED]]
        if len(self.problems) > MAX_LISTED:
            lines.append(f"... and {len(self.problems) - MAX_LISTED} more")
        return "\n".join(lines)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `did you mean "port"?` for the nearest known word, or an empty text."""
    near = difflib.get_close_matches(word[:100].lower(), list(known), n=1, cutoff=0.6)
    return f'did you mean "{near[0]}"?' if near else ""


def shown(value: object) -> str:
    """Return a value as a message may repeat it: short, on one line, containers only by kind."""
    if isinstance(value, dict):
        return "a section"
    if isinstance(value, list | tuple):
        return "a list"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    short = text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + "..."
    clean = "".join(letter if letter.isprintable() else " " for letter in short)
    return f'"{clean}"' if isinstance(value, str) else clean
