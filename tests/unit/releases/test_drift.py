"""What moves is told, what chance explains is not; and a sketch tells nobody apart."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from vigil.inference.types import Sighting
from vigil.releases.drift import (
    SCORE_BINS,
    OutputSketch,
    default_drift_policy,
    embedding_distance,
    measure_drift,
    population_stability_index,
    sketch_of,
)

TERMS = default_drift_policy()


def sketch(
    seed: int,
    items: int,
    *,
    score: float = 0.7,
    shift: float = 0.0,
    strangers: float = 0.2,
    bare: bool = False,
) -> OutputSketch:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(0, 1, (items, 16)).astype(np.float32)
    vectors[:, 0] += shift
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    scores, unknown = np.clip(rng.normal(score, 0.1, items), 0, 1), rng.random(items) < strangers
    return sketch_of(
        Sighting(
            "unknown" if unknown[n] else "p",
            "unknown" if unknown[n] else "known",
            float(scores[n]),
            vector=None if bare else vectors[n],
        )
        for n in range(items)
    )


REFERENCE = sketch(0, 800)


def test_sampling_noise_is_rarely_reported_as_drift():
    alarms = [
        bool(found.exceeded)
        for n in range(1, 101)
        if (found := measure_drift(sketch(n, 200), REFERENCE, TERMS))
    ]

    assert len(alarms) == 100
    assert sum(alarms) <= 2


@pytest.mark.parametrize(
    ("changes", "moved"),
    [({"score": 0.6}, "scores"), ({"shift": 2.0}, "embeddings"), ({"strangers": 0.5}, "unknown")],
)
def test_each_kind_of_drift_is_named(changes: dict[str, Any], moved: str):
    found = measure_drift(sketch(99, 400, **changes), REFERENCE, TERMS)

    assert found is not None
    assert found.exceeded == (moved,)


def test_the_noise_of_embeddings_is_that_of_the_window_and_of_the_reference():
    """Their variances add: the limit of two samples is the sum of the limits of each beside a huge one."""
    huge = replace(REFERENCE, embeddings=10**9, fourier_sums=tuple(np.array(REFERENCE.fourier_sums) * 1.25e6))
    strict = replace(TERMS, embeddings=0.0)

    def limit(window: OutputSketch, reference: OutputSketch) -> float:
        found = measure_drift(window, reference, strict)
        assert found is not None
        return found.limits.embeddings

    window = sketch(1, 800)

    assert limit(window, huge) > 0
    assert limit(window, REFERENCE) == pytest.approx(2 * limit(window, huge), rel=1e-5)


def test_too_few_items_give_no_result():
    assert measure_drift(sketch(1, TERMS.min_items - 1), REFERENCE, TERMS) is None
    assert measure_drift(sketch(1, 400), sketch(2, TERMS.min_items - 1), TERMS) is None


def test_a_model_without_embeddings_has_no_embedding_drift():
    found = measure_drift(sketch(1, 400, bare=True), sketch(2, 400, bare=True), TERMS)

    assert found is not None
    assert (found.distances.embeddings, found.exceeded) == (0.0, ())


def test_the_sum_of_sketches_of_parts_is_the_sketch_of_the_whole():
    units = np.eye(8, dtype=np.float32)
    everything = [Sighting("p", "known", n / 50, vector=units[n % 8]) for n in range(50)]

    whole, parts = sketch_of(everything), sketch_of(everything[:20]) + sketch_of(everything[20:])

    assert replace(whole, fourier_sums=()) == replace(parts, fourier_sums=())
    np.testing.assert_allclose(whole.fourier_sums, parts.fourier_sums)


def test_unfit_sightings_are_not_in_a_sketch():
    found = sketch_of(
        [Sighting("unfit", "unfit"), Sighting("p", "known", 1.0), Sighting("unknown", "unknown")]
    )

    assert (found.items, found.unknown, found.score_counts[SCORE_BINS - 1], sum(found.score_counts)) == (
        2,
        1,
        1,
        1,
    )


def test_the_stability_index_equals_a_value_computed_by_hand():
    found = population_stability_index(np.array([0.5, 0.5]), np.array([0.25, 0.75]))

    assert found == pytest.approx(0.25 * np.log(2) - 0.25 * np.log(2 / 3))


def test_the_distance_of_embeddings_approximates_the_kernel_distance():
    rng = np.random.default_rng(5)
    one = rng.normal(0, 1, (500, 64)) + 1.0
    other = rng.normal(0, 1, (500, 64)) - 0.5
    unit = [(half / np.linalg.norm(half, axis=1, keepdims=True)).astype(np.float32) for half in (one, other)]

    def kernel(first: Any, second: Any) -> float:
        squared = ((first[:, np.newaxis] - second[np.newaxis]) ** 2).sum(axis=2)
        return float(np.exp(-squared / 2).mean())

    exact = kernel(unit[0], unit[0]) + kernel(unit[1], unit[1]) - 2 * kernel(unit[0], unit[1])
    found = embedding_distance(*(sketch_of(Sighting("p", "known", vector=v) for v in half) for half in unit))

    assert found == pytest.approx(exact, rel=0.4)
