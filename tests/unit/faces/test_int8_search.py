"""The search by 8-bit products selects the rows that the exact product would find best."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.unit.faces.builders import EMBEDDING_SPACE, person
from vigil.faces.gallery import build_gallery
from vigil.faces.int8_search import BLOCKS, PROBE_LIMIT, ROW_LIMIT, ZERO_POINT, TemplateIndex
from vigil.faces.segments import CANDIDATE_ROWS, INDEXED_ROWS, EnrolledPerson

DIMENSIONS = 128


def unit_rows(count: int, seed: int = 0) -> NDArray[np.float32]:
    rows = np.random.default_rng(seed).standard_normal((count, DIMENSIONS), np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def similar_to(rows: NDArray[np.float32], cosine: float) -> NDArray[np.float32]:
    noise = unit_rows(len(rows), seed=1)
    noise -= (noise * rows).sum(axis=1, keepdims=True) * rows
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    return np.asarray(cosine * rows + np.sqrt(1 - cosine**2) * noise, np.float32)


ROWS = unit_rows(INDEXED_ROWS + 37)


@pytest.mark.parametrize("cosine", [1.0, 0.5, 0.0])
def test_the_most_similar_row_is_among_the_nearest(cosine: float):
    probes = similar_to(ROWS, cosine)[::20]

    nearest = TemplateIndex(ROWS.astype(np.float16)).nearest(probes, CANDIDATE_ROWS)

    best = (probes @ ROWS.T).argmax(axis=1)
    assert [row in found for row, found in zip(best, nearest, strict=True)] == [True] * len(probes)
    assert nearest.shape == (len(probes), CANDIDATE_ROWS)
    assert nearest.max() < len(ROWS)


def test_the_nearest_rows_are_different_rows_also_if_every_score_is_negative():
    rows = similar_to(np.repeat(ROWS[:1], INDEXED_ROWS + 1, axis=0), 0.9)

    (nearest,) = TemplateIndex(rows.astype(np.float16)).nearest(-rows[:1], CANDIDATE_ROWS)

    assert len(set(nearest.tolist())) == CANDIDATE_ROWS
    assert nearest.max() < len(rows)


def test_no_pair_of_products_can_exceed_16_bits():
    assert 2 * (ZERO_POINT + PROBE_LIMIT) * ROW_LIMIT < 2**15


def test_rows_with_a_single_component_are_found():
    rows = np.zeros((INDEXED_ROWS, DIMENSIONS), np.float32)
    rows[np.arange(INDEXED_ROWS), np.arange(INDEXED_ROWS) % DIMENSIONS] = 1

    (nearest,) = TemplateIndex(rows.astype(np.float16)).nearest(rows[5:6], INDEXED_ROWS // BLOCKS)

    assert (nearest % DIMENSIONS == 5).sum() == INDEXED_ROWS // DIMENSIONS


def test_a_large_gallery_identifies_like_an_exhaustive_search():
    people = [EnrolledPerson(f"p{n:05}", ROWS[2 * n : 2 * n + 2]) for n in range(len(ROWS) // 2)]
    known, probes = build_gallery(EMBEDDING_SPACE, people), similar_to(ROWS, 0.6)[:600:7]

    found = known.identify(probes)

    scores = np.stack([(one.templates @ probes.T).max(axis=0) for one in known.people])
    ordered = np.sort(scores, axis=0)
    assert [one.index for one in found] == scores.argmax(axis=0).tolist()
    np.testing.assert_allclose([one.score for one in found], ordered[-1], atol=1e-5)
    np.testing.assert_allclose([one.runner_up for one in found], ordered[-2], atol=1e-5)


def test_the_runner_up_is_found_although_one_person_has_all_the_nearest_templates():
    many = person("ann", *similar_to(np.repeat(ROWS[:1], INDEXED_ROWS, axis=0), 0.95))
    known = build_gallery(EMBEDDING_SPACE, (many, EnrolledPerson("bob", ROWS[1:2])))

    (found,) = known.identify(ROWS[:1])

    assert known.person_at(found.index).id == "ann"
    assert found.runner_up == pytest.approx(float(ROWS[0] @ ROWS[1]), abs=1e-3)
