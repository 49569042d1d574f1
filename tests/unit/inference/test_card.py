"""Model cards become typed values; an error names the file and the key."""

from typing import Any

import pytest

from vigil.inference.card import FixedSizePreprocessing, InputLimits, ModelCard, Network, Preprocessing
from vigil.inference.classifier import ClassifierCard, OutputHead
from vigil.toml_file import InvalidToml, TomlFile

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
CARD: dict[str, Any] = {
    "model": {"name": "x", "version": "1", "summary": "a test"},
    "pipeline": {"kind": "classifier"},
    "accepts": {
        "suffixes": [".png"],
        "formats": ["PNG"],
        "max_bytes": 10,
        "max_pixels": 10,
        "background_grey": 0,
    },
    "network": {"file": "model.onnx", "threads": 1},
    "input": INPUT,
    "output": {"name": "out", "head": "softmax", "labels": ["a"], "threshold": 0.5, "max_labels": 1},
}


def test_a_complete_card_becomes_values():
    card = TomlFile("card.toml", CARD).convert(ClassifierCard)

    assert (card.input.size, card.input.channels, card.input.mean) == ((16, 16), "rgb", (0.0, 0.0, 0.0))
    assert (sorted(card.accepts.suffixes), card.output.labels) == ([".png"], ("a",))


@pytest.mark.parametrize("key", INPUT)
def test_a_missing_key_is_named(key: str):
    values = CARD | {"input": {other: INPUT[other] for other in INPUT if other != key}}

    with pytest.raises(InvalidToml, match=rf"^models/x/card\.toml: missing required key {key} at input"):
        TomlFile("models/x/card.toml", values).convert(ClassifierCard)


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
        ("fill", 256),
        ("name", 7),
    ],
)
def test_an_invalid_value_is_named(key: str, value: object):
    with pytest.raises(InvalidToml, match="input"):
        TomlFile("card.toml", CARD | {"input": {**INPUT, key: value}}).convert(ClassifierCard)


def test_each_table_requires_its_keys():
    for table in (InputLimits, Network, OutputHead, Preprocessing, FixedSizePreprocessing):
        with pytest.raises(InvalidToml, match="missing required key"):
            TomlFile("card.toml", {}).convert(table)


def test_an_unknown_table_is_refused_by_the_kind_and_ignored_by_the_common_card():
    file = TomlFile("card.toml", CARD | {"ouput": {}})

    assert file.convert(ModelCard).pipeline.kind == "classifier"
    with pytest.raises(InvalidToml, match="contains unknown key ouput"):
        file.convert(ClassifierCard)
