"""A TOML table read strictly: a value is of the type that its reader expects, or file and key are named."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from vigil.errors import BrokenRelease

T = TypeVar("T")


class BadCard(BrokenRelease):
    """A card lacks something or holds something else: a fault of the deployment, not of any input."""


@dataclass(frozen=True, slots=True)
class Table:
    """One card; keys are dotted paths ("input.size")."""

    file: str
    values: Mapping[str, Any]

    def __contains__(self, key: str) -> bool:
        return self._find(key) is not None

    def text(self, key: str) -> str:
        return self._typed(key, str, "a text")

    def choice(self, key: str, allowed: Sequence[T]) -> T:
        """One of a few values."""
        value = self._need(key)
        for each in allowed:
            if each == value:
                return each
        raise self._wrong(key, f"one of {', '.join(map(str, allowed))}")

    def whole(self, key: str) -> int:
        value = self._typed(key, int, "a whole number")
        if isinstance(value, bool):
            raise self._wrong(key, "a whole number")
        return value

    def number(self, key: str) -> float:
        return float(self._numeric(key, self._need(key)))

    def switch(self, key: str) -> bool:
        return self._typed(key, bool, "true or false")

    def texts(self, key: str) -> tuple[str, ...]:
        values = self._typed(key, list, "a list of texts")
        if not all(isinstance(value, str) for value in values):
            raise self._wrong(key, "a list of texts")
        return tuple(values)

    def numbers(self, key: str) -> tuple[float, ...]:
        values = self._typed(key, list, "a list of numbers")
        return tuple(float(self._numeric(key, value)) for value in values)

    def rows(self, key: str) -> tuple[tuple[float, ...], ...]:
        """A list of lists of numbers, such as points."""
        values = self._typed(key, list, "a list of lists of numbers")
        if not all(isinstance(row, list) for row in values):
            raise self._wrong(key, "a list of lists of numbers")
        return tuple(tuple(float(self._numeric(key, value)) for value in row) for row in values)

    def size(self, key: str) -> tuple[int, int]:
        """[width, height] in pixels."""
        values = self.numbers(key)
        if len(values) != 2 or min(values) < 1:
            raise self._wrong(key, "[width, height]")
        return int(values[0]), int(values[1])

    def names(self, key: str) -> tuple[str, ...]:
        """The keys within a table."""
        return tuple(self._typed(key, dict, "a table"))

    def _find(self, key: str) -> Any:
        value: Any = self.values
        for part in key.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        return value

    def _need(self, key: str) -> Any:
        value = self._find(key)
        if value is None:
            raise BadCard(f"{self.file}: {key} is missing")
        return value

    def _typed(self, key: str, kind: type[T], words: str) -> T:
        value = self._need(key)
        if not isinstance(value, kind):
            raise self._wrong(key, words)
        return value

    def _numeric(self, key: str, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong(key, "made of numbers")
        return value

    def _wrong(self, key: str, words: str) -> BadCard:
        return BadCard(f"{self.file}: {key} must be {words}, not {self._find(key)!r}")


def read(path: Path) -> Table:
    """The card in a file. Raises BadCard where there is none or it is not TOML."""
    try:
        return parsed(str(path), path.read_bytes())
    except FileNotFoundError as error:
        raise BadCard(f"{path}: there is no such card") from error


def parsed(file: str, data: bytes) -> Table:
    """The card in a file's bytes. Raises BadCard where they are not TOML."""
    try:
        return Table(file, tomllib.loads(data.decode()))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadCard(f"{file}: {error}") from error
