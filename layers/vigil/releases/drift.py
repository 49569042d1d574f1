"""What a release says of the world, as counts and sums: enough to see it drift, too little to see anybody.

Of an embedding only sums of waves over it are kept (random Fourier features): the distance between two such
means is that between the distributions, and no vector can be read off a sum of hundreds.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vigil.inference.card import TomlReader, load_toml
from vigil.inference.types import Sighting

SCORE_BINS = 20
"""Of scores, each as wide as the next from 0 to 1."""

FOURIER_FREQUENCIES = 32


@dataclass(frozen=True, slots=True)
class OutputSketch:
    """What was seen in some time; sketches add up.

    items    sightings that were judged at all
    unknown  of them, nobody and nothing known
    scores   how many best candidates scored in each of BINS
    vectors  how many had an embedding
    waves    sums over these, a cosine and a sine of each wave
    """

    items: int = 0
    unknown: int = 0
    score_counts: tuple[int, ...] = (0,) * SCORE_BINS
    embeddings: int = 0
    fourier_sums: tuple[float, ...] = (0.0,) * (2 * FOURIER_FREQUENCIES)

    def __add__(self, other: "OutputSketch") -> "OutputSketch":
        return OutputSketch(
            self.items + other.items,
            self.unknown + other.unknown,
            tuple(one + more for one, more in zip(self.score_counts, other.score_counts, strict=True)),
            self.embeddings + other.embeddings,
            tuple(one + more for one, more in zip(self.fourier_sums, other.fourier_sums, strict=True)),
        )


def sketch_of(sightings: Iterable[Sighting]) -> OutputSketch:
    """The sketch of what was seen; what is unfit to be judged is no part of it."""
    evaluated = [one for one in sightings if one.status != "unfit"]
    scores = np.array([one.score for one in evaluated if one.score is not None], np.float64)
    vectors = [one.vector for one in evaluated if one.vector is not None]
    score_bins = np.minimum((np.clip(scores, 0, 1) * SCORE_BINS).astype(np.int64), SCORE_BINS - 1)
    return OutputSketch(
        items=len(evaluated),
        unknown=sum(one.status != "known" for one in evaluated),
        score_counts=tuple(map(int, np.bincount(score_bins, minlength=SCORE_BINS))),
        embeddings=len(vectors),
        fourier_sums=_sum_fourier_features(vectors),
    )


def _sum_fourier_features(vectors: Sequence[NDArray[np.float32]]) -> tuple[float, ...]:
    if not vectors:
        return (0.0,) * (2 * FOURIER_FREQUENCIES)
    phases = np.stack(vectors).astype(np.float64) @ _frequencies(len(vectors[0]))
    sums = np.concatenate([np.cos(phases).sum(axis=0), np.sin(phases).sum(axis=0)])
    return tuple(float(one) for one in sums / np.sqrt(FOURIER_FREQUENCIES))


@cache
def _frequencies(size: int) -> NDArray[np.float64]:
    """(size, WAVES) directions, always the same: of a Gaussian kernel as wide as a unit vector is long."""
    return np.random.default_rng(size).normal(0, 1, (size, FOURIER_FREQUENCIES))


# MERGED: How far what a release sees now has moved from what it was proven on. / A distance counts where it
#   is more than chance explains and more than matters; `drift.toml` says what does.

DEFAULT_DRIFT_FILE = Path(__file__).with_name("drift.toml")
NOISE_ROUNDS = 200
NOISE_QUANTILE = 0.99
"""Chance alone strays further in one of a hundred windows."""

CHI_SQUARED_99 = 6.63
"""Of one degree of freedom, what 99 of 100 stay below: no sum of squares of the same mean strays further."""

DriftMeasure = Literal["scores", "embeddings", "unknown"]


@dataclass(frozen=True, slots=True)
class DriftPolicy:
    """When a model has drifted, and what follows.

    scores   population stability index
    vectors  squared distance of the embeddings' distributions: 0 the same, 2 nothing in common
    unknown  change of the share of unknowns
    least    items without which nothing is said
    window   that is compared with the reference
    pause    after a lesson, in which drift orders no other
    """

    scores: float
    embeddings: float
    unknown: float
    min_items: int
    window: timedelta
    retraining_pause: timedelta


@dataclass(frozen=True, slots=True)
class DriftDistances:
    """How far a window lies from the reference; or how far it may."""

    scores: float
    embeddings: float
    unknown: float


@dataclass(frozen=True, slots=True)
class DriftResult:
    """A window's distances, and from where on each counts."""

    distances: DriftDistances
    limits: DriftDistances

    @property
    def ratios(self) -> dict[DriftMeasure, float]:
        """Each distance in units of its limit: above 1, it has drifted."""
        found, limits = self.distances, self.limits
        return {
            "scores": found.scores / limits.scores,
            "embeddings": max(0.0, found.embeddings) / limits.embeddings,
            "unknown": abs(found.unknown) / limits.unknown,
        }

    @property
    def exceeded(self) -> tuple[DriftMeasure, ...]:
        return tuple(name for name, ratio in self.ratios.items() if ratio > 1)


def measure_drift(window: OutputSketch, reference: OutputSketch, policy: DriftPolicy) -> DriftResult | None:
    """Compare a window with the reference; None where either holds too little to say anything."""
    if min(window.items, reference.items) < policy.min_items:
        return None
    distances = DriftDistances(
        scores=population_stability_index(
            _bin_shares(window.score_counts), _bin_shares(reference.score_counts)
        ),
        embeddings=embedding_distance(window, reference),
        unknown=_unknown_rate(window) - _unknown_rate(reference),
    )
    noise = _sampling_noise(window, reference)
    limits = DriftDistances(
        scores=max(policy.scores, noise.scores),
        embeddings=max(policy.embeddings, noise.embeddings),
        unknown=max(policy.unknown, noise.unknown),
    )
    return DriftResult(distances, limits)


def population_stability_index(shares: NDArray[np.float64], reference: NDArray[np.float64]) -> float:
    """Population stability index of two (B,) distributions that each sum to 1."""
    return float(np.sum((shares - reference) * np.log(shares / reference)))


def embedding_distance(first: OutputSketch, second: OutputSketch) -> float:
    """Squared distance (MMD) of two samples' embeddings, unbiased: of the same distribution 0 on the mean."""
    if min(first.embeddings, second.embeddings) < 2:
        return 0.0
    first_mean, second_mean = (
        np.array(sketch.fourier_sums) / sketch.embeddings for sketch in (first, second)
    )
    noise = _total_variance(first_mean) / (first.embeddings - 1) + _total_variance(second_mean) / (
        second.embeddings - 1
    )
    return float(((first_mean - second_mean) ** 2).sum() - noise)


def parse_drift_policy(table: TomlReader) -> DriftPolicy:
    """From a table. Raises BadCard."""
    return DriftPolicy(
        scores=table.get_float("limits.scores"),
        embeddings=table.get_float("limits.embeddings"),
        unknown=table.get_float("limits.unknown"),
        min_items=table.get_int("window.min_items"),
        window=timedelta(hours=table.get_float("window.hours")),
        retraining_pause=timedelta(hours=table.get_float("retraining.pause_h")),
    )


def default_drift_policy() -> DriftPolicy:
    return parse_drift_policy(load_toml(DEFAULT_DRIFT_FILE))


def _sampling_noise(window: OutputSketch, reference: OutputSketch) -> DriftDistances:
    """How far windows of this size stray from such a reference, though nothing has changed."""
    sizes = max(sum(window.score_counts), 1), max(sum(reference.score_counts), 1)
    rng = np.random.default_rng(0)
    shares = _bin_shares(reference.score_counts)
    drawn = [rng.multinomial(size, shares, NOISE_ROUNDS) for size in sizes]
    scores = [
        population_stability_index(_bin_shares(mine), _bin_shares(theirs))
        for mine, theirs in zip(*drawn, strict=True)
    ]
    rates = [
        rng.binomial(one.items, _unknown_rate(reference), NOISE_ROUNDS) / one.items
        for one in (window, reference)
    ]
    return DriftDistances(
        scores=float(np.quantile(scores, NOISE_QUANTILE)),
        embeddings=_embedding_noise(window, reference),
        unknown=float(np.quantile(np.abs(rates[0] - rates[1]), NOISE_QUANTILE)),
    )


def _embedding_noise(window: OutputSketch, reference: OutputSketch) -> float:
    if min(window.embeddings, reference.embeddings) < 2:
        return 0.0
    spread = _total_variance(np.array(reference.fourier_sums) / reference.embeddings)
    return (CHI_SQUARED_99 - 1) * spread * (1 / window.embeddings + 1 / reference.embeddings)


def _total_variance(mean: NDArray[np.float64]) -> float:
    """Variance of the waves in all, whose squares sum to 1 for every vector."""
    return float(1 - (mean**2).sum())


def _bin_shares(counts: tuple[int, ...] | NDArray[np.int64]) -> NDArray[np.float64]:
    """Of each bin its share, with half an item added to each, so that no bin is empty."""
    padded = np.asarray(counts, np.float64) + 0.5
    shares: NDArray[np.float64] = padded / padded.sum()
    return shares


def _unknown_rate(sketch: OutputSketch) -> float:
    return sketch.unknown / sketch.items
