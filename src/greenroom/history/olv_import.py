"""Bring along an Open-LLM-VTuber installation's conversations: `chat_history/<conf_uid>/<history_uid>.json`.

Running it again is safe at any time, also after it was interrupted: a history whose stored messages begin
like the file gets only what is missing, one that has been continued here since is left alone, and one that
differs is reported and not touched. Times are not compared: a change of the computer's time zone must not
make a file look new.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from greenroom.history.errors import HistoryError
from greenroom.history.records import MAX_CONTENT, MAX_ID, MAX_MESSAGES, ROLES, Role, micros
from greenroom.history.store import HistoryStore

__all__ = ["MAX_FILE", "BadFile", "ImportReport", "import_directory"]

MAX_FILE = 256 * 1024 * 1024
"""Largest file that is read, in bytes."""


@dataclass(frozen=True, slots=True)
class BadFile:
    """A file (or folder) that was not, or not wholly, imported, and why."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did, counted in histories but for `messages`."""

    imported: int = 0
    """New here, or completed after an interrupted import."""
    messages: int = 0
    """Messages written."""
    present: int = 0
    """Here already; nothing to do."""
    empty: int = 0
    """Files without a single message: a page was opened and nothing said."""
    bad: tuple[BadFile, ...] = ()


@dataclass(frozen=True, slots=True)
class _Line:
    role: Role
    content: str
    name: str | None
    avatar: str | None
    created: datetime


class _Unfit(Exception):
    """The file cannot be imported; the text says why."""


async def import_directory(path: Path, store: HistoryStore) -> ImportReport:
    """Import every history below a `chat_history` folder.

    Files are read in a thread, one at a time. A bad one is reported by name and never stops the others.

    Raises:
        HistoryError: the folder itself cannot be read.
    """
    try:
        files, bad = await asyncio.to_thread(_find, path)
    except OSError as error:
        raise HistoryError(
            f"import: {path} cannot be read ({error.strerror or error}); name the folder `chat_history`", "io"
        ) from error
    imported = messages = present = empty = 0
    for file in files:
        try:
            lines = await asyncio.to_thread(_read, file)
            added = await _bring(file.parent.name, file.stem, lines, store)
        except (OSError, HistoryError, _Unfit) as error:
            bad.append(BadFile(file, str(error)))
            continue
        messages += added
        if added:
            imported += 1
        elif lines:
            present += 1
        else:
            empty += 1
    return ImportReport(imported, messages, present, empty, tuple(bad))


async def _bring(conf_uid: str, uid: str, lines: list[_Line], store: HistoryStore) -> int:
    """Store what is missing of one history; return how many messages that was."""
    stored = await store.messages(conf_uid, uid, limit=MAX_MESSAGES)
    here = [(one.role, one.content, one.name, one.avatar) for one in stored]
    there = [(one.role, one.content, one.name, one.avatar) for one in lines]
    common = min(len(here), len(there))
    if here[:common] != there[:common]:
        raise _Unfit("a different history of this name is stored already; delete it there to import this one")
    missing = lines[common:]
    # One after the other: should one fail, what is stored is a beginning of the file, and can be completed.
    for one in missing:
        await store.append(
            conf_uid, uid, one.role, one.content, name=one.name, avatar=one.avatar, created=one.created
        )
    return len(missing)


def _find(path: Path) -> tuple[list[Path], list[BadFile]]:
    """Return the history files in order, and the folders that cannot be listed. Runs in a thread."""
    files: list[Path] = []
    bad: list[BadFile] = []
    for folder in sorted(path.iterdir()):
        if not folder.is_dir():
            continue
        try:
            files += sorted(file for file in folder.iterdir() if file.suffix == ".json")
        except OSError as error:
            bad.append(BadFile(folder, str(error)))
    return files, bad


def _read(file: Path) -> list[_Line]:
    """Return the messages of one file. Runs in a thread. Raises `OSError` or `_Unfit`."""
    status = file.stat()
    if status.st_size > MAX_FILE:
        raise _Unfit(f"{status.st_size} bytes; at most {MAX_FILE} are read")
    if len(file.stem) > MAX_ID or len(file.parent.name) > MAX_ID:
        raise _Unfit(f"its name or its folder's is longer than {MAX_ID} characters")
    try:
        data = json.loads(file.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise _Unfit(f"it is not UTF-8 text: {error.reason} at byte {error.start}") from error
    except (ValueError, RecursionError) as error:
        raise _Unfit(f"it is not JSON: {error}") from error
    if not isinstance(data, list):
        raise _Unfit("it holds no list of messages")
    # A message without a usable time gets that of the line before it: the order is what matters.
    moment = datetime.fromtimestamp(status.st_mtime)
    lines: list[_Line] = []
    for number, entry in enumerate(cast("list[Any]", data), 1):
        if not isinstance(entry, dict):
            raise _Unfit(f"entry {number} is no object")
        moment = _moment(entry.get("timestamp"), moment)
        if entry.get("role") != "metadata":
            lines.append(_line(number, entry, moment))
    if len(lines) > MAX_MESSAGES:
        raise _Unfit(f"{len(lines)} messages; at most {MAX_MESSAGES} are imported")
    return lines


def _line(number: int, entry: dict[str, Any], moment: datetime) -> _Line:
    role = entry.get("role")
    if not isinstance(role, str) or role not in ROLES:
        raise _Unfit(f"entry {number}: role is {role!r}, not one of {', '.join(sorted(ROLES))}, metadata")
    for field in ("content", "name", "avatar"):
        value = entry.get(field)
        if not isinstance(value, str):
            if value is None and field != "content":
                continue
            raise _Unfit(f"entry {number}: {field} is not text")
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise _Unfit(f"entry {number}: {field} holds half a character (a lone surrogate)") from error
    if len(entry["content"]) > MAX_CONTENT:
        raise _Unfit(f"entry {number}: content has more than {MAX_CONTENT} characters")
    return _Line(cast(Role, role), entry["content"], entry.get("name"), entry.get("avatar"), moment)


def _moment(value: object, otherwise: datetime) -> datetime:
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else otherwise
        micros(found)
    except ValueError:
        return otherwise
    return found
