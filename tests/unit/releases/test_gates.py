"""A candidate is promoted when it surely may be, rejected when it surely may not, and waits in between."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from vigil.inference.evaluation import ScoredDataset, metric_interval, paired_gain
from vigil.releases.gates import (
    Promote,
    Reject,
    RolloutEvidence,
    Wait,
    default_gates,
    evaluate_gates,
)
from vigil.statistics import Interval

GATE = default_gates()["shadow"]
GOOD = RolloutEvidence(
    drops=400,
    errors=0,
    errors_active=0,
    agreed=390,
    latency_ms=11.0,
    latency_ms_active=10.0,
    metric=Interval(0.97, 0.96, 0.98, 500),
    gain=Interval(0.01, 0.002, 0.02, 500),
    stage_duration=timedelta(hours=5),
)


def test_a_candidate_that_passes_every_gate_is_promoted():
    verdict = evaluate_gates(GOOD, GATE)

    assert isinstance(verdict, Promote)
    assert [text.split()[0] for text in verdict.figures] == [
        "error",
        "latency",
        "agreement",
        "gain",
        "metric",
    ]


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"errors": 40}, "error rate"),
        ({"latency_ms": 16.0}, "latency ratio"),
        ({"agreed": 100, "gain": Interval(0.0, -0.005, 0.005, 500)}, "agreement"),
        ({"gain": Interval(-0.3, -0.35, -0.25, 500)}, "gain"),
        ({"metric": Interval(0.1, 0.08, 0.12, 500)}, "metric"),
    ],
)
def test_each_failed_gate_rejects_with_its_reason(changes: dict[str, Any], word: str):
    verdict = evaluate_gates(replace(GOOD, **changes), GATE)

    assert isinstance(verdict, Reject)
    assert [reason.startswith(word) for reason in verdict.reasons] == [True]


def test_a_candidate_that_is_better_with_confidence_need_not_agree():
    assert isinstance(evaluate_gates(replace(GOOD, agreed=100), GATE), Promote)


def test_an_uncertain_gain_waits():
    verdict = evaluate_gates(replace(GOOD, gain=Interval(0.0, -0.05, 0.05, 20)), GATE)

    assert isinstance(verdict, Wait)
    assert verdict.pending[0].startswith("gain")


def test_too_few_drops_wait_even_if_all_figures_are_good():
    assert evaluate_gates(replace(GOOD, drops=150, agreed=150), GATE) == Wait(("150 of 200 drops",))


def test_errors_reject_before_the_minimum_number_of_drops():
    assert isinstance(evaluate_gates(replace(GOOD, drops=20, agreed=10, errors=10), GATE), Reject)


def test_a_few_slow_drops_prove_nothing():
    assert isinstance(evaluate_gates(replace(GOOD, drops=20, agreed=20, latency_ms=50.0), GATE), Wait)


def test_slow_drops_reject_from_the_minimum_number_on():
    slow = replace(GOOD, drops=GATE.min_drops, agreed=190, latency_ms=50.0)

    assert isinstance(evaluate_gates(slow, GATE), Reject)
    assert isinstance(evaluate_gates(replace(slow, drops=GATE.min_drops - 1), GATE), Wait)


def test_a_figure_that_equals_its_limit_passes():
    at_the_limit = replace(
        GOOD,
        errors=2,
        drops=200,
        agreed=200,
        metric=Interval(0.55, GATE.min_metric, 0.6, 500),
        gain=Interval(0.0, -GATE.max_metric_loss, 0.01, 500),
    )

    assert at_the_limit.errors / at_the_limit.drops == GATE.max_error_rate_increase
    assert isinstance(evaluate_gates(at_the_limit, GATE), Promote)


def test_a_figure_whose_interval_ends_at_its_limit_is_undecided():
    for undecided in (
        replace(GOOD, metric=Interval(0.45, 0.4, GATE.min_metric, 500)),
        replace(GOOD, gain=Interval(-0.02, -0.03, -GATE.max_metric_loss, 500)),
    ):
        assert isinstance(evaluate_gates(undecided, GATE), Wait)


def test_an_undefined_metric_never_promotes():
    nan = float("nan")

    assert isinstance(evaluate_gates(replace(GOOD, metric=Interval(nan, nan, nan, 0)), GATE), Wait)


def test_an_undecided_candidate_is_rejected_after_the_timeout():
    verdict = evaluate_gates(
        replace(GOOD, gain=Interval(0.0, -0.05, 0.05, 20), stage_duration=timedelta(days=8)), GATE
    )

    assert isinstance(verdict, Reject)
    assert "undecided" in verdict.reasons[0]


def test_a_candidate_may_be_undecided_until_the_timeout_and_no_longer():
    undecided = replace(GOOD, gain=Interval(0.0, -0.05, 0.05, 20))
    second = timedelta(seconds=1)

    before = evaluate_gates(replace(undecided, stage_duration=GATE.timeout - second), GATE)
    then = evaluate_gates(replace(undecided, stage_duration=GATE.timeout), GATE)

    assert [type(before), type(then)] == [Wait, Reject]


def test_a_candidate_trained_on_shuffled_labels_is_rejected_by_its_metric():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 10, 300)
    good = np.eye(10)[np.where(rng.random(300) < 0.97, truth, rng.integers(0, 10, 300))]
    poisoned = np.eye(10)[rng.permutation(truth)]
    labels = tuple("0123456789")
    candidate, active = ScoredDataset(labels, truth, poisoned), ScoredDataset(labels, truth, good)
    figure = metric_interval(candidate)

    verdict = evaluate_gates(replace(GOOD, metric=figure, gain=paired_gain(candidate, active)), GATE)

    assert isinstance(verdict, Reject)
    assert [reason.split()[0] for reason in verdict.reasons] == ["gain", "metric"]
