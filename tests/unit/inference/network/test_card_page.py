"""docs/cards.md: every example is a valid card."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from vigil.inference.network.card import InputSpec, NetworkModelCard, OutputSpec, StagesCard
from vigil.inference.session import GoldenOutputs
from vigil.toml_file import TomlFile, parse_toml

DOCS = Path(__file__).resolve().parents[4] / "docs"
EXAMPLES = re.findall(r"```toml\n(.*?)```", (DOCS / "cards.md").read_text(), re.DOTALL)
SCHEMA = Draft202012Validator(json.loads((DOCS / "schemas" / "model-card.json").read_text()))
SHARED = tomllib.loads(EXAMPLES[0])
DEFAULTS = {
    "input": {"kind": "image", "name": "x", "size": [8, 8], "mean": [0.0] * 3, "scale": [1.0] * 3},
    "output": {"kind": "softmax", "name": "y", "labels": ["a"]},
}


@pytest.mark.parametrize(
    "example", [one for one in EXAMPLES if "[[sample]]" not in one and "[cuts]" not in one]
)
def test_an_example_is_a_valid_card(example: str):
    values = {**SHARED, **DEFAULTS, **tomllib.loads(example)}

    card = TomlFile("docs/cards.md", values).convert(NetworkModelCard)

    assert card.network.file == "model.onnx"
    assert list(SCHEMA.iter_errors(values)) == []


def test_there_is_an_example_of_each_kind():
    kinds = set(re.findall(r'^kind = "([a-z]+)"', "\n".join(EXAMPLES), re.MULTILINE))
    defined = {one.__struct_config__.tag for union in (InputSpec, OutputSpec) for one in union.__args__}

    assert defined - kinds <= {"sigmoid", "probabilities"}


def test_the_stages_are_valid():
    (example,) = [one for one in EXAMPLES if "[cuts]" in one]
    shared = {key: SHARED[key] for key in ("model", "accepts", "licence")}

    assert TomlFile("card.toml", {**shared, **tomllib.loads(example)}).convert(StagesCard).cuts.most == 40


def test_the_golden_sample_is_valid():
    (example,) = [one for one in EXAMPLES if "[[sample]]" in one]

    assert parse_toml("golden.toml", example.encode()).convert(GoldenOutputs).sample
