"""From validation scores to probabilities that mean what they say, and to the least that says a label."""

import numpy as np
from numpy.typing import NDArray

from models.training.classify import probabilities
from vigil.learn.curves import best_threshold
from vigil.learn.scored import Scored

TEMPERATURES = np.geomspace(0.25, 8, 101)


def temperature(logits: NDArray[np.float32], truth: NDArray[np.int64]) -> float:
    """What to divide (N, L) logits by, so that their likelihood is best (Guo et al. 2017)."""
    losses = [_loss(probabilities((logits / t).astype(np.float32)), truth) for t in TEMPERATURES]
    return float(TEMPERATURES[int(np.argmin(losses))])


def threshold(scored: Scored, precision: float) -> float:
    """The least probability at which a label is said.

    Of one label: where F1 is best. Of several: the lowest at which so many of those said are right;
    where none is, the surest item's.
    """
    if scored.scores.shape[1] == 1:
        return best_threshold(scored.truth == 1, scored.scores[:, 0])
    sure = scored.scores.max(axis=1)
    order = np.argsort(-sure, kind="stable")
    right = np.cumsum((np.argmax(scored.scores, axis=1) == scored.truth)[order]) / np.arange(
        1, len(order) + 1
    )
    enough = np.flatnonzero(right >= precision)
    if len(enough) == len(order) or (len(enough) and enough[-1] == len(order) - 1):
        return 0.0
    return float(sure[order[enough[-1] if len(enough) else 0]])


def _loss(sure: NDArray[np.float64], truth: NDArray[np.int64]) -> float:
    both = np.hstack([1 - sure, sure]) if sure.shape[1] == 1 else sure
    return float(-np.log(np.maximum(both[np.arange(len(truth)), truth], 1e-12)).mean())
