"""Gallery searches are measured as in ISO/IEC 19795-1."""

import numpy as np
import pytest

from models.evaluation.identification import (
    evaluate_identification,
    fnir_at_fpir,
    rank_one_rate,
    search_scores,
)
from vigil.inference.evaluation import Resampling

QUICK = Resampling(rounds=50)


def test_a_probe_is_compared_with_its_own_subject_and_with_all_others():
    found = search_scores(
        np.array([[0.9, 0.2, 0.4], [0.3, 0.5, 0.1]], np.float32), probes=["a", "x"], templates=["a", "b", "a"]
    )

    assert found.mated == pytest.approx([0.9, -np.inf])
    assert found.nonmated == pytest.approx([0.2, 0.5])


def test_rank_one_ignores_the_score_of_the_own_subject():
    scores = np.array([[0.3, 0.2], [0.6, 0.5]], np.float32)

    assert rank_one_rate(search_scores(scores, probes=["a", "b"], templates=["a", "b"]), QUICK).value == 0.5


def test_the_fnir_is_taken_at_the_threshold_of_the_nonmated_probes():
    # 100 unenrolled probes at 0.00 to 0.99: one per cent of them, one, may reach the threshold.
    unenrolled = np.arange(100)[:, np.newaxis] / 100
    enrolled = np.array([[0.97], [0.985], [0.995], [0.5]])
    scores = np.vstack([unenrolled, enrolled]).astype(np.float32)

    found = fnir_at_fpir(search_scores(scores, probes=["x"] * 100 + ["a"] * 4, templates=["a"]), 0.01, QUICK)

    assert 0.98 < found.threshold < 0.985
    assert found.fnir.value == 0.5
    assert found.is_resolved


def test_a_probe_whose_own_subject_is_second_is_missed_at_any_score():
    scores = np.array([[0.9, 0.95], [0.1, 0.1]], np.float32)

    found = fnir_at_fpir(search_scores(scores, probes=["a", "x"], templates=["a", "b"]), 0.01, QUICK)

    assert found.fnir.value == 1


def test_too_few_nonmated_probes_mark_the_rate_as_unresolved():
    scores = np.array([[0.9], [0.1]], np.float32)

    assert not fnir_at_fpir(
        search_scores(scores, probes=["a", "x"], templates=["a"]), 0.001, QUICK
    ).is_resolved


def test_identification_is_measured_at_both_rates_and_by_slice():
    rng = np.random.default_rng(0)
    scores = rng.normal(0.1, 0.1, (300, 20)).astype(np.float32)
    probes = [f"p{n % 40}" for n in range(300)]
    for n in range(300):
        if n % 40 < 20:
            scores[n, n % 40] += 0.7

    found = evaluate_identification(
        search_scores(scores, probes=probes, templates=[f"p{n}" for n in range(20)]),
        {"light": ("day", "night") * 150},
        QUICK,
    )

    assert [miss.fpir for miss in found.miss_rates] == [0.01, 0.001]
    assert found.rank_one.value > 0.95
    assert set(found.slices["light"]) == {"day", "night"}
