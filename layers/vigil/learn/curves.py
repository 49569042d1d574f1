"""Scores of positives and negatives become ROC and precision-recall curves, and the areas under them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


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


def roc(positive: NDArray[np.bool_], scores: NDArray[np.float64]) -> Curve:
    """Receiver operating characteristic of (N,) scores; ties share a point and count half."""
    hits, alarms, threshold = _counted(positive, scores)
    yes, no = int(positive.sum()), int((~positive).sum())
    x, y = _rate(alarms, no), _rate(hits, yes)
    area = float(np.trapezoid(y, x)) if yes and no else float("nan")
    return Curve(x, y, threshold, area)


def precision_recall(positive: NDArray[np.bool_], scores: NDArray[np.float64]) -> Curve:
    """Precision against recall of (N,) scores; average precision sums precision over steps of recall."""
    hits, alarms, threshold = _counted(positive, scores)
    recall = _rate(hits, int(positive.sum()))
    precision = np.divide(hits, hits + alarms, out=np.ones_like(hits), where=hits + alarms > 0)
    area = float(np.sum(np.diff(recall) * precision[1:])) if positive.any() else float("nan")
    return Curve(recall, precision, threshold, area)


def best_threshold(positive: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    """The score to reach that gives the best F1, halfway down to the next lower score."""
    hits, alarms, threshold = _counted(positive, scores)
    f1 = 2 * hits / np.maximum(hits + alarms + positive.sum(), 1)
    best = int(np.argmax(f1))
    below = threshold[best + 1] if best + 1 < len(threshold) else threshold[best]
    return float((threshold[best] + below) / 2) if best else 1.0


def _counted(
    positive: NDArray[np.bool_], scores: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Hits and false alarms at infinity and at each distinct score, falling."""
    order = np.argsort(-scores, kind="stable")
    ranked, right = scores[order], positive[order]
    last = np.flatnonzero(np.diff(ranked, append=-np.inf))
    hits, alarms = np.cumsum(right)[last], np.cumsum(~right)[last]
    start = np.zeros(1)
    return (
        np.concatenate([start, hits]).astype(np.float64),
        np.concatenate([start, alarms]).astype(np.float64),
        np.concatenate([[np.inf], ranked[last]]).astype(np.float64),
    )


def _rate(counts: NDArray[np.float64], total: int) -> NDArray[np.float64]:
    return counts / max(total, 1)
