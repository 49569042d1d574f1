"""Strict reading of TOML files: model cards, rules, gates and recipes become values of declared types."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from vigil.errors import BrokenRelease

T = TypeVar("T")


class InvalidToml(BrokenRelease):
    """A TOML file of a release or of the deployment is missing or invalid; no input is at fault."""


class TomlTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of the types of TOML tables: each field is a key, and a key that is no field is refused.

    A subclass is `frozen=True`, as type checkers do not inherit that. It declares ranges with
    `Annotated[int, msgspec.Meta(ge=1)]`; its `__post_init__` checks conditions between keys and raises
    ValueError.
    """


@dataclass(frozen=True, slots=True)
class TomlFile:
    """A parsed file.

    file  its path, for error messages
    """

    file: str
    values: Mapping[str, Any]

    def convert(self, kind: type[T]) -> T:
        """The file as a value of a TomlTable type. Raises InvalidToml, which names the key."""
        try:
            return msgspec.convert(self.values, kind)
        except msgspec.ValidationError as error:
            raise InvalidToml(f"{self.file}: {_explain(str(error), kind, self.values)}") from error


def load_toml(path: Path) -> TomlFile:
    """Raises InvalidToml if there is no such file or it is not TOML."""
    try:
        return parse_toml(str(path), path.read_bytes())
    except FileNotFoundError as error:
        raise InvalidToml(f"{path}: there is no such file") from error


def parse_toml(file: str, data: bytes) -> TomlFile:
    """Raises InvalidToml if the bytes are not TOML."""
    try:
        return TomlFile(file, tomllib.loads(data.decode()))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidToml(f"{file}: {error}") from error


def _explain(message: str, kind: Any, values: Any) -> str:
    """`expected int, got str at input.size[0]`, followed by the keys or values that are allowed there."""
    problem, _, place = message.partition(" - at `$")
    problem = re.sub("^Object (contains|missing required) (unknown )?field", r"\1 \2key", problem)
    steps = re.findall(r"[\w-]+|\.{3}", place.removesuffix("`"))
    found, path = _locate(inspect.type_info(kind), values, steps)
    allowed = ""
    if isinstance(found, inspect.StructType):
        allowed = f"; keys: {', '.join(field.encode_name for field in found.fields)}"
    elif isinstance(found, inspect.LiteralType):
        allowed = f"; allowed: {', '.join(map(str, found.values))}"
    return f"{problem[:1].lower()}{problem[1:].replace('`', '')}{f' at {path}' if path else ''}{allowed}"


def _locate(found: Any, values: Any, steps: list[str]) -> tuple[Any, str]:
    """The declared type at a path of keys, indices and `...` (some key of a table), and the path as text."""
    path = ""
    for step in steps:
        found, key = _required_type(found), step
        match found:
            case inspect.StructType(fields=fields):
                found = next((field.type for field in fields if field.encode_name == step), None)
            case inspect.DictType(value_type=value_type):
                invalid = (name for name, one in values.items() if not _is_valid(one, value_type))
                found, key = value_type, next(invalid, step)
            case inspect.TupleType(item_types=item_types):
                found = item_types[int(step)]
            case _:
                found = getattr(found, "item_type", None)
        is_table = isinstance(values, dict)
        path += f".{key}" if is_table else f"[{step}]"
        values = values.get(key, {}) if is_table else values[int(step)]
    return _required_type(found), path.removeprefix(".")


def _required_type(found: Any) -> Any:
    """The type of an optional key that has a value."""
    if not isinstance(found, inspect.UnionType):
        return found
    return next(each for each in found.types if not isinstance(each, inspect.NoneType))


def _is_valid(value: Any, found: Any) -> bool:
    if isinstance(found, inspect.DictType) and isinstance(value, dict):
        return all(_is_valid(one, found.value_type) for one in value.values())
    try:
        msgspec.convert(value, found.cls if isinstance(found, inspect.StructType) else Any)
    except msgspec.ValidationError:
        return False
    return True
