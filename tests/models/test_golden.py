"""Every model folder's golden answers, found by themselves: a new folder with a golden.toml is tested."""

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from infra.models.places import CARDS
from tests.faces_at_hand import PHOTOS, releases, shelf
from vigil.predict.release import open_release
from vigil.predict.session import open_session

BOX_SHARE = 0.06
"""A side may move by this share of the box: other machines round otherwise."""


def _golden(kind: str) -> list[Any]:
    """(model, expectation) of every golden.toml, with an id that names both."""
    found = []
    for path in sorted(CARDS.glob("*/golden.toml")):
        for place, expected in enumerate(tomllib.loads(path.read_text("utf-8")).get(kind, [])):
            name = f"{path.parent.name}-{expected.get('file', expected.get('output'))}-{place}"
            found.append(pytest.param(path.parent.name, expected, id=name))
    return found


def test_every_model_folder_has_golden_answers():
    assert [card.parent.name for card in CARDS.glob("*/card.toml") if not _has_golden(card.parent)] == []


@pytest.mark.parametrize(("name", "expected"), _golden("noise"))
def test_a_network_gives_for_noise_what_it_always_gave(name: str, expected: dict[str, Any]):
    draw = np.random.default_rng(expected["seed"])
    noise = draw.uniform(-1, 1, expected["shape"]).astype(np.float32)

    given = open_session(open_release(releases(), name)).run([expected["output"]], noise)[0]

    assert list(given.shape) == expected["output_shape"]
    np.testing.assert_allclose(given.ravel()[:6], expected["first"], atol=expected["tolerance"])
    assert given.mean() == pytest.approx(expected["mean"], abs=expected["tolerance"])


@pytest.mark.parametrize(("name", "expected"), _golden("photo"))
def test_a_model_sees_in_a_photo_what_it_always_saw(name: str, expected: dict[str, Any]):
    model = shelf().get(name)

    scene = model.see((PHOTOS / expected["file"]).read_bytes(), expected.get("options", {}), _unmarked)

    boxes = np.array([sighting.box_px for sighting in scene.sightings])
    wanted = np.array(expected["boxes"], float)
    assert boxes.shape == wanted.shape
    slack = BOX_SHARE * (wanted[:, 2:] - wanted[:, :2]).max()
    np.testing.assert_allclose(boxes, wanted, atol=float(slack))
    qualities = [sighting.quality for sighting in scene.sightings]
    np.testing.assert_allclose(np.array(qualities, float), expected["qualities"], atol=0.15)


def _has_golden(folder: Path) -> bool:
    return (folder / "golden.toml").is_file()


def _unmarked(stage: str) -> None:
    """No stage matters here."""
