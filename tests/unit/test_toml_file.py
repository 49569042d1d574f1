"""TOML files become values of declared types; an error names the file, the key and what is allowed there."""

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta

from vigil.toml_file import InvalidToml, TomlFile, TomlTable, load_toml

Pixels = Annotated[int, Meta(ge=1)]


class Input(TomlTable, frozen=True):
    size: tuple[Pixels, Pixels]
    fit: Literal["stretch", "pad"]
    scale: float = 1.0

    def __post_init__(self) -> None:
        if self.scale == 0:
            raise ValueError("scale must not be 0")


class Card(TomlTable, frozen=True):
    input: Input
    others: dict[str, Input] = msgspec.field(default_factory=dict)
    more: tuple[Input, ...] = ()
    kind: Literal["a", "b"] | None = None
    days: frozenset[Literal["mon", "tue"]] = frozenset()
    by_day: dict[str, dict[str, Input]] = msgspec.field(default_factory=dict)


VALID = {"size": [4, 2], "fit": "pad"}


def test_a_valid_file_becomes_a_value_with_defaults():
    card = TomlFile("card.toml", {"input": {**VALID, "scale": 2}}).convert(Card)

    assert card == Card(Input((4, 2), "pad", 2.0))
    assert isinstance(card.input.scale, float)


@pytest.mark.parametrize(
    ("table", "error"),
    [
        ({"fit": "pad"}, "missing required key size at {}; keys: size, fit, scale"),
        ({**VALID, "fill": 0}, "contains unknown key fill at {}; keys: size, fit, scale"),
        ({**VALID, "size": [4, "2"]}, "expected int, got str at {}.size[1]"),
        ({**VALID, "size": [4, True]}, "expected int, got bool at {}.size[1]"),
        ({**VALID, "size": [0, 4]}, "expected int >= 1 at {}.size[0]"),
        ({**VALID, "size": [4]}, "expected array of length 2, got 1 at {}.size"),
        ({**VALID, "fit": "crop"}, "invalid enum value 'crop' at {}.fit; allowed: pad, stretch"),
        ({**VALID, "scale": 0}, "scale must not be 0 at {}; keys: size, fit, scale"),
    ],
)
def test_an_error_names_the_file_the_key_and_what_is_allowed(table: dict[str, Any], error: str):
    files: dict[str, dict[str, Any]] = {
        "input": {"input": table},
        "others.vault*": {"input": VALID, "others": {"door": VALID, "vault*": table}},
        "more[1]": {"input": VALID, "more": [VALID, table]},
    }

    for place, values in files.items():
        with pytest.raises(InvalidToml) as caught:
            TomlFile("models/x/card.toml", values).convert(Card)
        assert str(caught.value) == f"models/x/card.toml: {error.format(place)}"


def test_an_unknown_key_at_the_top_is_refused_with_the_known_ones():
    with pytest.raises(InvalidToml, match=r"^card\.toml: contains unknown key inptu; keys: input, others"):
        TomlFile("card.toml", {"input": VALID, "inptu": {}}).convert(Card)


def test_an_optional_value_is_checked_as_well():
    with pytest.raises(InvalidToml, match="invalid enum value 'c' at kind; allowed: a, b"):
        TomlFile("card.toml", {"input": VALID, "kind": "c"}).convert(Card)


def test_the_items_of_sets_and_nested_tables_are_checked_as_well():
    with pytest.raises(InvalidToml, match=r"invalid enum value 'sun' at days\[1\]; allowed: mon, tue"):
        TomlFile("card.toml", {"input": VALID, "days": ["mon", "sun"]}).convert(Card)
    with pytest.raises(InvalidToml, match=r"missing required key fit at by_day\.mon\.a; keys: size, fit"):
        TomlFile("card.toml", {"input": VALID, "by_day": {"mon": {"a": {"size": [1, 1]}}}}).convert(Card)


def test_a_file_that_is_missing_or_not_toml_is_named(tmp_path: Path):
    broken = tmp_path / "broken.toml"
    broken.write_text("[input\n")

    with pytest.raises(InvalidToml, match=r"nowhere\.toml: there is no such file"):
        load_toml(tmp_path / "nowhere.toml")
    with pytest.raises(InvalidToml, match=r"broken\.toml: "):
        load_toml(broken)
