"""What moves is told, what chance explains is not."""

from typing import Any

import numpy as np
import pytest

from vigil.learn.drift import Window, drift, energy, fit, stability


def window(
    seed: int, items: int, *, score: float = 0.7, shift: float = 0.0, strangers: float = 0.2
) -> Window:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(0, 1, (items, 16)).astype(np.float32)
    vectors[:, 0] += shift
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Window(np.clip(rng.normal(score, 0.1, items), 0, 1), vectors, rng.random(items) < strangers)


@pytest.fixture(scope="module")
def baseline() -> Any:
    return fit(window(0, 800), size=200, seed=0, rounds=100)


def test_chance_alone_is_rarely_called_drift(baseline: Any):
    alarms = [bool(drift(window(seed, 200), baseline).moved) for seed in range(1, 41)]

    assert sum(alarms) <= 4


@pytest.mark.parametrize(
    ("changes", "moved"),
    [({"score": 0.6}, "scores"), ({"shift": 1.0}, "vectors"), ({"strangers": 0.5}, "unknown")],
)
def test_each_kind_of_drift_is_told_by_its_name(baseline: Any, changes: dict[str, float], moved: str):
    assert drift(window(99, 200, **changes), baseline).moved == (moved,)


def test_a_model_without_vectors_has_scores_only():
    plain = window(0, 300)
    bare = Window(plain.scores, np.empty((0, 16), np.float32), plain.unknown)

    assert "vectors" not in drift(bare, fit(bare, size=100, seed=0, rounds=20)).moved


def test_the_stability_index_is_the_one_computed_by_hand():
    found = stability(np.array([0.5, 0.5]), np.array([0.25, 0.75]))

    assert found == pytest.approx(0.25 * np.log(2) - 0.25 * np.log(2 / 3))


def test_the_energy_distance_is_the_one_computed_by_hand():
    one, other = np.array([[0.0], [2.0]], np.float32), np.array([[1.0], [3.0]], np.float32)

    assert energy(one, other) == pytest.approx(2 * (1 + 3 + 1 + 1) / 4 - 2 - 2)
