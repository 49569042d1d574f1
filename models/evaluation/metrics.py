"""Quality of a classifier on a labelled dataset: metrics with bootstrap intervals, curves and tables.

Curves and tables are scikit-learn's. Resampled metrics are computed from item counts, because one call of
scikit-learn takes milliseconds and an interval needs hundreds.
This module runs in evaluation and training environments only; functions and layers never import it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics as sk

from vigil.inference.evaluation import (
    Resampling,
    ScoredDataset,
    percentile_interval,
    resample_indices,
)
from vigil.statistics import Interval

MetricName = Literal[
    "accuracy",
    "macro_precision",
    "macro_recall",
    "macro_f1",
    "micro_f1",
    "answered_share",
    "accuracy_when_answered",
    "auc",
    "average_precision",
    "calibration_error",
]
METRIC_NAMES: tuple[MetricName, ...] = get_args(MetricName)
SLICE_METRICS = ("accuracy", "macro_f1", "auc")
CALIBRATION_BINS = 15

Figures = Mapping[str, Interval]
FiguresBySlice = Mapping[str, Mapping[str, Figures]]
"""{"source": {"door": {"accuracy": …}}}"""


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """ROC (x: false positive rate, y: recall) or precision-recall curve (x: recall, y: precision).

    x, y       (P,) float64, 0 to 1: one point for each distinct threshold, the highest first
    threshold  (P,) float64, from inf down: an item counts as positive if its score is at least this
    area       AUC (ROC) or average precision (PR); NaN if the class or its complement is empty
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    threshold: NDArray[np.float64]
    area: float


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Mean confidence and accuracy of the items in one confidence interval."""

    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class ReliabilityTable:
    """The non-empty bins in order of confidence; `error` is the expected calibration error."""

    bins: tuple[CalibrationBin, ...]
    error: float


@dataclass(frozen=True, slots=True, eq=False)
class ClassifierEvaluation:
    """Quality of a classifier.

    figures    each of METRIC_NAMES
    by_class   precision, recall and f1 of each label
    confusion  (C, C) int64: a row for each actual class, a column for each predicted class
    roc, pr    by label; for two classes only the second's
    """

    labels: tuple[str, ...]
    items: int
    figures: Figures
    by_class: Mapping[str, Mapping[str, float]]
    confusion: NDArray[np.int64]
    roc: Mapping[str, Curve]
    pr: Mapping[str, Curve]
    reliability: ReliabilityTable
    slices: FiguresBySlice


def evaluate_classifier(scored: ScoredDataset, resampling: Resampling | None = None) -> ClassifierEvaluation:
    """Compute all figures, per class, per slice, and with curves."""
    rates = sk.precision_recall_fscore_support(
        scored.truth, scored.predicted, labels=range(len(scored.labels)), zero_division=0
    )
    curves = {
        scored.labels[n]: threshold_curves(scored.truth == n, scored.probabilities[:, n])
        for n in scored.curve_classes
    }
    return ClassifierEvaluation(
        labels=scored.labels,
        items=len(scored),
        figures=metric_intervals(scored, resampling=resampling),
        by_class={
            label: {name: float(rates[k][n]) for k, name in enumerate(("precision", "recall", "f1"))}
            for n, label in enumerate(scored.labels)
        },
        confusion=sk.confusion_matrix(scored.truth, scored.predicted, labels=range(len(scored.labels))),
        roc={label: roc for label, (roc, _) in curves.items()},
        pr={label: pr for label, (_, pr) in curves.items()},
        reliability=reliability_of(scored),
        slices={
            name: {
                value: metric_intervals(scored.subset(items), SLICE_METRICS, resampling)
                for value, items in slice_indices(values).items()
            }
            for name, values in scored.slices.items()
        },
    )


def metric_intervals(
    scored: ScoredDataset, names: Sequence[str] = METRIC_NAMES, resampling: Resampling | None = None
) -> dict[str, Interval]:
    """The named metrics with bootstrap intervals; every metric is computed on the same resamples."""
    resampling, metrics = resampling or Resampling(), CountedMetrics(scored)
    values = metrics.compute(np.ones(len(scored), np.int64))
    resampled = [
        metrics.compute(np.bincount(indices, minlength=len(scored)))
        for indices in resample_indices(len(scored), scored.groups, resampling)
    ]
    return {
        name: percentile_interval(values[name], [one[name] for one in resampled], len(scored), resampling)
        for name in names
    }


def classification_metrics(scored: ScoredDataset) -> dict[str, float]:
    """The value of each of METRIC_NAMES; NaN if a metric is undefined, for example the AUC of one class.

    Macro averages are over the classes that occur as truth or prediction; AUC and average precision are
    averages over one-against-rest curves.
    """
    return CountedMetrics(scored).compute(np.ones(len(scored), np.int64))


class CountedMetrics:
    """Metrics of a dataset in which each item occurs a given number of times; scores are sorted once."""

    def __init__(self, scored: ScoredDataset) -> None:
        probabilities = scored.probabilities
        self._classes = len(scored.labels)
        self._cell = scored.truth * self._classes + scored.predicted
        self._is_answered = scored.is_answered
        self._is_correct = scored.predicted == scored.truth
        self._confidence = probabilities.max(axis=1)
        self._is_best_correct = np.argmax(probabilities, axis=1) == scored.truth
        self._rankings = [_rank(scored.truth == n, probabilities[:, n]) for n in scored.curve_classes]

    def compute(self, counts: NDArray[np.int64]) -> dict[str, float]:
        """Each of METRIC_NAMES for (N,) int64 counts of the items."""
        answered = counts * self._is_answered
        areas = [ranking.areas(counts) for ranking in self._rankings]
        table = reliability_table(self._confidence, self._is_best_correct, counts=counts)
        accuracy = _ratio((counts * self._is_correct).sum(), counts.sum())
        return {
            "accuracy": accuracy,
            **self._macro_averages(counts),
            "micro_f1": accuracy,  # the same, because each item has exactly one label
            "answered_share": _ratio(answered.sum(), counts.sum()),
            "accuracy_when_answered": _ratio((answered * self._is_correct).sum(), answered.sum()),
            "auc": float(np.mean([auc for auc, _ in areas])),
            "average_precision": float(np.mean([precision for _, precision in areas])),
            "calibration_error": table.error,
        }

    def _macro_averages(self, counts: NDArray[np.int64]) -> dict[str, float]:
        cells = np.bincount(self._cell, weights=counts, minlength=self._classes**2)
        confusion = cells.reshape(self._classes, self._classes)
        correct, actual, predicted = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
        present = (actual + predicted) > 0
        rates = {
            "macro_precision": correct / np.maximum(predicted, 1),
            "macro_recall": correct / np.maximum(actual, 1),
            "macro_f1": 2 * correct / np.maximum(actual + predicted, 1),
        }
        return {name: float(rate[present].mean()) for name, rate in rates.items()}


@dataclass(frozen=True, slots=True, eq=False)
class _Ranking:
    """Items in falling order of score; `last` are the positions at which the score changes."""

    order: NDArray[np.int64]
    is_positive: NDArray[np.bool_]
    last: NDArray[np.int64]

    def areas(self, counts: NDArray[np.int64]) -> tuple[float, float]:
        """AUC and average precision; NaN where a class has no items."""
        ranked = counts[self.order]
        true_positives, false_positives = (
            np.concatenate([[0], np.cumsum(ranked * is_counted)[self.last]])
            for is_counted in (self.is_positive, ~self.is_positive)
        )
        positives, negatives = true_positives[-1], false_positives[-1]
        area = float(np.trapezoid(true_positives, false_positives))
        precision = true_positives[1:] / np.maximum(true_positives + false_positives, 1)[1:]
        return _ratio(area, positives * negatives), _ratio(
            (np.diff(true_positives) * precision).sum(), positives
        )


def _rank(positive: NDArray[np.bool_], scores: NDArray[np.float64]) -> _Ranking:
    order = np.argsort(-scores, kind="stable")
    last = np.flatnonzero(np.diff(scores[order], append=-np.inf))
    return _Ranking(order, positive[order], last)


def _ratio(part: float, total: float) -> float:
    return float(part / total) if total else float("nan")


def threshold_curves(positive: NDArray[np.bool_], scores: NDArray[np.float64]) -> tuple[Curve, Curve]:
    """The ROC curve and the precision-recall curve of (N,) scores."""
    false_positives, true_positives, threshold = _threshold_counts(positive, scores)
    positives, negatives = int(positive.sum()), int((~positive).sum())
    recall, false_positive_rate = true_positives / max(positives, 1), false_positives / max(negatives, 1)
    selected = true_positives + false_positives
    precision = np.divide(true_positives, selected, out=np.ones_like(selected), where=selected > 0)
    auc = sk.auc(false_positive_rate, recall) if positives and negatives else float("nan")
    average_precision = sk.average_precision_score(positive, scores) if positives else float("nan")
    return (
        Curve(false_positive_rate, recall, threshold, float(auc)),
        Curve(recall, precision, threshold, float(average_precision)),
    )


def best_threshold(positive: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    """The threshold with the best F1, halfway between the lowest accepted and the next lower score."""
    false_positives, true_positives, threshold = _threshold_counts(positive, scores)
    f1 = 2 * true_positives / np.maximum(true_positives + false_positives + positive.sum(), 1)
    best = int(np.argmax(f1))
    below = threshold[best + 1] if best + 1 < len(threshold) else threshold[best]
    return float((threshold[best] + below) / 2) if best else 1.0


def reliability_of(scored: ScoredDataset) -> ReliabilityTable:
    """Confidence of the most probable class against its accuracy."""
    probabilities = scored.probabilities
    return reliability_table(probabilities.max(axis=1), np.argmax(probabilities, axis=1) == scored.truth)


def reliability_table(
    confidence: NDArray[np.float64],
    is_correct: NDArray[np.bool_],
    bins: int = CALIBRATION_BINS,
    counts: NDArray[np.int64] | None = None,
) -> ReliabilityTable:
    """Group (N,) confidences of 0 to 1 into bins of equal width; a bin includes its upper edge.

    counts  (N,) int64: how often each item occurs; once if None
    """
    counts = np.ones(len(confidence), np.int64) if counts is None else counts
    bin_index = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    sizes, confidence_sums, correct_sums = (
        np.bincount(bin_index, weights=counts * values, minlength=bins)
        for values in (np.ones(len(confidence)), confidence, is_correct)
    )
    filled = tuple(
        CalibrationBin(int(sizes[n]), float(confidence_sums[n] / sizes[n]), float(correct_sums[n] / sizes[n]))
        for n in np.flatnonzero(sizes)
    )
    error = np.abs(confidence_sums - correct_sums).sum() / max(sizes.sum(), 1)
    return ReliabilityTable(filled, float(error))


def slice_indices(values: tuple[str, ...]) -> dict[str, NDArray[np.int64]]:
    """The indices of each value, in order of value."""
    slice_values = np.asarray(values)
    return {value: np.flatnonzero(slice_values == value) for value in sorted(set(values))}


def _threshold_counts(
    positive: NDArray[np.bool_], scores: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """False and true positives at infinity and at each distinct score, in falling order."""
    _, false_positives, _, true_positives, threshold = sk.confusion_matrix_at_thresholds(
        positive, scores, pos_label=True
    )
    return (
        np.concatenate([[0.0], false_positives]),
        np.concatenate([[0.0], true_positives]),
        np.concatenate([[np.inf], threshold]),
    )
