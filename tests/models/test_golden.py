"""The golden outputs of every model folder with a golden.toml are reproduced."""

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.build.files import CARDS
from tests.fakes.built_models import PHOTOS, built_releases, bundled_models
from vigil.inference.card import Network
from vigil.inference.release import Release, open_release
from vigil.inference.session import open_graph

BOX_SHARE = 0.06
"""A side may move by this share of the box: other machines round otherwise."""


def _golden_cases(kind: str) -> list[Any]:
    """(model, expectation) of every golden.toml, with an id that names both."""
    cases = []
    for path in sorted(CARDS.glob("*/golden.toml")):
        for number, expected in enumerate(tomllib.loads(path.read_text("utf-8")).get(kind, [])):
            name = f"{path.parent.name}-{expected.get('file', expected.get('output'))}-{number}"
            cases.append(pytest.param(path.parent.name, expected, id=name))
    return cases


def test_every_model_folder_has_golden_outputs():
    assert [card.parent.name for card in CARDS.glob("*/card.toml") if not _has_golden(card.parent)] == []


@pytest.mark.parametrize(("name", "expected"), _golden_cases("noise"))
def test_a_network_reproduces_its_golden_outputs(name: str, expected: dict[str, Any]):
    _skip_unless_built(name)
    draw = np.random.default_rng(expected["seed"])
    noise = draw.uniform(-1, 1, expected["shape"]).astype(np.float32)

    session = open_graph(release := open_release(built_releases(), name), _network(release))
    output = session.run([expected["output"]], {session.get_inputs()[0].name: noise})[0]

    assert list(output.shape) == expected["output_shape"]
    np.testing.assert_allclose(output.ravel()[:6], expected["first"], atol=expected["tolerance"])
    assert output.mean() == pytest.approx(expected["mean"], abs=expected["tolerance"])


@pytest.mark.parametrize(("name", "expected"), _golden_cases("sample"))
def test_a_model_reproduces_its_golden_answers(name: str, expected: dict[str, Any]):
    _skip_unless_built(name)
    sample = (CARDS / name / expected["file"]).read_bytes()

    found = bundled_models().get(name).predict(sample, {}, ignore_stage).sightings

    assert [one.label for one in found] == expected["labels"]
    scores = [one.score for one in found][: len(expected.get("scores", []))]
    assert scores == pytest.approx(expected.get("scores", []), abs=expected.get("tolerance", 0.01))


@pytest.mark.parametrize(("name", "expected"), _golden_cases("photo"))
def test_a_model_reproduces_its_golden_detections(name: str, expected: dict[str, Any]):
    model = bundled_models().get(name)

    prediction = model.predict(
        (PHOTOS / expected["file"]).read_bytes(), expected.get("options", {}), ignore_stage
    )

    boxes = np.array([sighting.box_px for sighting in prediction.sightings])
    expected_boxes = np.array(expected["boxes"], float)
    assert boxes.shape == expected_boxes.shape
    slack = BOX_SHARE * (expected_boxes[:, 2:] - expected_boxes[:, :2]).max()
    np.testing.assert_allclose(boxes, expected_boxes, atol=float(slack))
    qualities = [sighting.quality for sighting in prediction.sightings]
    np.testing.assert_allclose(np.array(qualities, float), expected["qualities"], atol=0.15)


def _network(release: Release) -> Network:
    assert release.card.network is not None
    return release.card.network


def _skip_unless_built(name: str) -> None:
    """Models that are built only on request are tested where they are."""
    if not (built_releases() / name).is_dir():
        pytest.skip(f'{name} is not built: make models MODELS="faces file-type {name}"')


def _has_golden(folder: Path) -> bool:
    return (folder / "golden.toml").is_file()


def ignore_stage(stage: str) -> None:
    """No stage matters here."""
