"""Which class was meant and which was said, counted, becomes accuracy, precision, recall and F1."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Rates:
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


def confusion(truth: NDArray[np.int64], said: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Counts of (meant, said).

    truth, said  (N,) int64, 0 <= value < classes
    returns      (classes, classes) int64: a row for what was meant, a column for what was said
    """
    counts = np.bincount(truth * classes + said, minlength=classes * classes)
    return counts.reshape(classes, classes).astype(np.int64)


def rates(matrix: NDArray[np.int64]) -> Rates:
    """Every rate of a confusion matrix, (classes, classes) int64 as `confusion` counts it."""
    right = np.diag(matrix).astype(np.float64)
    meant, said = matrix.sum(axis=1), matrix.sum(axis=0)
    precision, recall = _share(right, said), _share(right, meant)
    f1 = _share(2 * right, meant + said)
    present = (meant + said) > 0
    accuracy = float(right.sum() / max(matrix.sum(), 1))
    return Rates(
        accuracy=accuracy,
        precision=tuple(precision.tolist()),
        recall=tuple(recall.tolist()),
        f1=tuple(f1.tolist()),
        macro_precision=_mean(precision[present]),
        macro_recall=_mean(recall[present]),
        macro_f1=_mean(f1[present]),
        micro_f1=accuracy,
    )


def _share(part: NDArray[np.float64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if values.size else 0.0
