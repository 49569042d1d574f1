"""How far what is seen now has moved from what the active release was proven on.

Limits are not chosen: windows split off the reference itself tell how far chance alone goes, and an
alarm means further than all but one in a hundred of them.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

BINS = 10
SAMPLE = 256
"""Vectors compared at most: the energy distance costs their square."""

Moved = Literal["scores", "vectors", "unknown"]


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """What was seen in some time.

    scores   (N,) float64, of the best candidate
    vectors  (M, D) float32, unit length; (0, D) where the model has none
    unknown  (N,) bool: nobody, nothing known
    """

    scores: NDArray[np.float64]
    vectors: NDArray[np.float32]
    unknown: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Distances:
    """How far one window lies from the reference.

    scores   population stability index of the scores
    vectors  energy distance of the embeddings, 0 for the same distribution
    unknown  rate of unknowns less the reference's: -1 to 1
    """

    scores: float
    vectors: float
    unknown: float


@dataclass(frozen=True, slots=True, eq=False)
class Baseline:
    """The reference, and how far windows of `size` drawn from it stray by chance."""

    reference: Window
    edges: NDArray[np.float64]
    limits: Distances
    size: int


@dataclass(frozen=True, slots=True)
class Drift:
    """A window's distances, and which of them chance does not explain."""

    distances: Distances
    limits: Distances
    moved: tuple[Moved, ...]


def fit(reference: Window, *, size: int, seed: int, rounds: int = 200, tail: float = 0.01) -> Baseline:
    """Learn the limits for windows of `size` items from the reference."""
    edges = np.unique(np.quantile(reference.scores, np.linspace(0, 1, BINS + 1)[1:-1]))
    rng = np.random.default_rng(seed)
    strayed = [_distances(*_divided(reference, size, rng), edges) for _ in range(rounds)]
    limits = Distances(
        scores=_limit([one.scores for one in strayed], tail),
        vectors=_limit([one.vectors for one in strayed], tail),
        unknown=_limit([abs(one.unknown) for one in strayed], tail),
    )
    return Baseline(reference, edges, limits, size)


def drift(window: Window, baseline: Baseline) -> Drift:
    """Compare a window of about the baseline's size with its reference."""
    found, limits = _distances(window, baseline.reference, baseline.edges), baseline.limits
    moved: list[Moved] = []
    if found.scores > limits.scores:
        moved.append("scores")
    if found.vectors > limits.vectors:
        moved.append("vectors")
    if abs(found.unknown) > limits.unknown:
        moved.append("unknown")
    return Drift(found, limits, tuple(moved))


def stability(shares: NDArray[np.float64], reference: NDArray[np.float64]) -> float:
    """Population stability index of two (B,) distributions that each sum to 1."""
    return float(np.sum((shares - reference) * np.log(shares / reference)))


def energy(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Squared energy distance of (N, D) and (M, D) samples: 2 E|X-Y| - E|X-X'| - E|Y-Y'|, unbiased."""
    if len(one) < 2 or len(other) < 2:
        return 0.0
    across = float(_apart(one, other).mean(dtype=np.float64))
    return 2 * across - _within(one) - _within(other)


def _distances(window: Window, reference: Window, edges: NDArray[np.float64]) -> Distances:
    strangers = _mean(window.unknown) - _mean(reference.unknown)
    return Distances(
        scores=stability(_shares(window.scores, edges), _shares(reference.scores, edges)),
        vectors=energy(window.vectors[:SAMPLE], reference.vectors[:SAMPLE]),
        unknown=strangers,
    )


def _divided(reference: Window, size: int, rng: np.random.Generator) -> tuple[Window, Window]:
    """A window as chance alone would make it, and the rest: what lay in both would make them seem near."""
    items, vectors = rng.permutation(len(reference.scores)), rng.permutation(len(reference.vectors))
    cut, cut_vectors = min(size, len(items) // 2), min(size, len(vectors) // 2)
    window = _taken(reference, items[:cut], vectors[:cut_vectors])
    return window, _taken(reference, items[cut:], vectors[cut_vectors:])


def _taken(window: Window, items: NDArray[np.int64], vectors: NDArray[np.int64]) -> Window:
    return Window(window.scores[items], window.vectors[vectors], window.unknown[items])


def _shares(scores: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each bin its share, with half an item added to each, so that no bin is empty."""
    counts = np.bincount(np.searchsorted(edges, scores, side="left"), minlength=len(edges) + 1) + 0.5
    shares: NDArray[np.float64] = counts / counts.sum()
    return shares


def _limit(strayed: list[float], tail: float) -> float:
    return float(np.quantile(strayed, 1 - tail))


def _within(sample: NDArray[np.float32]) -> float:
    """Mean distance of two different members."""
    count = len(sample)
    return float(_apart(sample, sample).sum(dtype=np.float64) / (count * (count - 1)))


def _apart(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, M) distances."""
    squared = (one**2).sum(axis=1)[:, np.newaxis] + (other**2).sum(axis=1) - 2 * one @ other.T
    apart: NDArray[np.float32] = np.sqrt(np.maximum(squared, 0))
    return apart


def _mean(values: NDArray[np.bool_]) -> float:
    return float(values.mean()) if values.size else 0.0
