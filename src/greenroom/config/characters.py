"""The characters that can be chosen: found, read and checked once, then answered from memory.

Every page that opens asks for the list, so nothing is read for a page: files are looked at (not read) at most
once a second and only while someone asks, and a file is read again only when it has changed.

A client's `switch-config` names a file. The name is looked up in the list and never made into a path.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from greenroom.config.character import Character, SpeechFilters
from greenroom.config.character_file import build_character
from greenroom.config.document import Document, read_document
from greenroom.config.errors import ConfigError, Problem, did_you_mean, shown
from greenroom.config.files import read_text
from greenroom.config.paths import shipped_characters
from greenroom.config.settings import Settings

__all__ = ["Character", "CharacterEntry", "CharacterStore", "SpeechFilters", "StoreStatistics"]

BASE_FILE = "conf.yaml"
MAX_FILES = 500
MAX_FILE_BYTES = 256 * 1024
MAX_MODELS_BYTES = 1024 * 1024
FRESH_SECONDS = 1.0
_NOT_CHARACTERS = {BASE_FILE, "greenroom.yaml", "greenroom.yml"}

Stamp = tuple[int, int, int]
"""A file's change time in ns, size and inode."""


@dataclass(frozen=True, slots=True)
class CharacterEntry:
    """What the list of characters shows of one; `name` is its `conf_name`."""

    filename: str
    name: str
    language: str
    avatar: str
    description: str
    greeting: str = ""


@dataclass(frozen=True, slots=True)
class StoreStatistics:
    """What a store holds and has done."""

    characters: int
    broken: int
    looks: int
    reads: int


@dataclass(frozen=True, slots=True)
class _Found:
    """A file of the listing, before it is read."""

    path: Path
    stamp: Stamp
    shipped: bool


class CharacterStore:
    """The characters of some folders, the first folder's files hiding later ones of the same name.

    Safe to use from several threads. `entries` and `load` answer from memory while `is_fresh()`; otherwise
    they look at the files first, which is work for a thread when there are many.
    """

    def __init__(
        self,
        directories: Sequence[Path],
        base_settings: Settings,
        *,
        environ: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
        on_key: Callable[[str], None] = lambda key: None,
    ) -> None:
        self._directories = tuple(directories)
        self._settings = base_settings
        self._environ: Mapping[str, str] = os.environ if environ is None else environ
        self._clock = clock
        self._on_key = on_key
        self._lock = threading.Lock()
        self._looked_at = float("-inf")
        self._listing: dict[str, _Found] | None = None
        self._models_stamp: tuple[Path, Stamp] | None = None
        self._documents: dict[Path, tuple[Stamp, Document | tuple[Problem, ...]]] = {}
        self._entries: tuple[CharacterEntry, ...] = ()
        self._characters: dict[str, Character] = {}
        self._broken: dict[str, tuple[Problem, ...]] = {}  # not the errors: each would hold its frames
        self._odd: tuple[Problem, ...] = ()
        self._looks = 0
        self._reads = 0

    @classmethod
    def for_settings(
        cls,
        settings: Settings,
        *,
        environ: Mapping[str, str] | None = None,
        on_key: Callable[[str], None] = lambda key: None,
    ) -> CharacterStore:
        """Return the store of the user's characters and, after them, the package's.

        `on_key` is told each key that a character sends to its provider, before anybody meets the character.
        """
        own = settings.characters_dir or settings.paths.characters
        return cls([own, shipped_characters()], settings, environ=environ, on_key=on_key)

    def is_fresh(self) -> bool:
        """Say whether an answer comes from memory right now."""
        return self._clock() - self._looked_at < FRESH_SECONDS

    def entries(self) -> tuple[CharacterEntry, ...]:
        """Return the usable characters: `conf.yaml`, then the user's, then the package's."""
        self.refresh()
        return self._entries

    def load(self, filename: str) -> Character:
        """Return the character of a listed file.

        Raises ConfigError when the name is not exactly a listed one, or the file is wrong.
        """
        self.refresh()
        if filename in self._characters:
            return self._characters[filename]
        if filename in self._broken:
            raise ConfigError(self._broken[filename])
        names = list(self._characters)[:50]  # the name comes from a client: comparing costs time
        near = did_you_mean(filename, names) or f"use one of {', '.join(names[:20])}"
        raise ConfigError(
            [Problem("characters", None, "", f"{shown(filename)} is not a character here", near)]
        )

    @property
    def default(self) -> str:
        """The file name of the character that a new client meets.

        The configured one; where none is configured, the user's `conf.yaml` if there is one. Raises
        ConfigError when the configured one does not exist, or no character is usable.
        """
        self.refresh()
        name = self._settings.character
        if "character" not in self._settings.model_fields_set:
            if BASE_FILE in self._characters:
                return BASE_FILE
            if name not in self._characters and self._entries:
                return self._entries[0].filename
        return self.load(name).filename

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What keeps files from being characters."""
        self.refresh()
        return tuple(problem for broken in self._broken.values() for problem in broken)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What is odd about the files and folders, once for each file."""
        self.refresh()
        odd = [problem for character in self._characters.values() for problem in character.warnings]
        return (*self._odd, *odd)

    def statistics(self) -> StoreStatistics:
        """Return counts; looks at nothing."""
        return StoreStatistics(len(self._characters), len(self._broken), self._looks, self._reads)

    def refresh(self) -> None:
        """Look for changed files, at most once a second, and read those that have changed."""
        if self.is_fresh():
            return
        with self._lock:
            if self.is_fresh():
                return
            self._looks += 1
            odd: list[Problem] = []
            listing = self._look(odd)
            models_stamp = self._look_for_models(listing)
            if listing != self._listing or models_stamp != self._models_stamp:
                self._read(listing, models_stamp, odd)
                self._listing, self._models_stamp = listing, models_stamp
            self._looked_at = self._clock()

    def _look(self, odd: list[Problem]) -> dict[str, _Found]:
        """List the files without reading any; `conf.yaml` comes first."""
        listing: dict[str, _Found] = {}
        shipped = shipped_characters()
        for directory in self._directories:
            if directory == shipped:
                continue
            for place in (directory, directory.parent):
                found = _stamp(place, place / BASE_FILE, odd)
                if found is not None and BASE_FILE not in listing:
                    listing[BASE_FILE] = _Found(*found, shipped=False)
        for directory in self._directories:
            try:
                names = sorted(entry.name for entry in os.scandir(directory))
            except FileNotFoundError:
                continue  # a user need not have characters
            except OSError as error:
                reason = error.strerror or type(error).__name__
                odd.append(
                    Problem(str(directory), None, "", f"cannot be read: {reason}", "check its permissions")
                )
                continue
            for name in names:
                if name in listing or name in _NOT_CHARACTERS or name.startswith("."):
                    continue
                if not name.endswith((".yaml", ".yml")):
                    continue
                if len(listing) >= MAX_FILES:
                    fix = "move some of them elsewhere"
                    odd.append(Problem(str(directory), None, "", f"only the first {MAX_FILES} are used", fix))
                    break
                found = _stamp(directory, directory / name, odd)
                if found is not None:
                    listing[name] = _Found(*found, shipped=directory == shipped)
        return listing

    def _look_for_models(self, listing: Mapping[str, _Found]) -> tuple[Path, Stamp] | None:
        folders = [self._settings.paths.root]
        if BASE_FILE in listing:
            folders.append(listing[BASE_FILE].path.parent)
        for folder in folders:
            if (found := _stamp(folder, folder / "model_dict.json", [])) is not None:
                return found
        return None

    def _read(
        self, listing: dict[str, _Found], models_stamp: tuple[Path, Stamp] | None, odd: list[Problem]
    ) -> None:
        models = self._read_models(models_stamp[0], odd) if models_stamp else None
        base: Document | None = None
        if BASE_FILE in listing:
            read = self._document(BASE_FILE, listing[BASE_FILE])
            base = read if isinstance(read, Document) else None
        characters: dict[str, Character] = {}
        broken: dict[str, tuple[Problem, ...]] = {}
        for name, found in listing.items():
            document = self._document(name, found)
            if not isinstance(document, Document):
                broken[name] = document
                continue
            build = partial(build_character, document, agent=self._settings.agent, voice=self._settings.voice)
            try:
                if name == BASE_FILE:
                    characters[name] = build(models=models)
                else:
                    characters[name] = build(base=base, base_agent_only=found.shipped, models=models)
            except ConfigError as error:
                broken[name] = error.problems
        for character in characters.values():
            if (key := character.agent.openai.key(self._environ)) is not None:
                self._on_key(key)
        kept = {found.path for found in listing.values()}
        self._documents = {path: read for path, read in self._documents.items() if path in kept}
        self._characters, self._broken, self._odd = characters, broken, tuple(odd)
        self._entries = tuple(
            CharacterEntry(name, one.conf_name, one.language, one.avatar, one.description, one.greeting or "")
            for name, one in characters.items()
        )

    def _document(self, name: str, found: _Found) -> Document | tuple[Problem, ...]:
        known = self._documents.get(found.path)
        if known is not None and known[0] == found.stamp:
            return known[1]
        self._reads += 1
        read: Document | tuple[Problem, ...]
        try:
            read = read_document(found.path, self._environ, name=name, max_bytes=MAX_FILE_BYTES)
        except ConfigError as error:
            read = error.problems
        self._documents[found.path] = (found.stamp, read)
        return read

    def _read_models(self, path: Path, odd: list[Problem]) -> dict[str, dict[str, Any]]:
        """Return the Live2D models by name; a bad list is a warning, for text needs no model."""
        try:
            listed = json.loads(read_text(path, name=path.name, max_bytes=MAX_MODELS_BYTES)[0])
        except ConfigError as error:
            odd += error.problems
            return {}
        except (ValueError, RecursionError) as error:
            line = getattr(error, "lineno", None)
            odd.append(Problem(path.name, line, "", "is not valid JSON", "check the commas and quotes"))
            return {}
        models: dict[str, dict[str, Any]] = {}
        for index, info in enumerate(listed if isinstance(listed, list) else []):
            if (
                isinstance(info, dict)
                and isinstance(info.get("name"), str)
                and isinstance(info.get("url"), str)
            ):
                models.setdefault(info["name"], info)
            else:
                fix = "give each model both as text"
                odd.append(Problem(path.name, None, f"[{index}]", 'has no "name" and "url"', fix))
        if not isinstance(listed, list):
            odd.append(Problem(path.name, None, "", "is not a list of models", 'begin it with "["'))
        return models


def _stamp(directory: Path, path: Path, odd: list[Problem]) -> tuple[Path, Stamp] | None:
    """Return the real path and stamp of a file that lies in its folder; None for one that is not there."""
    try:
        real = path.resolve(strict=True)
        status = real.stat()
        inside = real.is_relative_to(directory.resolve())
    except (OSError, RuntimeError):
        return None  # gone, or a link to nowhere or in a circle
    if not inside:
        fix = "copy the file into the folder"
        odd.append(
            Problem(path.name, None, "", "is a link that leads out of its folder; it is not used", fix)
        )
        return None
    if not real.is_file():
        return None
    return real, (status.st_mtime_ns, status.st_size, status.st_ino)
