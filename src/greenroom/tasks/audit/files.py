"""Which files to read, and how to read them without surprises.

Directories are walked in a stable order; a directory reached twice (a symlink loop) is walked once.
Files are read as Python reads them (BOM, coding line); what cannot be read is told, never raised.
"""

from __future__ import annotations

import os
import re
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

MAX_BYTES = 4 * 1024 * 1024
"""Larger files are reported, not parsed: they are data, and take minutes of CPU."""

_ASYNC = re.compile(
    rb"\basync\s+(?:def|for|with)\b|\b(?:await|asyncio|anyio|trio)\b|\b(?:create_task|ensure_future)\b"
)
_SKIPPED_DIRS = {"__pycache__", "node_modules", "site-packages"}


class Unreadable(Exception):
    """A file that cannot be audited; the text says why, `line` where."""

    def __init__(self, reason: str, line: int = 1, col: int = 1) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line
        self.col = col


@dataclass(frozen=True, slots=True)
class Source:
    """The text of one file."""

    path: str
    text: str


def walk(paths: Iterable[str | Path], exclude: Sequence[str] = ()) -> Iterator[str]:
    """Python files under `paths`, each once. A file named directly is taken whatever its name is.

    Raises:
        FileNotFoundError: a given path does not exist; the message names it.
    """
    seen_dirs: set[tuple[int, int]] = set()
    seen_files: set[str] = set()
    for given in paths:
        root = Path(given)
        if not root.exists():
            raise FileNotFoundError(f"{given}: no such file or directory")
        found = _walk_dir(root, root, exclude, seen_dirs) if root.is_dir() else iter([str(root)])
        for path in found:
            real = os.path.realpath(path)
            if real not in seen_files:
                seen_files.add(real)
                yield path


def _walk_dir(top: Path, folder: Path, exclude: Sequence[str], seen: set[tuple[int, int]]) -> Iterator[str]:
    todo = [folder]
    while todo:
        current = todo.pop()
        try:
            stat = current.stat()
            with os.scandir(current) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except OSError:
            continue  # a folder we may not open holds nothing we could audit
        if (stat.st_dev, stat.st_ino) in seen:
            continue
        seen.add((stat.st_dev, stat.st_ino))
        folders: list[Path] = []
        for entry in entries:
            path = Path(entry.path)
            if is_excluded(path.relative_to(top).as_posix(), exclude):
                continue
            try:
                is_dir = entry.is_dir()
                is_file = entry.is_file()
            except OSError:
                continue  # a symlink that points to itself
            if is_dir:
                hidden = entry.name.startswith(".") or entry.name in _SKIPPED_DIRS
                if not hidden and not (path / "pyvenv.cfg").exists():
                    folders.append(path)
            elif is_file and entry.name.endswith((".py", ".pyw", ".pyi")):
                yield str(path)
        todo.extend(reversed(folders))


def is_excluded(relative: str, patterns: Sequence[str]) -> bool:
    """True when a glob matches the path, one of its folders, or its last name."""
    parts = PurePosixPath(relative).parts
    prefixes = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
    return any(
        fnmatch(prefix, pattern.rstrip("/")) or fnmatch(parts[-1], pattern)
        for pattern in patterns
        for prefix in prefixes
    )


def read(path: str) -> Source | None:
    """The file's text, or None when it holds no async code at all (and so nothing to audit).

    Raises:
        Unreadable: not a regular file, too large, no permission, or bytes that are not text.
    """
    try:
        size = os.stat(path).st_size
        if size > MAX_BYTES:
            raise Unreadable(f"{size} bytes, more than the {MAX_BYTES} this audit reads")
        data = Path(path).read_bytes()
    except OSError as error:
        raise Unreadable(error.strerror or str(error)) from error
    if not _ASYNC.search(data):
        return None
    lines = iter(data.splitlines(keepends=True))
    try:
        encoding, _ = tokenize.detect_encoding(lambda: next(lines, b""))
        text = data.decode(encoding)
    except (SyntaxError, LookupError, UnicodeDecodeError) as error:
        raise Unreadable(f"cannot decode: {error}") from error
    return Source(path, text.replace("\r\n", "\n").replace("\r", "\n"))
