"""IRC's wire: bytes to lines, lines to parts. Sans-I/O.

A parser of our own, because it is small: the maintained libraries either speak Twitch's EventSub and want a
registered app (twitchio has dropped IRC), or bring a whole IRC client with a reactor of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["IrcLine", "LineBuffer", "LineTooLong", "parse_line"]

MAX_LINE = 16 * 1024
"""Bytes of one line. The standard allows 8191 of tags and 512 for the rest; Twitch's stay below 4 KiB."""

_ESCAPES = {":": ";", "s": " ", "r": "\r", "n": "\n"}


class LineTooLong(ValueError):
    """The peer sends a line without an end."""


@dataclass(frozen=True, slots=True)
class IrcLine:
    """One message: `@tags :prefix COMMAND params`."""

    command: str
    params: tuple[str, ...] = ()
    prefix: str = ""
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def nick(self) -> str:
        """Who sent it, without user and host."""
        return self.prefix.partition("!")[0]

    def param(self, index: int) -> str:
        """A parameter, empty where there is none."""
        return self.params[index] if -len(self.params) <= index < len(self.params) else ""


class LineBuffer:
    """Cuts what arrives into lines; holds at most one unfinished one."""

    def __init__(self, max_line: int = MAX_LINE) -> None:
        self._max_line = max_line
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        """Take bytes; returns the lines that are complete, without their ends and without empty ones.

        Bytes that are not UTF-8 are shown as U+FFFD. Raises `LineTooLong`.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > self._max_line or any(len(line) > self._max_line for line in lines):
            self._rest = b""
            raise LineTooLong(f"a line of more than {self._max_line} bytes")
        return [line.rstrip(b"\r").decode("utf-8", "replace") for line in lines if line.strip()]


def parse_line(line: str) -> IrcLine:
    """Take a line apart. Raises ValueError if it holds no command."""
    tags: dict[str, str] = {}
    rest = line.lstrip(" ")
    prefix = ""
    if rest.startswith("@"):
        raw, _, rest = rest[1:].partition(" ")
        for item in raw.split(";"):
            name, _, value = item.partition("=")
            if name:
                tags[name] = _unescaped(value)
        rest = rest.lstrip(" ")
    if rest.startswith(":"):
        prefix, _, rest = rest[1:].partition(" ")
    head, colon, trailing = f" {rest}".partition(" :")
    words = head.split(" ")
    params = [word for word in words if word]
    if not params:
        raise ValueError(f"an IRC line without a command: {line[:80]!r}")
    if colon:
        params.append(trailing)
    return IrcLine(params[0].upper(), tuple(params[1:]), prefix, tags)


def _unescaped(value: str) -> str:
    if "\\" not in value:
        return value
    out: list[str] = []
    letters = iter(value)
    for letter in letters:
        if letter == "\\":
            escaped = next(letters, "")
            out.append(_ESCAPES.get(escaped, escaped))
        else:
            out.append(letter)
    return "".join(out)
