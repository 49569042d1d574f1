"""The figures that we report of a classifier, each a number computed from what it scored."""

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from vigil.learn.confusion import Rates, confusion, rates
from vigil.learn.curves import precision_recall, roc
from vigil.learn.interval import Interval
from vigil.learn.intervals import Resampling, bootstrap
from vigil.learn.reliability import Reliability, reliability
from vigil.learn.scored import Scored

Measure = Callable[[Scored], float]


def counted(scored: Scored) -> Rates:
    """Every rate of the decisions."""
    return rates(confusion(scored.truth, scored.said, len(scored.labels)))


def auc(scored: Scored) -> float:
    """Area under ROC; of many classes the mean of each against the rest. NaN where a class is missing."""
    sure = scored.probabilities
    return float(np.mean([roc(scored.truth == n, sure[:, n]).area for n in scored.positives]))


def average_precision(scored: Scored) -> float:
    """Area under precision-recall; of many classes the mean. NaN where a class is missing."""
    sure = scored.probabilities
    return float(np.mean([precision_recall(scored.truth == n, sure[:, n]).area for n in scored.positives]))


def right_of_answered(scored: Scored) -> float:
    """Accuracy of what is said. NaN where nothing is."""
    said = scored.answered
    return float((scored.said == scored.truth)[said].mean()) if said.any() else float("nan")


def sureness(scored: Scored) -> Reliability:
    """How far the best class's probability is from how often it is right."""
    sure = scored.probabilities
    return reliability(sure.max(axis=1), np.argmax(sure, axis=1) == scored.truth)


MEASURES: Mapping[str, Measure] = {
    "accuracy": lambda scored: counted(scored).accuracy,
    "macro_precision": lambda scored: counted(scored).macro_precision,
    "macro_recall": lambda scored: counted(scored).macro_recall,
    "macro_f1": lambda scored: counted(scored).macro_f1,
    "micro_f1": lambda scored: counted(scored).micro_f1,
    "answered": lambda scored: float(scored.answered.mean()),
    "right_of_answered": right_of_answered,
    "auc": auc,
    "average_precision": average_precision,
    "calibration_error": lambda scored: sureness(scored).error,
}


def measured(
    scored: Scored, names: Iterable[str] = tuple(MEASURES), how: Resampling | None = None
) -> dict[str, Interval]:
    """The named figures with their intervals."""
    return {name: interval(scored, name, how) for name in names}


def interval(scored: Scored, name: str, how: Resampling | None = None) -> Interval:
    """One figure with its interval; whole groups are drawn."""
    measure = MEASURES[name]
    return bootstrap(lambda at: measure(scored.only(at)), len(scored), groups=scored.groups, how=how)


def gain(candidate: Scored, active: Scored, name: str, how: Resampling | None = None) -> Interval:
    """How much better the candidate is on the same items: both are drawn together, which halves the doubt."""
    measure = MEASURES[name]
    return bootstrap(
        lambda at: measure(candidate.only(at)) - measure(active.only(at)),
        len(active),
        groups=active.groups,
        how=how,
    )
