"""How far what a release sees now has moved from what it was proven on.

A distance counts where it is more than chance explains and more than matters; `drift.toml` says what does.
"""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vigil.learn.sketch import Sketch
from vigil.predict.table import Table, read

DEFAULT = Path(__file__).with_name("drift.toml")
ROUNDS = 200
TAIL = 0.99
"""Chance alone strays further in one of a hundred windows."""

CHI_SQUARED = 6.63
"""Of one degree of freedom, what 99 of 100 stay below: no sum of squares of the same mean strays further."""

Moved = Literal["scores", "vectors", "unknown"]


@dataclass(frozen=True, slots=True)
class Terms:
    """When a model has drifted, and what follows.

    scores   population stability index
    vectors  squared distance of the embeddings' distributions: 0 the same, 2 nothing in common
    unknown  change of the share of unknowns
    least    items without which nothing is said
    window   that is compared with the reference
    pause    after a lesson, in which drift orders no other
    """

    scores: float
    vectors: float
    unknown: float
    least: int
    window: timedelta
    pause: timedelta


@dataclass(frozen=True, slots=True)
class Distances:
    """How far a window lies from the reference; or how far it may."""

    scores: float
    vectors: float
    unknown: float


@dataclass(frozen=True, slots=True)
class Drift:
    """A window's distances, and from where on each counts."""

    distances: Distances
    limits: Distances

    @property
    def ratios(self) -> dict[Moved, float]:
        """Each distance in units of its limit: above 1, it has drifted."""
        found, limits = self.distances, self.limits
        return {
            "scores": found.scores / limits.scores,
            "vectors": max(0.0, found.vectors) / limits.vectors,
            "unknown": abs(found.unknown) / limits.unknown,
        }

    @property
    def moved(self) -> tuple[Moved, ...]:
        return tuple(name for name, ratio in self.ratios.items() if ratio > 1)


def drift(window: Sketch, reference: Sketch, terms: Terms) -> Drift | None:
    """Compare a window with the reference; None where either holds too little to say anything."""
    if min(window.items, reference.items) < terms.least:
        return None
    found = Distances(
        scores=stability(_shares(window.scores), _shares(reference.scores)),
        vectors=apart(window, reference),
        unknown=_rate(window) - _rate(reference),
    )
    chance = _chance(window, reference)
    limits = Distances(
        scores=max(terms.scores, chance.scores),
        vectors=max(terms.vectors, chance.vectors),
        unknown=max(terms.unknown, chance.unknown),
    )
    return Drift(found, limits)


def stability(shares: NDArray[np.float64], reference: NDArray[np.float64]) -> float:
    """Population stability index of two (B,) distributions that each sum to 1."""
    return float(np.sum((shares - reference) * np.log(shares / reference)))


def apart(one: Sketch, other: Sketch) -> float:
    """Squared distance (MMD) of two samples' embeddings, unbiased: of the same distribution 0 on the mean."""
    if min(one.vectors, other.vectors) < 2:
        return 0.0
    mine, theirs = (np.array(sketch.waves) / sketch.vectors for sketch in (one, other))
    noise = _spread(mine) / (one.vectors - 1) + _spread(theirs) / (other.vectors - 1)
    return float(((mine - theirs) ** 2).sum() - noise)


def terms(table: Table) -> Terms:
    """From a table. Raises BadCard."""
    return Terms(
        scores=table.number("limits.scores"),
        vectors=table.number("limits.vectors"),
        unknown=table.number("limits.unknown"),
        least=table.whole("window.least"),
        window=timedelta(hours=table.number("window.hours")),
        pause=timedelta(hours=table.number("lesson.pause_h")),
    )


def default_terms() -> Terms:
    return terms(read(DEFAULT))


def _chance(window: Sketch, reference: Sketch) -> Distances:
    """How far windows of this size stray from such a reference, though nothing has changed."""
    sizes = max(sum(window.scores), 1), max(sum(reference.scores), 1)
    rng = np.random.default_rng(0)
    shares = _shares(reference.scores)
    drawn = [rng.multinomial(size, shares, ROUNDS) for size in sizes]
    scores = [stability(_shares(mine), _shares(theirs)) for mine, theirs in zip(*drawn, strict=True)]
    rates = [rng.binomial(one.items, _rate(reference), ROUNDS) / one.items for one in (window, reference)]
    return Distances(
        scores=float(np.quantile(scores, TAIL)),
        vectors=_strays(window, reference),
        unknown=float(np.quantile(np.abs(rates[0] - rates[1]), TAIL)),
    )


def _strays(window: Sketch, reference: Sketch) -> float:
    if min(window.vectors, reference.vectors) < 2:
        return 0.0
    spread = _spread(np.array(reference.waves) / reference.vectors)
    return (CHI_SQUARED - 1) * spread * (1 / window.vectors + 1 / reference.vectors)


def _spread(mean: NDArray[np.float64]) -> float:
    """Variance of the waves in all, whose squares sum to 1 for every vector."""
    return float(1 - (mean**2).sum())


def _shares(counts: tuple[int, ...] | NDArray[np.int64]) -> NDArray[np.float64]:
    """Of each bin its share, with half an item added to each, so that no bin is empty."""
    padded = np.asarray(counts, np.float64) + 0.5
    shares: NDArray[np.float64] = padded / padded.sum()
    return shares


def _rate(sketch: Sketch) -> float:
    return sketch.unknown / sketch.items
