"""Ring buffers by column: as large from the first second on as they ever get, so that they look like no leak.

A column holds 8 bytes an entry. A figure that was not there is NaN, which is shown as None.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, MutableSequence
from math import isnan, nan
from typing import Any, Generic, TypeVar

T = TypeVar("T")
MOST_COLUMNS = 64


class Latest(Generic[T]):
    """The last `capacity` things of any kind."""

    def __init__(self, capacity: int) -> None:
        self._places: list[T | None] = [None] * capacity
        self.total = 0
        """Things that were ever added."""

    def __len__(self) -> int:
        return min(self.total, len(self._places))

    def append(self, thing: T) -> None:
        self._places[self.total % len(self._places)] = thing
        self.total += 1

    def since(self, number: int) -> list[T]:
        """Those after the `number`-th that are still kept, oldest first."""
        begin = max(number, self.total - len(self._places))
        found = (self._places[at % len(self._places)] for at in range(begin, self.total))
        return [thing for thing in found if thing is not None]


class Ring:
    """The last `capacity` rows of figures.

    Args:
        capacity: rows.
        floats: names of columns with fractions, or with gaps.
        integers: names of columns without.
    """

    def __init__(self, capacity: int, floats: Iterable[str], integers: Iterable[str] = ()) -> None:
        self._capacity = capacity
        self._floats: dict[str, array[float]] = {name: array("d", [nan]) * capacity for name in floats}
        self._integers: dict[str, array[int]] = {name: array("q", [0]) * capacity for name in integers}
        self.total = 0
        """Rows that were ever added."""

    def __len__(self) -> int:
        return min(self.total, self._capacity)

    def append(self, row: Mapping[str, float | None]) -> None:
        """Add a row.

        A column that it does not name gets a gap, or 0 if it has integers. A name that is new begins a column of
        integers here, with zeros before it.
        """
        at = self.total % self._capacity
        for name in row.keys() - self._floats.keys() - self._integers.keys():
            if len(self._floats) + len(self._integers) < MOST_COLUMNS:
                self._integers[name] = array("q", [0]) * self._capacity
        for name, column in self._floats.items():
            value = row.get(name)
            column[at] = nan if value is None else value
        for name, whole in self._integers.items():
            whole[at] = int(row.get(name) or 0)
        self.total += 1

    def column(self, name: str, skip: int = 0) -> list[Any]:
        """One column, oldest first, without its first `skip` entries: floats and None, or integers."""
        if name in self._integers:
            return self._in_order(self._integers[name])[skip:]
        return [None if isnan(value) else value for value in self._in_order(self._floats[name])[skip:]]

    def names(self) -> tuple[str, ...]:
        """Of all columns."""
        return (*self._floats, *self._integers)

    def columns(self) -> dict[str, list[Any]]:
        """All columns by name."""
        return {name: self.column(name) for name in self.names()}

    def _in_order(self, column: MutableSequence[Any]) -> list[Any]:
        end = self.total % self._capacity
        if self.total < self._capacity:
            return list(column[:end])
        return [*column[end:], *column[:end]]
