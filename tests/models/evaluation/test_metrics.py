"""Figures of a classifier agree with ones computed by hand, and their intervals with what they promise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.evaluation.metrics import (
    best_threshold,
    classification_rates,
    confusion_matrix,
    evaluate_classifier,
    metric_intervals,
    precision_recall_curve,
    reliability_table,
    roc_curve,
)
from vigil.inference.evaluation import (
    Resampling,
    ScoredDataset,
    accuracy,
    bootstrap,
    paired_gain,
)
from vigil.statistics import wilson_interval

QUICK = Resampling(rounds=50)

# The four-item example of the textbooks: one positive is outscored by one negative.
TRUTH = np.array([False, False, True, True])
SCORES = np.array([0.1, 0.4, 0.35, 0.8])


def scored(seed: int = 0, items: int = 200, right: float = 0.8) -> ScoredDataset:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, items)
    agree = rng.random(items) < right
    sure = np.where(agree, truth, 1 - truth) * 0.6 + rng.random(items) * 0.4
    return ScoredDataset(
        ("no", "yes"), truth, sure[:, np.newaxis], 0.5, slices={"door": ("a", "b") * (items // 2)}
    )


def test_a_confusion_matrix_has_a_row_for_what_was_meant():
    matrix = confusion_matrix(np.array([0, 0, 1, 2, 2, 2]), np.array([0, 1, 1, 2, 2, 0]), 3)

    assert matrix.tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 2]]


def test_precision_recall_and_f1_are_those_computed_by_hand():
    found = classification_rates(np.array([[1, 1, 0], [0, 1, 0], [1, 0, 2]]))

    assert found.accuracy == found.micro_f1 == pytest.approx(4 / 6)
    assert found.precision == pytest.approx((1 / 2, 1 / 2, 1))
    assert found.recall == pytest.approx((1 / 2, 1, 2 / 3))
    assert found.f1 == pytest.approx((1 / 2, 2 / 3, 4 / 5))
    assert found.macro_f1 == pytest.approx((1 / 2 + 2 / 3 + 4 / 5) / 3)


def test_a_class_that_never_occurs_does_not_lower_the_mean():
    found = classification_rates(np.array([[3, 0, 0], [0, 2, 0], [0, 0, 0]]))

    assert found.macro_f1 == 1
    assert found.f1[2] == 0


def test_the_area_under_roc_is_the_share_of_pairs_in_order():
    assert roc_curve(TRUTH, SCORES).area == pytest.approx(3 / 4)


def test_average_precision_sums_precision_over_recall():
    assert precision_recall_curve(TRUTH, SCORES).area == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_ties_count_half():
    assert roc_curve(np.array([True, False]), np.array([0.5, 0.5])).area == pytest.approx(0.5)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=40))
@settings(max_examples=50, deadline=None)
def test_the_area_under_roc_equals_counting_every_pair(items: list[tuple[bool, int]]):
    truth = np.array([one for one, _ in items])
    scores = np.array([score for _, score in items], np.float64)
    yes, no = scores[truth][:, np.newaxis], scores[~truth][np.newaxis, :]

    pairs = ((yes > no) + 0.5 * (yes == no)).mean() if truth.any() and not truth.all() else np.nan

    np.testing.assert_allclose(roc_curve(truth, scores).area, pairs, atol=1e-12)


def test_the_best_threshold_is_between_the_items_that_it_parts():
    assert best_threshold(TRUTH, SCORES) == pytest.approx((0.35 + 0.1) / 2)


def test_scores_that_are_as_sure_as_they_are_right_have_no_calibration_error():
    right = np.array([True] * 8 + [False] * 2)

    assert reliability_table(np.full(10, 0.8), right).error == pytest.approx(0)


def test_the_calibration_error_is_the_mean_gap_weighted_by_count():
    sure = np.array([0.9, 0.9, 0.9, 0.6])

    found = reliability_table(sure, np.array([True, True, False, True]), bins=10)

    assert found.error == pytest.approx(3 / 4 * abs(0.9 - 2 / 3) + 1 / 4 * 0.4)


def test_wilsons_interval_of_none_in_ten_is_the_one_in_the_tables():
    found = wilson_interval(0, 10)

    assert (found.low, found.high) == pytest.approx((0, 0.2775), abs=1e-4)


def test_a_bootstrap_interval_is_as_wide_as_theory_says_and_repeats_with_its_seed():
    values = np.arange(400) % 2

    one, again = (bootstrap(lambda at: float(values[at].mean()), 400) for _ in range(2))

    assert one == again
    assert one.high - one.low == pytest.approx(2 * 1.96 * 0.5 / 20, rel=0.15)


def test_many_pictures_of_few_people_make_a_wider_interval():
    values = np.repeat(np.arange(10) % 2, 40)
    people = [f"p{n // 40}" for n in range(400)]

    alone = bootstrap(lambda at: float(values[at].mean()), 400)
    grouped = bootstrap(lambda at: float(values[at].mean()), 400, groups=people)

    assert grouped.high - grouped.low > 3 * (alone.high - alone.low)


def test_a_threshold_decides_between_two_classes():
    strict = ScoredDataset(("no", "yes"), np.array([0, 1]), np.array([[0.6], [0.9]]), threshold=0.7)

    assert strict.predicted.tolist() == [0, 1]


def test_of_many_classes_an_uncertain_answer_is_withheld():
    sure = np.array([[0.9, 0.05, 0.05], [0.4, 0.35, 0.25]])
    unsure = ScoredDataset(("a", "b", "c"), np.array([0, 1]), sure, threshold=0.5)

    found = metric_intervals(unsure, ["accuracy", "answered_share", "accuracy_when_answered"], QUICK)

    assert [figure.value for figure in found.values()] == [0.5, 0.5, 1]


def test_an_evaluation_has_every_figure_in_its_interval_and_by_slice():
    found = evaluate_classifier(scored(), QUICK)

    assert found.confusion.sum() == found.items == 200
    assert all(figure.low <= figure.value <= figure.high for figure in found.figures.values())
    assert found.slices["door"]["a"]["accuracy"].items == 100


def test_of_many_classes_each_has_its_curve():
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 3, 60)
    sure = np.eye(3)[truth] * 0.5 + rng.random((60, 3)) * 0.5

    found = evaluate_classifier(
        ScoredDataset(("a", "b", "c"), truth, sure / sure.sum(axis=1, keepdims=True)), QUICK
    )

    assert sorted(found.roc) == ["a", "b", "c"]
    assert found.figures["auc"].value == pytest.approx(np.mean([curve.area for curve in found.roc.values()]))


def test_an_undefined_figure_is_nan():
    found = metric_intervals(
        ScoredDataset(("a", "b"), np.zeros(5, np.int64), np.full((5, 1), 0.2)), ["auc"], QUICK
    )

    assert np.isnan(found["auc"].value)


def test_a_gain_on_the_same_items_is_surer_than_two_separate_figures():
    active = scored(right=0.8)
    better = ScoredDataset(active.labels, active.truth, active.scores.copy(), 0.5)
    better.scores[:20, 0] = active.truth[:20]

    found = paired_gain(better, active, accuracy, QUICK)

    assert 0 < found.low <= found.value
    assert found.high - found.low < 0.5 * np.ptp(
        [metric_intervals(active, ["accuracy"], QUICK)["accuracy"].low, 1]
    )
