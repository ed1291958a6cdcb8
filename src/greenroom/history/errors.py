"""What goes wrong with histories, in words a person can act on.

There is one class to catch. `kind` says what happened for code that must tell cases apart; the text names the
file, the cause and what to do.
"""

from __future__ import annotations

from typing import Literal

__all__ = ["HistoryBusy", "HistoryError", "Kind"]

Kind = Literal[
    "busy",  # too much is waiting already
    "cannot-open",  # no such folder, or no right to open the file
    "closed",  # the store has been closed
    "corrupt",  # damaged, or not a history file at all
    "cursor",  # `before` is not the `next` of an earlier page
    "full",  # no room on the disk, or the file's own limit is reached
    "io",  # the disk failed
    "locked",  # another program holds the file
    "newer",  # written by a later version of this program
    "other",
    "read-only",
    "row",  # this one message cannot be stored; others can
    "stuck",  # a thread did not end in time
]


class HistoryError(Exception):
    """A history could not be read or written; the text says which file, why, and what to do."""

    def __init__(self, message: str, kind: Kind = "other") -> None:
        super().__init__(message)
        self.message = message
        self.kind: Kind = kind

    def again(self) -> HistoryError:
        """Return a fresh copy: one exception object must not be raised by many waiters at once."""
        copy = type(self)(self.message, self.kind)
        copy.__cause__ = self.__cause__
        return copy


class HistoryBusy(HistoryError):
    """Too many messages or questions are waiting for the disk; nothing was accepted. Try again later."""

    def __init__(self, message: str, kind: Kind = "busy") -> None:
        super().__init__(message, kind)
