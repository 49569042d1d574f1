"""Metrics of a classifier equal values computed by hand, and their intervals have the promised width."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.evaluation.metrics import (
    best_threshold,
    classification_metrics,
    evaluate_classifier,
    metric_intervals,
    reliability_table,
    threshold_curves,
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

# The four-item textbook example: one positive has a lower score than one negative.
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


def predictions(truth: list[int], predicted: list[int], classes: int = 3) -> ScoredDataset:
    return ScoredDataset(tuple("abc")[:classes], np.array(truth), np.eye(classes)[predicted])


def test_a_confusion_matrix_has_a_row_for_each_actual_class():
    found = evaluate_classifier(predictions([0, 0, 1, 2, 2, 2], [0, 1, 1, 2, 2, 0]), QUICK)

    assert found.confusion.tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 2]]


def test_precision_recall_and_f1_are_those_computed_by_hand():
    scored = predictions([0, 0, 1, 2, 2, 2], [0, 1, 1, 2, 2, 0])
    found, by_class = classification_metrics(scored), evaluate_classifier(scored, QUICK).by_class

    assert found["accuracy"] == found["micro_f1"] == pytest.approx(4 / 6)
    assert [by_class[name]["precision"] for name in "abc"] == pytest.approx([1 / 2, 1 / 2, 1])
    assert [by_class[name]["recall"] for name in "abc"] == pytest.approx([1 / 2, 1, 2 / 3])
    assert [by_class[name]["f1"] for name in "abc"] == pytest.approx([1 / 2, 2 / 3, 4 / 5])
    assert found["macro_f1"] == pytest.approx((1 / 2 + 2 / 3 + 4 / 5) / 3)


def test_a_class_that_never_occurs_does_not_lower_the_mean():
    scored = predictions([0, 0, 0, 1, 1], [0, 0, 0, 1, 1])

    assert classification_metrics(scored)["macro_f1"] == 1
    assert evaluate_classifier(scored, QUICK).by_class["c"]["f1"] == 0


# Computed without scikit-learn by the definitions: value, lower and upper limit of 40 resamples.
REFERENCE_FIGURES = {
    "accuracy": (0.8555555555555555, 0.7666666666666667, 0.9222222222222223),
    "macro_precision": (0.8581016914350247, 0.757505285412262, 0.9296969696969697),
    "macro_recall": (0.8522400020033555, 0.7565789473684211, 0.9205847657566565),
    "macro_f1": (0.853818308278402, 0.7518487576967109, 0.9224130453638649),
    "micro_f1": (0.8555555555555555, 0.7666666666666667, 0.9222222222222223),
    "answered_share": (0.7444444444444445, 0.6333333333333333, 0.8555555555555555),
    "accuracy_when_answered": (0.9402985074626866, 0.8961038961038961, 0.9846153846153847),
    "auc": (0.9662672942309777, 0.9347966308968109, 0.9856212032137958),
    "average_precision": (0.946242367800545, 0.9033489410921142, 0.9754524985631307),
    "calibration_error": (0.3508390823581503, 0.3003100677198524, 0.40176748518080696),
}
REFERENCE_TWO_CLASS_FIGURES = {
    "accuracy": (0.75, 0.6833333333333333, 0.825),
    "macro_precision": (0.75, 0.6796875, 0.8247767857142857),
    "macro_recall": (0.7502780867630701, 0.6821266968325792, 0.8241436925647452),
    "macro_f1": (0.7499305362600722, 0.6801346801346801, 0.8244024806633684),
    "auc": (0.8777808676307007, 0.8334736251402918, 0.9320833333333333),
    "average_precision": (0.8992264358351809, 0.8423822098593544, 0.9414230065564997),
    "calibration_error": (0.12333333333333334, 0.08150000000000009, 0.1823333333333334),
}


def test_every_figure_of_three_classes_equals_its_reference_value():
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 3, 90)
    scores = np.round(np.eye(3)[truth] * 0.6 + rng.random((90, 3)), 1) + 0.01
    groups = tuple(f"g{n // 3}" for n in range(90))
    dataset = ScoredDataset(("a", "b", "c"), truth, scores / scores.sum(axis=1, keepdims=True), 0.45, groups)

    found = evaluate_classifier(dataset, Resampling(rounds=40))

    for name, expected in REFERENCE_FIGURES.items():
        figure = found.figures[name]
        assert (figure.value, figure.low, figure.high) == pytest.approx(expected, abs=1e-12), name
    assert found.confusion.tolist() == [[31, 0, 3], [5, 23, 1], [1, 3, 23]]
    assert [curve.area for curve in found.roc.values()] == pytest.approx(
        [0.9537815126050421, 0.970887507066139, 0.974132863021752], abs=1e-12
    )
    assert [len(curve.threshold) for curve in found.pr.values()] == [75, 76, 78]
    assert [part.count for part in found.reliability.bins] == [7, 17, 24, 16, 12, 7, 4, 3]


def test_every_figure_of_two_classes_equals_its_reference_value():
    rng = np.random.default_rng(4)
    truth = rng.integers(0, 2, 120)
    scores = np.clip(np.round(truth * 0.3 + rng.random(120) * 0.7, 2), 0, 1)
    dataset = ScoredDataset(("no", "yes"), truth, scores[:, np.newaxis], 0.55)

    found = evaluate_classifier(dataset, Resampling(rounds=40))

    for name, expected in REFERENCE_TWO_CLASS_FIGURES.items():
        figure = found.figures[name]
        assert (figure.value, figure.low, figure.high) == pytest.approx(expected, abs=1e-12), name
    assert float(found.roc["yes"].x.sum()) == pytest.approx(18.655172413793103, abs=1e-12)
    assert float(found.pr["yes"].y.sum()) == pytest.approx(49.85510413320366, abs=1e-12)
    assert best_threshold(truth == 1, scores) == pytest.approx(0.3)


def test_the_area_under_roc_is_the_share_of_pairs_in_order():
    assert threshold_curves(TRUTH, SCORES)[0].area == pytest.approx(3 / 4)


def test_average_precision_sums_precision_over_recall():
    assert threshold_curves(TRUTH, SCORES)[1].area == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_ties_count_half():
    assert threshold_curves(np.array([True, False]), np.array([0.5, 0.5]))[0].area == pytest.approx(0.5)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=40))
@settings(max_examples=50, deadline=None)
def test_the_area_under_roc_equals_counting_every_pair(items: list[tuple[bool, int]]):
    truth = np.array([one for one, _ in items])
    scores = np.array([score for _, score in items], np.float64)
    yes, no = scores[truth][:, np.newaxis], scores[~truth][np.newaxis, :]

    pairs = ((yes > no) + 0.5 * (yes == no)).mean() if truth.any() and not truth.all() else np.nan

    np.testing.assert_allclose(threshold_curves(truth, scores)[0].area, pairs, atol=1e-12)


def test_the_best_threshold_lies_halfway_between_the_items_that_it_separates():
    assert best_threshold(TRUTH, SCORES) == pytest.approx((0.35 + 0.1) / 2)


def test_scores_equal_to_their_accuracy_have_no_calibration_error():
    right = np.array([True] * 8 + [False] * 2)

    assert reliability_table(np.full(10, 0.8), right).error == pytest.approx(0)


def test_the_calibration_error_is_the_mean_gap_weighted_by_count():
    sure = np.array([0.9, 0.9, 0.9, 0.6])

    found = reliability_table(sure, np.array([True, True, False, True]), bins=10)

    assert found.error == pytest.approx(3 / 4 * abs(0.9 - 2 / 3) + 1 / 4 * 0.4)


def test_the_wilson_interval_of_zero_in_ten_equals_the_published_value():
    found = wilson_interval(0, 10)

    assert (found.low, found.high) == pytest.approx((0, 0.2775), abs=1e-4)


def test_a_bootstrap_interval_has_the_theoretical_width_and_repeats_with_its_seed():
    values = np.arange(400) % 2

    one, again = (bootstrap(lambda at: float(values[at].mean()), 400) for _ in range(2))

    assert one == again
    assert one.high - one.low == pytest.approx(2 * 1.96 * 0.5 / 20, rel=0.15)


def test_resampling_by_person_makes_the_interval_wider():
    values = np.repeat(np.arange(10) % 2, 40)
    people = [f"p{n // 40}" for n in range(400)]

    alone = bootstrap(lambda at: float(values[at].mean()), 400)
    grouped = bootstrap(lambda at: float(values[at].mean()), 400, groups=people)

    assert grouped.high - grouped.low > 3 * (alone.high - alone.low)


def test_the_threshold_separates_two_classes():
    strict = ScoredDataset(("no", "yes"), np.array([0, 1]), np.array([[0.6], [0.9]]), threshold=0.7)

    assert strict.predicted.tolist() == [0, 1]


def test_a_score_below_the_threshold_is_no_answer_with_several_classes():
    sure = np.array([[0.9, 0.05, 0.05], [0.4, 0.35, 0.25]])
    unsure = ScoredDataset(("a", "b", "c"), np.array([0, 1]), sure, threshold=0.5)

    found = metric_intervals(unsure, ["accuracy", "answered_share", "accuracy_when_answered"], QUICK)

    assert [figure.value for figure in found.values()] == [0.5, 0.5, 1]


def test_every_figure_lies_in_its_interval_and_is_computed_by_slice():
    found = evaluate_classifier(scored(), QUICK)

    assert found.confusion.sum() == found.items == 200
    assert all(figure.low <= figure.value <= figure.high for figure in found.figures.values())
    assert found.slices["door"]["a"]["accuracy"].items == 100


def test_each_of_several_classes_has_its_own_curve():
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


def test_a_paired_gain_has_a_narrower_interval_than_two_separate_metrics():
    active = scored(right=0.8)
    better = ScoredDataset(active.labels, active.truth, active.scores.copy(), 0.5)
    better.scores[:20, 0] = active.truth[:20]

    found = paired_gain(better, active, accuracy, QUICK)

    assert 0 < found.low <= found.value
    assert found.high - found.low < 0.5 * np.ptp(
        [metric_intervals(active, ["accuracy"], QUICK)["accuracy"].low, 1]
    )
