"""Which class was meant and which was said, counted, becomes accuracy, precision, recall and F1."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vigil.inference.evaluation import (
    Metric,
    Resampling,
    ScoredDataset,
    Slices,
    accuracy,
    bootstrap,
    metric_interval,
)
from vigil.statistics import Interval


@dataclass(frozen=True, slots=True)
class ClassificationRates:
    """What a confusion matrix says, each 0 to 1.

    precision, recall, f1  one a class, in the order of the labels; 0 where a class was never said, or meant
    macro_f1               the classes' mean, over classes that were meant or said
    micro_f1               of all decisions pooled: equals accuracy, since each item has one label
    """

    accuracy: float
    precision: tuple[float, ...]
    recall: tuple[float, ...]
    f1: tuple[float, ...]
    macro_precision: float
    macro_recall: float
    macro_f1: float
    micro_f1: float


def confusion_matrix(
    truth: NDArray[np.int64], predicted: NDArray[np.int64], classes: int
) -> NDArray[np.int64]:
    """Counts of (meant, said).

    truth, said  (N,) int64, 0 <= value < classes
    returns      (classes, classes) int64: a row for what was meant, a column for what was said
    """
    counts = np.bincount(truth * classes + predicted, minlength=classes * classes)
    return counts.reshape(classes, classes).astype(np.int64)


def classification_rates(matrix: NDArray[np.int64]) -> ClassificationRates:
    """Every rate of a confusion matrix, (classes, classes) int64 as `confusion` counts it."""
    correct = np.diag(matrix).astype(np.float64)
    actual, predicted = matrix.sum(axis=1), matrix.sum(axis=0)
    precision, recall = _ratio(correct, predicted), _ratio(correct, actual)
    f1 = _ratio(2 * correct, actual + predicted)
    present = (actual + predicted) > 0
    accuracy = float(correct.sum() / max(matrix.sum(), 1))
    return ClassificationRates(
        accuracy=accuracy,
        precision=tuple(precision.tolist()),
        recall=tuple(recall.tolist()),
        f1=tuple(f1.tolist()),
        macro_precision=_mean_or_zero(precision[present]),
        macro_recall=_mean_or_zero(recall[present]),
        macro_f1=_mean_or_zero(f1[present]),
        micro_f1=accuracy,
    )


def _ratio(part: NDArray[np.float64], total: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.divide(part, total, out=np.zeros_like(part), where=total > 0)


def _mean_or_zero(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if values.size else 0.0


# MERGED: Scores of positives and negatives become ROC and precision-recall curves, and the areas under them.


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One point a distinct threshold, from the strictest to the laxest.

    x, y       (P,) float64, 0 to 1: ROC has false positive rate and recall, PR has recall and precision
    threshold  (P,) float64: an item counts as positive where its score reaches it
    area       of ROC by trapezoids (AUC), of PR by steps (average precision); NaN where a side has no item
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    threshold: NDArray[np.float64]
    area: float


def roc_curve(positive: NDArray[np.bool_], scores: NDArray[np.float64]) -> Curve:
    """Receiver operating characteristic of (N,) scores; ties share a point and count half."""
    true_positives, false_positives, threshold = _cumulative_counts(positive, scores)
    positives, negatives = int(positive.sum()), int((~positive).sum())
    x, y = _fraction(false_positives, negatives), _fraction(true_positives, positives)
    area = float(np.trapezoid(y, x)) if positives and negatives else float("nan")
    return Curve(x, y, threshold, area)


def precision_recall_curve(positive: NDArray[np.bool_], scores: NDArray[np.float64]) -> Curve:
    """Precision against recall of (N,) scores; average precision sums precision over steps of recall."""
    true_positives, false_positives, threshold = _cumulative_counts(positive, scores)
    recall = _fraction(true_positives, int(positive.sum()))
    precision = np.divide(
        true_positives,
        true_positives + false_positives,
        out=np.ones_like(true_positives),
        where=true_positives + false_positives > 0,
    )
    area = float(np.sum(np.diff(recall) * precision[1:])) if positive.any() else float("nan")
    return Curve(recall, precision, threshold, area)


def best_threshold(positive: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    """The score to reach that gives the best F1, halfway down to the next lower score."""
    true_positives, false_positives, threshold = _cumulative_counts(positive, scores)
    f1 = 2 * true_positives / np.maximum(true_positives + false_positives + positive.sum(), 1)
    best = int(np.argmax(f1))
    below = threshold[best + 1] if best + 1 < len(threshold) else threshold[best]
    return float((threshold[best] + below) / 2) if best else 1.0


def _cumulative_counts(
    positive: NDArray[np.bool_], scores: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Hits and false alarms at infinity and at each distinct score, falling."""
    order = np.argsort(-scores, kind="stable")
    ranked, is_positive = scores[order], positive[order]
    last = np.flatnonzero(np.diff(ranked, append=-np.inf))
    true_positives, false_positives = np.cumsum(is_positive)[last], np.cumsum(~is_positive)[last]
    start = np.zeros(1)
    return (
        np.concatenate([start, true_positives]).astype(np.float64),
        np.concatenate([start, false_positives]).astype(np.float64),
        np.concatenate([[np.inf], ranked[last]]).astype(np.float64),
    )


def _fraction(counts: NDArray[np.float64], total: int) -> NDArray[np.float64]:
    return counts / max(total, 1)


# MERGED: Whether a score of 0.8 is right eight times in ten: the reliability table and its calibration error.


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Items whose confidence lies in one part of 0 to 1: how sure they were, and how often right."""

    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class ReliabilityTable:
    """Filled bins, rising in confidence; `error` is their mean gap (expected calibration error)."""

    bins: tuple[CalibrationBin, ...]
    error: float


def reliability_table(
    confidence: NDArray[np.float64], is_correct: NDArray[np.bool_], bins: int = 15
) -> ReliabilityTable:
    """Group (N,) confidences of 0 to 1 into equal widths; a bin holds its upper edge."""
    bin_index = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    filled = tuple(
        _calibration_bin(confidence[bin_index == n], is_correct[bin_index == n])
        for n in range(bins)
        if (bin_index == n).any()
    )
    total = max(len(confidence), 1)
    error = (
        sum(filled_bin.count * abs(filled_bin.confidence - filled_bin.accuracy) for filled_bin in filled)
        / total
    )
    return ReliabilityTable(filled, float(error))


def _calibration_bin(confidence: NDArray[np.float64], is_correct: NDArray[np.bool_]) -> CalibrationBin:
    return CalibrationBin(len(confidence), float(confidence.mean()), float(is_correct.mean()))


# MERGED: The figures that we report of a classifier, each a number computed from what it scored.


def decision_rates(scored: ScoredDataset) -> ClassificationRates:
    """Every rate of the decisions."""
    return classification_rates(confusion_matrix(scored.truth, scored.predicted, len(scored.labels)))


def auc(scored: ScoredDataset) -> float:
    """Area under ROC; of many classes the mean of each against the rest. NaN where a class is missing."""
    probabilities = scored.probabilities
    return float(
        np.mean([roc_curve(scored.truth == n, probabilities[:, n]).area for n in scored.curve_classes])
    )


def average_precision(scored: ScoredDataset) -> float:
    """Area under precision-recall; of many classes the mean. NaN where a class is missing."""
    probabilities = scored.probabilities
    return float(
        np.mean(
            [
                precision_recall_curve(scored.truth == n, probabilities[:, n]).area
                for n in scored.curve_classes
            ]
        )
    )


def accuracy_when_answered(scored: ScoredDataset) -> float:
    """Accuracy of what is said. NaN where nothing is."""
    answered = scored.is_answered
    return float((scored.predicted == scored.truth)[answered].mean()) if answered.any() else float("nan")


def reliability_of(scored: ScoredDataset) -> ReliabilityTable:
    """How far the best class's probability is from how often it is right."""
    probabilities = scored.probabilities
    return reliability_table(probabilities.max(axis=1), np.argmax(probabilities, axis=1) == scored.truth)


METRICS: Mapping[str, Metric] = {
    "accuracy": accuracy,
    "macro_precision": lambda scored: decision_rates(scored).macro_precision,
    "macro_recall": lambda scored: decision_rates(scored).macro_recall,
    "macro_f1": lambda scored: decision_rates(scored).macro_f1,
    "micro_f1": lambda scored: decision_rates(scored).micro_f1,
    "answered_share": lambda scored: float(scored.is_answered.mean()),
    "accuracy_when_answered": accuracy_when_answered,
    "auc": auc,
    "average_precision": average_precision,
    "calibration_error": lambda scored: reliability_of(scored).error,
}


def metric_intervals(
    scored: ScoredDataset, names: Iterable[str] = tuple(METRICS), resampling: Resampling | None = None
) -> dict[str, Interval]:
    """The named figures with their intervals."""
    return {name: metric_interval(scored, METRICS[name], resampling) for name in names}


# MERGED: Probes searched in a gallery become miss rates at given false alarm rates (ISO/IEC 19795-1), and
#   rank-1.


@dataclass(frozen=True, slots=True, eq=False)
class SearchScores:
    """What each probe's search of the whole gallery gave.

    mate     (P,) float64: the best score of the probe's own subject; -inf where it is not enrolled
    other    (P,) float64: the best score of anybody else; -inf where there is nobody
    subject  of each probe
    """

    mated: NDArray[np.float64]
    nonmated: NDArray[np.float64]
    subjects: tuple[str, ...]

    def subset(self, indices: NDArray[np.int64]) -> "SearchScores":
        """The probes at these indices."""
        return SearchScores(
            self.mated[indices], self.nonmated[indices], tuple(self.subjects[n] for n in indices)
        )

    @property
    def is_enrolled(self) -> NDArray[np.bool_]:
        return np.isfinite(self.mated)


@dataclass(frozen=True, slots=True)
class FnirAtFpir:
    """How often an enrolled person is not found (FNIR) where so many strangers are taken for somebody (FPIR).

    resolved  whether there are enough strangers (1 / fpir) to tell this rate at all
    """

    fpir: float
    threshold: float
    fnir: Interval
    is_resolved: bool


def search_scores(
    scores: NDArray[np.float32], *, probes: Sequence[str], templates: Sequence[str]
) -> SearchScores:
    """Reduce (P, T) similarities of probes to templates, each with its subject, to two scores a probe."""
    is_mated = np.asarray(probes)[:, np.newaxis] == np.asarray(templates)[np.newaxis, :]
    exact = scores.astype(np.float64)
    mated = np.where(is_mated, exact, -np.inf).max(axis=1, initial=-np.inf)
    nonmated = np.where(is_mated, -np.inf, exact).max(axis=1, initial=-np.inf)
    return SearchScores(mated, nonmated, tuple(probes))


def rank_one_rate(searches: SearchScores, resampling: Resampling | None = None) -> Interval:
    """How often an enrolled probe's own subject comes first, whatever its score."""
    enrolled = np.flatnonzero(searches.is_enrolled)
    is_first = (searches.mated > searches.nonmated)[enrolled]
    groups = [searches.subjects[n] for n in enrolled]
    return bootstrap(
        lambda items: _mean_or_nan(is_first[items]), len(enrolled), groups=groups, resampling=resampling
    )


def fnir_at_fpir(searches: SearchScores, fpir: float, resampling: Resampling | None = None) -> FnirAtFpir:
    """FNIR at the lowest threshold that at most this share of the strangers reach.

    An enrolled probe is found where its own subject comes first and reaches the threshold. The interval is
    over enrolled subjects; the threshold stays as the strangers set it.
    """
    nonmated = np.sort(searches.nonmated[~searches.is_enrolled])[::-1]
    threshold = _threshold_at_fpir(nonmated, fpir)
    enrolled = np.flatnonzero(searches.is_enrolled)
    is_missed = ~((searches.mated > searches.nonmated) & (searches.mated >= threshold))[enrolled]
    groups = [searches.subjects[n] for n in enrolled]
    fnir = bootstrap(
        lambda items: _mean_or_nan(is_missed[items]), len(enrolled), groups=groups, resampling=resampling
    )
    return FnirAtFpir(fpir, threshold, fnir, is_resolved=len(nonmated) * fpir >= 1)


def _threshold_at_fpir(nonmated: NDArray[np.float64], fpir: float) -> float:
    """Just above the first stranger, from the top, who may not be taken for anybody."""
    allowed = int(np.floor(fpir * len(nonmated) + 1e-9))
    if allowed >= len(nonmated):
        return float("-inf")
    return float(np.nextafter(nonmated[allowed], np.inf))


def _mean_or_nan(values: NDArray[np.bool_]) -> float:
    return float(values.mean()) if values.size else float("nan")


# MERGED: A model's answers on a labelled data set become everything that we report, with intervals and by
#   slice.

FPIRS = (0.01, 0.001)
SLICE_METRICS = ("accuracy", "macro_f1", "auc")

Figures = Mapping[str, Interval]
FiguresBySlice = Mapping[str, Mapping[str, Figures]]
"""{"source": {"door": {"accuracy": …}}}"""


@dataclass(frozen=True, slots=True, eq=False)
class ClassifierEvaluation:
    """All that was measured of a classifier.

    figures    each of measures.MEASURES
    by_class   precision, recall and f1 of each label
    matrix     (C, C) int64: rows meant, columns said
    roc, pr    by label; of two classes only the second's
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


@dataclass(frozen=True, slots=True, eq=False)
class IdentificationEvaluation:
    """All that was measured of a search in a gallery."""

    probes: int
    rank_one: Interval
    miss_rates: tuple[FnirAtFpir, ...]
    slices: FiguresBySlice


def evaluate_classifier(scored: ScoredDataset, resampling: Resampling | None = None) -> ClassifierEvaluation:
    """Measure a classifier."""
    probabilities, rates = scored.probabilities, decision_rates(scored)
    return ClassifierEvaluation(
        labels=scored.labels,
        items=len(scored),
        figures=metric_intervals(scored, resampling=resampling),
        by_class={
            label: {"precision": rates.precision[n], "recall": rates.recall[n], "f1": rates.f1[n]}
            for n, label in enumerate(scored.labels)
        },
        confusion=confusion_matrix(scored.truth, scored.predicted, len(scored.labels)),
        roc={
            scored.labels[n]: roc_curve(scored.truth == n, probabilities[:, n]) for n in scored.curve_classes
        },
        pr={
            scored.labels[n]: precision_recall_curve(scored.truth == n, probabilities[:, n])
            for n in scored.curve_classes
        },
        reliability=reliability_of(scored),
        slices={
            name: {
                value: metric_intervals(scored.subset(items), SLICE_METRICS, resampling)
                for value, items in slice_indices(values).items()
            }
            for name, values in scored.slices.items()
        },
    )


def evaluate_identification(
    searches: SearchScores, slices: Slices, resampling: Resampling | None = None
) -> IdentificationEvaluation:
    """Measure a search. Each slice has a threshold of its own, set by its own strangers."""
    return IdentificationEvaluation(
        probes=len(searches.subjects),
        rank_one=rank_one_rate(searches, resampling),
        miss_rates=tuple(fnir_at_fpir(searches, fpir, resampling) for fpir in FPIRS),
        slices={
            name: {
                value: _slice_figures(searches.subset(items), resampling)
                for value, items in slice_indices(values).items()
            }
            for name, values in slices.items()
        },
    )


def slice_indices(values: tuple[str, ...]) -> dict[str, NDArray[np.int64]]:
    """The indices that hold each value, in order of value."""
    slice_values = np.asarray(values)
    return {value: np.flatnonzero(slice_values == value) for value in sorted(set(values))}


def _slice_figures(searches: SearchScores, resampling: Resampling | None) -> Figures:
    fnir = {f"fnir_at_fpir_{fpir:g}": fnir_at_fpir(searches, fpir, resampling).fnir for fpir in FPIRS[:1]}
    return {"rank_one": rank_one_rate(searches, resampling), **fnir}
