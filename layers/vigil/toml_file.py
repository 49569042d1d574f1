"""Strict reading of TOML files: model cards, rules, gates and recipes become values of declared types."""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec.structs import fields

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
    text  as read, to name lines in error messages
    """

    file: str
    values: Mapping[str, Any]
    text: str = ""

    def convert(self, kind: type[T]) -> T:
        """The file as a value of a TomlTable type. Raises InvalidToml, which names the key."""
        try:
            return msgspec.convert(self.values, kind)
        except msgspec.ValidationError as error:
            raise InvalidToml(self._explain(kind)) from error

    def invalid(self, key: str, problem: str) -> InvalidToml:
        """The error of a key such as "input.size" whose value is well-formed and does not fit."""
        line = _line_of(key.split("."), self.text)
        return InvalidToml(f"{self.file}{f', line {line}' if line else ''}: {key}: {problem}")

    def _explain(self, kind: Any) -> str:
        """`FILE, line 7: expected int, got str at input.size[0]`, and the keys or values that are allowed."""
        found, value, path = _locate(kind, self.values, ())
        message = _message_for(found, value)
        problem = re.sub("^Object (contains|missing required) (unknown )?field", r"\1 \2key", message)
        line, place = _line_of(path, self.text), _format_path(path)
        where, problem = f", line {line}" if line else "", problem[:1].lower() + problem[1:].replace("`", "")
        at = f" at {place}" if place else ""
        return f"{self.file}{where}: {problem}{at}{_allowed(found, value)}"


def load_toml(path: Path) -> TomlFile:
    """Raises InvalidToml if there is no such file or it is not TOML."""
    try:
        return parse_toml(str(path), path.read_bytes())
    except FileNotFoundError as error:
        raise InvalidToml(f"{path}: there is no such file") from error


MAX_TOML_BYTES = 1024 * 1024
MAX_KEY_PARTS = 16
"""Longest dotted key: the time and memory of the parser grow with the square of its parts."""

_LONG_KEY = re.compile(
    r"""(?<![\w-])(?:(?:[\w-]+|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*)"""
    f"{{{MAX_KEY_PARTS}}}"
)


def parse_toml(file: str, data: bytes) -> TomlFile:
    """Raises InvalidToml if the bytes are not TOML in UTF-8, or too large to parse."""
    if len(data) > MAX_TOML_BYTES:
        raise InvalidToml(f"{file}: {len(data):,} bytes; the limit is {MAX_TOML_BYTES:,}")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InvalidToml(
            f"{file}, line {line}: byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8"
        ) from error
    if long_key := _LONG_KEY.search(text):
        line = text.count("\n", 0, long_key.start()) + 1
        raise InvalidToml(f"{file}, line {line}: a key has more than {MAX_KEY_PARTS} parts")
    try:
        return TomlFile(file, tomllib.loads(text), text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidToml(f"{file}: {error}") from error


Step = str | int
"""A key of a table, or an index of a list."""


def _locate(kind: Any, value: Any, path: tuple[Step, ...]) -> tuple[Any, Any, tuple[Step, ...]]:
    """The innermost declared type whose value is not valid, that value, and its path."""
    kind = _plain_type(kind, value)
    for step, inner, child in _children(kind, value):
        if not _is_valid(child, inner):
            return _locate(inner, child, (*path, step))
    return kind, value, path


def _children(kind: Any, value: Any) -> Iterator[tuple[Step, Any, Any]]:
    """(key or index, declared type, value) of what a table or list contains."""
    bare, arguments = _unannotated(kind), get_args(_unannotated(kind))
    origin = get_origin(bare)
    if isinstance(value, dict) and isinstance(bare, type) and issubclass(bare, msgspec.Struct):
        hints = get_type_hints(bare, include_extras=True)
        names = {one.encode_name: one.name for one in fields(bare)}
        yield from ((key, hints[names[key]], child) for key, child in value.items() if key in names)
    elif isinstance(value, dict) and origin in (dict, Mapping):
        yield from ((key, arguments[0], key) for key in value)
        yield from ((key, arguments[1], child) for key, child in value.items())
    elif isinstance(value, list) and origin is tuple and Ellipsis not in arguments:
        yield from ((index, inner, child) for index, (inner, child) in enumerate(zip(arguments, value)))  # noqa: B905 - a wrong length is an error of the list
    elif isinstance(value, list) and arguments:
        yield from ((index, arguments[0], child) for index, child in enumerate(value))


def _plain_type(kind: Any, value: Any) -> Any:
    """The type of an optional key that has a value; of a union of tables, the one that the value names."""
    arguments = get_args(kind)
    if isinstance(kind, UnionType) or get_origin(kind) is Union:
        required = [one for one in arguments if one is not type(None)]
        tagged = [one for one in required if isinstance(value, dict) and _is_tagged(one, value)]
        return tagged[0] if tagged else required[0] if len(required) == 1 else kind
    return kind


def _is_tagged(kind: Any, table: dict[str, Any]) -> bool:
    """Whether a type of a union of tables is the one that the table's tag, such as `kind`, names."""
    config = getattr(kind, "__struct_config__", None)
    return config is not None and config.tag is not None and table.get(config.tag_field) == config.tag


def _unannotated(kind: Any) -> Any:
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _is_valid(value: Any, kind: Any) -> bool:
    return _message_for(kind, value) == ""


def _message_for(kind: Any, value: Any) -> str:
    """msgspec's message without its path; empty if the value is valid."""
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        return str(error).partition(" - at `")[0]
    return ""


def _allowed(kind: Any, value: Any) -> str:
    bare = _unannotated(kind)
    if isinstance(bare, UnionType):
        tags = [str(one.__struct_config__.tag) for one in get_args(bare) if hasattr(one, "__struct_config__")]
        named = value.get("kind") if isinstance(value, dict) else None
        return f"; kinds: {', '.join(sorted(tags))}" + _similar(named, tags) if tags else ""
    if isinstance(bare, type) and issubclass(bare, msgspec.Struct):
        keys = [one.encode_name for one in fields(bare)]
        if bare.__struct_config__.tag is not None:
            keys.insert(0, str(bare.__struct_config__.tag_field))
        unknown = [key for key in value if key not in keys] if isinstance(value, dict) else []
        return f"; keys: {', '.join(keys)}" + _similar(unknown[0] if unknown else None, keys)
    if get_origin(bare) is Literal:
        return f"; allowed: {', '.join(map(str, sorted(get_args(bare))))}" + _similar(value, get_args(bare))
    if isinstance(value, str) and get_origin(bare) in (frozenset, set, list, tuple):
        return f'; write it as a list: ["{value[:60]}"]'
    if get_origin(kind) is Annotated:
        texts = [one.description for one in get_args(kind)[1:] if getattr(one, "description", None)]
        return f"; expected {texts[0]}" if texts else ""
    return ""


def _similar(word: Any, known: Sequence[Any]) -> str:
    close = get_close_matches(str(word), [str(one) for one in known], n=1) if word is not None else []
    return f"; did you mean {close[0]}?" if close else ""


def _format_path(path: Sequence[Step]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


_HEADER = re.compile(r"\s*(\[\[?)\s*(.+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""\s*("[^"]*"|'[^']*'|[A-Za-z0-9_-]+)(?:\s*\.\s*[^=]+)?\s*=""")
_KEY_PART = re.compile(r""""([^"]*)"|'([^']*)'|([A-Za-z0-9_-]+)""")


def _line_of(path: Sequence[Step], text: str) -> int:
    """The line of the innermost table or key of the path that is written; 0 if there is none."""
    names = [step for step in path if isinstance(step, str)]
    target_index = next((step for step in path if isinstance(step, int)), 0)
    table: list[str] = []
    index, best, best_depth = -1, 0, 0
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = ["".join(parts) for parts in _KEY_PART.findall(header[2])]
            index += header[1] == "[[" and table == names[:1]
            here = table
        elif key := _KEY.match(line):
            here = [*table, key[1].strip("\"'")]
        else:
            continue
        is_target = index < 0 or index == target_index or not names or here[:1] != names[:1]
        if here == names[: len(here)] and len(here) > best_depth and is_target:
            best, best_depth = number, len(here)
    return best
