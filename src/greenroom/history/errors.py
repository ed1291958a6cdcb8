"""What goes wrong with histories, in words a person can act on.

There is one class to catch. `kind` says what happened for code that must tell cases apart; the text names the
file, the cause and what to do, for the server's owner. `public` is for whoever talks to the server: it says what
happened and what the owner can do, and names nothing that only the owner should know.
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


_PUBLIC: dict[Kind, str] = {
    "cannot-open": "its file cannot be opened; the server's owner can make sure that it may be",
    "closed": "the server shuts down",
    "corrupt": "its file is damaged; the server's owner can put a backup in its place",
    "full": "there is no room left; the server's owner can free disk space or raise the quota (history.max_mb)",
    "io": "the disk reported a failure; the server's owner can look at the disk",
    "locked": "another program holds its file; the server's owner can close that program",
    "newer": "its file is of a later version; the server's owner can update the server",
    "read-only": "its file cannot be written; the server's owner can correct its owner or mode",
    "row": "this one cannot be stored; others can",
    "stuck": "the disk takes too long; the server's owner can look at the disk",
    "other": "an error nobody foresaw; the server's log has the details",
}
"""For the two that are missing the text itself is public: it speaks of a limit, and of what the client sent."""


class HistoryError(Exception):
    """A history could not be read or written; the text says which file, why, and what to do."""

    def __init__(self, message: str, kind: Kind = "other", *, public: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.kind: Kind = kind
        self._is_public = public

    @property
    def public(self) -> str:
        """What a client may read."""
        return self.message if self._is_public else _PUBLIC.get(self.kind, self.message)

    def again(self) -> HistoryError:
        """Return a fresh copy: one exception object must not be raised by many waiters at once."""
        copy = type(self)(self.message, self.kind)
        copy._is_public = self._is_public
        copy.__cause__ = self.__cause__
        return copy


class HistoryBusy(HistoryError):
    """Too many messages or questions are waiting for the disk; nothing was accepted. Try again later."""

    def __init__(self, message: str, kind: Kind = "busy") -> None:
        super().__init__(message, kind)
