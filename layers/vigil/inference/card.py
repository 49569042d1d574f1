"""A TOML table read strictly: a value is of the type that its reader expects, or file and key are named."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from vigil.toml_file import InvalidToml, TomlFile

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TomlReader(TomlFile):
    """One card; keys are dotted paths ("input.size")."""

    def __contains__(self, key: str) -> bool:
        return self._find(key) is not None

    def get_str(self, key: str) -> str:
        return self._typed(key, str, "a text")

    def get_choice(self, key: str, allowed: Sequence[T]) -> T:
        """One of a few values."""
        value = self._require(key)
        for each in allowed:
            if each == value:
                return each
        raise self._invalid(key, f"one of {', '.join(map(str, allowed))}")

    def get_int(self, key: str) -> int:
        value = self._typed(key, int, "a whole number")
        if isinstance(value, bool):
            raise self._invalid(key, "a whole number")
        return value

    def get_float(self, key: str) -> float:
        return float(self._numeric(key, self._require(key)))

    def get_bool(self, key: str) -> bool:
        return self._typed(key, bool, "true or false")

    def get_strs(self, key: str) -> tuple[str, ...]:
        values = self._typed(key, list, "a list of texts")
        if not all(isinstance(value, str) for value in values):
            raise self._invalid(key, "a list of texts")
        return tuple(values)

    def get_floats(self, key: str) -> tuple[float, ...]:
        values = self._typed(key, list, "a list of numbers")
        return tuple(float(self._numeric(key, value)) for value in values)

    def get_float_rows(self, key: str) -> tuple[tuple[float, ...], ...]:
        """A list of lists of numbers, such as points."""
        values = self._typed(key, list, "a list of lists of numbers")
        if not all(isinstance(row, list) for row in values):
            raise self._invalid(key, "a list of lists of numbers")
        return tuple(tuple(float(self._numeric(key, value)) for value in row) for row in values)

    def get_size(self, key: str) -> tuple[int, int]:
        """[width, height] in pixels."""
        values = self.get_floats(key)
        if len(values) != 2 or min(values) < 1:
            raise self._invalid(key, "[width, height]")
        return int(values[0]), int(values[1])

    def get_keys(self, key: str) -> tuple[str, ...]:
        """The keys within a table."""
        return tuple(self._typed(key, dict, "a table"))

    def _find(self, key: str) -> Any:
        value: Any = self.values
        for part in key.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        return value

    def _require(self, key: str) -> Any:
        value = self._find(key)
        if value is None:
            raise InvalidToml(f"{self.file}: {key} is missing")
        return value

    def _typed(self, key: str, kind: type[T], expected: str) -> T:
        value = self._require(key)
        if not isinstance(value, kind):
            raise self._invalid(key, expected)
        return value

    def _numeric(self, key: str, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._invalid(key, "made of numbers")
        return value

    def _invalid(self, key: str, expected: str) -> InvalidToml:
        return InvalidToml(f"{self.file}: {key} must be {expected}, not {self._find(key)!r}")


def load_toml(path: Path) -> TomlReader:
    """The card in a file. Raises BadCard where there is none or it is not TOML."""
    try:
        return parse_toml(str(path), path.read_bytes())
    except FileNotFoundError as error:
        raise InvalidToml(f"{path}: there is no such card") from error


def parse_toml(file: str, data: bytes) -> TomlReader:
    """The card in a file's bytes. Raises BadCard where they are not TOML."""
    try:
        return TomlReader(file, tomllib.loads(data.decode()))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidToml(f"{file}: {error}") from error


# MERGED: What every model's card says, as frozen values: preparation, accepted files, network.

Channels = Literal["rgb", "bgr", "grey"]
Layout = Literal["nchw", "nhwc"]
Fit = Literal["stretch", "pad", "crop"]

CHANNELS: tuple[Channels, ...] = get_args(Channels)
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
FITS: tuple[Fit, ...] = get_args(Fit)


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How an upright RGB picture becomes a network's input: (pixel - mean) / scale per channel.

    size  (width, height) in pixels; None where the network takes several
    fit   stretch: ignore proportions; pad: into the top left corner, the rest is `fill`;
          crop: cover, and cut what stands out on both sides
    """

    input_name: str
    size: tuple[int, int] | None
    layout: Layout
    channels: Channels
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    fit: Fit
    fill: int

    @classmethod
    def from_card(cls, card: TomlReader) -> "Preprocessing":
        preprocessing = cls(
            input_name=card.get_str("input.name"),
            size=card.get_size("input.size") if "input.size" in card else None,
            layout=card.get_choice("input.layout", LAYOUTS),
            channels=card.get_choice("input.channels", CHANNELS),
            mean=card.get_floats("input.mean"),
            scale=card.get_floats("input.scale"),
            fit=card.get_choice("input.fit", FITS),
            fill=card.get_int("input.fill"),
        )
        depth = 1 if preprocessing.channels == "grey" else 3
        if not len(preprocessing.mean) == len(preprocessing.scale) == depth or 0.0 in preprocessing.scale:
            raise InvalidToml(
                f"{card.file}: input.mean and input.scale must hold {depth} numbers, no scale 0"
            )
        return preprocessing


@dataclass(frozen=True, slots=True)
class InputLimits:
    """Which files a model reads, and how it unpacks them.

    suffixes    lower-case file endings (".jpg")
    formats     Pillow's names of the formats that may be inside, whatever the ending says
    max_bytes   of the file
    max_pixels  of the unpacked picture
    ground      grey level, 0..255, behind transparent pixels
    """

    suffixes: frozenset[str]
    formats: tuple[str, ...]
    max_bytes: int
    max_pixels: int
    background_grey: int

    @classmethod
    def from_card(cls, card: TomlReader) -> "InputLimits":
        return cls(
            suffixes=frozenset(suffix.lower() for suffix in card.get_strs("accepts.suffixes")),
            formats=card.get_strs("accepts.formats"),
            max_bytes=card.get_int("accepts.max_bytes"),
            max_pixels=card.get_int("accepts.max_pixels"),
            background_grey=card.get_int("accepts.ground"),
        )


@dataclass(frozen=True, slots=True)
class Network:
    """The graph's file beside the card, and how many threads one run may use."""

    file: str
    threads: int

    @classmethod
    def from_card(cls, card: TomlReader) -> "Network":
        return cls(file=card.get_str("network.file"), threads=card.get_int("network.threads"))
