"""Values as TOML text: what the standard library reads and does not write."""

import json
from collections.abc import Iterable, Mapping
from typing import Any


def to_toml(table: Mapping[str, Any]) -> str:
    """Tables of texts, numbers, switches, lists of these, and tables."""
    return "\n".join(_toml_lines(table, ())).strip() + "\n"


def _toml_lines(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterable[str]:
    plain = {name: value for name, value in table.items() if not isinstance(value, Mapping)}
    if plain and path:
        yield f"\n[{'.'.join(map(_toml_key, path))}]"
    for name, value in plain.items():
        yield f"{_toml_key(name)} = {_toml_value(value)}"
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _toml_lines(value, (*path, name))


def _toml_value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return f"[{', '.join(map(_toml_value, value))}]"


def _toml_key(name: str) -> str:
    return name if name.replace("_", "").replace("-", "").isalnum() and name.isascii() else json.dumps(name)
