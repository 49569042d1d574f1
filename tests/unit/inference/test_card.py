"""Cards are read strictly: what is missing or of another kind is named with its file and key."""

from pathlib import Path

import pytest

from vigil.inference.card import InputLimits, Network, Preprocessing, TomlReader, load_toml
from vigil.inference.classifier import OutputHead
from vigil.toml_file import InvalidToml

INPUT = {
    "name": "image",
    "layout": "nchw",
    "size": [16, 16],
    "channels": "rgb",
    "mean": [0.0, 0.0, 0.0],
    "scale": [1.0, 1.0, 1.0],
    "fit": "stretch",
    "fill": 0,
}


def test_a_whole_card_becomes_values():
    preparation = Preprocessing.from_card(TomlReader("card.toml", {"input": INPUT}))

    assert (preparation.size, preparation.channels, preparation.mean) == ((16, 16), "rgb", (0.0, 0.0, 0.0))


@pytest.mark.parametrize("key", [key for key in INPUT if key != "size"])
def test_a_missing_value_is_named(key: str):
    card = TomlReader(
        "models/x/card.toml", {"input": {other: INPUT[other] for other in INPUT if other != key}}
    )

    with pytest.raises(InvalidToml, match=rf"models/x/card\.toml: input\.{key} is missing"):
        Preprocessing.from_card(card)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("size", [16]),
        ("size", "16x16"),
        ("size", [0, 4]),
        ("layout", "chwn"),
        ("channels", "cmyk"),
        ("mean", [0.0]),
        ("mean", "none"),
        ("scale", [1.0, 0.0, 1.0]),
        ("fit", "squeeze"),
        ("fill", 0.5),
        ("fill", True),
        ("name", 7),
    ],
)
def test_a_wrong_value_is_named(key: str, value: object):
    card = TomlReader("card.toml", {"input": {**INPUT, key: value}})

    with pytest.raises(InvalidToml, match=rf"input\.{key}"):
        Preprocessing.from_card(card)


def test_each_reader_names_what_it_misses():
    empty = TomlReader("card.toml", {})

    for reader in (InputLimits, Network, OutputHead):
        with pytest.raises(InvalidToml, match="is missing"):
            reader.from_card(empty)


def test_a_card_that_is_not_there_or_not_toml_is_named(tmp_path: Path):
    broken = tmp_path / "card.toml"
    broken.write_text("[input\n")

    with pytest.raises(InvalidToml, match="no such card"):
        load_toml(tmp_path / "nowhere.toml")
    with pytest.raises(InvalidToml, match=r"card\.toml"):
        load_toml(broken)
