"""Values from several places laid over one another, each remembering where it came from."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from greenroom.config.document import Document, KeyPath, dotted
from greenroom.config.errors import Problem

__all__ = ["Layers", "Origin"]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from; a `hidden` one is never repeated in a message."""

    file: str
    line: int | None = None
    hidden: bool = False


class Layers:
    """A tree of values; what is added later wins, field by field, and lists are replaced whole."""

    def __init__(self) -> None:
        self.data: dict[str, Any] = {}
        self.problems: list[Problem] = []
        self._origins: dict[KeyPath, Origin] = {}

    def add_document(self, document: Document, at: KeyPath = ()) -> None:
        """Lay the part of a file at path `at` (a section) over what is here."""
        part: Any = document.data
        for step in at:
            part = part[step]
        self._merge(self.data, part, (), document, at)

    def put(self, path: KeyPath, value: Any, origin: Origin) -> None:
        """Lay one value over what is here, making the sections it needs."""
        section = self.data
        for end, step in enumerate(path[:-1], 1):
            name = str(step)
            inner = section.get(name)
            if not isinstance(inner, dict):
                if inner is not None:
                    self._not_a_section(path[:end])
                inner = section[name] = {}
            section = inner
        section[str(path[-1])] = deepcopy(value)
        self._origins[path] = origin

    def origin(self, path: KeyPath) -> Origin | None:
        """Return where a value, or the nearest section around it, came from."""
        for end in range(len(path), 0, -1):
            if path[:end] in self._origins:
                return self._origins[path[:end]]
        return None

    def _merge(
        self,
        target: dict[str, Any],
        source: Mapping[str, Any],
        path: KeyPath,
        document: Document,
        at: KeyPath,
    ) -> None:
        for name, value in source.items():
            here = (*path, name)
            there = (*at, *here)
            if value is None and isinstance(target.get(name), dict):
                continue  # "section:" with everything in it commented out
            self._origins[here] = Origin(document.file, document.line(there), document.hides(there))
            if isinstance(value, dict):
                inner = target.get(name)
                if not isinstance(inner, dict):
                    inner = target[name] = {}
                self._merge(inner, value, here, document, at)
                continue
            target[name] = deepcopy(value)
            if isinstance(value, list):
                self._place_items(value, here, document, at)

    def _place_items(self, items: list[Any], path: KeyPath, document: Document, at: KeyPath) -> None:
        for index, item in enumerate(items):
            here = (*path, index)
            there = (*at, *here)
            self._origins[here] = Origin(document.file, document.line(there), document.hides(there))
            if isinstance(item, list):
                self._place_items(item, here, document, at)
            elif isinstance(item, dict):
                self._place_fields(item, here, document, at)

    def _place_fields(
        self, fields: Mapping[str, Any], path: KeyPath, document: Document, at: KeyPath
    ) -> None:
        """Remember where the fields of a section inside a list stand."""
        for name, value in fields.items():
            here = (*path, name)
            there = (*at, *here)
            self._origins[here] = Origin(document.file, document.line(there), document.hides(there))
            if isinstance(value, dict):
                self._place_fields(value, here, document, at)
            elif isinstance(value, list):
                self._place_items(value, here, document, at)

    def _not_a_section(self, path: KeyPath) -> None:
        origin = self.origin(path) or Origin("configuration")
        fix = "write its fields on indented lines below it"
        problem = Problem(origin.file, origin.line, dotted(path), "is a section, not a single value", fix)
        self.problems.append(problem)
