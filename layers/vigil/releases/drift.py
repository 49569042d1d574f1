"""Measures drift: how far a release's outputs have moved from its reference outputs.

An output sketch has counts and sums only. Of embeddings it has sums of random Fourier features: the distance
of two means of these is the distance of the distributions, and no vector can be recovered from such a sum.
Drift is reported when a distance exceeds both its sampling noise (99th percentile) and its limit in
`drift.toml`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from vigil.inference.types import Sighting
from vigil.toml_file import load_toml

SCORE_BINS = 20
"""Bins of equal width for scores from 0 to 1."""

FOURIER_FREQUENCIES = 32

BASELINE_FACTOR = 2
"""A release that was not evaluated here is measured against its first outputs, in units of `min_items`."""


@dataclass(frozen=True, slots=True)
class OutputSketch:
    """Sums over sightings; the sketches of two periods are added.

    items         sightings that are not unfit
    unknown       sightings without a known subject
    score_counts  best candidates' scores in each of SCORE_BINS
    embeddings    sightings with an embedding
    fourier_sums  sums over their embeddings: the cosine and the sine of each frequency
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
    """The sketch of sightings; unfit ones are ignored."""
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
    """(size, FOURIER_FREQUENCIES) float64, the same in every process: a Gaussian kernel of width 1."""
    return np.random.default_rng(size).normal(0, 1, (size, FOURIER_FREQUENCIES))


NOISE_ROUNDS = 200
NOISE_QUANTILE = 0.99
"""Sampling noise exceeds this quantile in one of a hundred windows."""

CHI_SQUARED_99 = 6.63
"""99th percentile of chi-squared with one degree of freedom."""

DriftMeasure = Literal["scores", "embeddings", "unknown"]


@dataclass(frozen=True, slots=True)
class DriftPolicy:
    """When a model has drifted, and when drift may start a training.

    scores            limit of the population stability index
    embeddings        limit of the squared distance of the distributions: 0 equal, 2 disjoint
    unknown           limit of the change of the share of unknown sightings
    min_items         items below which drift is not measured
    window            the period that is compared with the reference
    retraining_pause  after a training, in which drift starts no other
    """

    scores: float
    embeddings: float
    unknown: float
    min_items: int
    window: timedelta
    retraining_pause: timedelta


@dataclass(frozen=True, slots=True)
class DriftDistances:
    """Distances of a window from the reference, or their limits."""

    scores: float
    embeddings: float
    unknown: float


@dataclass(frozen=True, slots=True)
class DriftResult:
    """The distances of a window and the limit of each."""

    distances: DriftDistances
    limits: DriftDistances

    @property
    def ratios(self) -> dict[DriftMeasure, float]:
        """Each distance divided by its limit: above 1 is drift."""
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
    """Compare a window with the reference; None if either has too few items."""
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
    """Unbiased squared maximum mean discrepancy of two samples of embeddings: 0 on average if equal."""
    if min(first.embeddings, second.embeddings) < 2:
        return 0.0
    first_mean, second_mean = (
        np.array(sketch.fourier_sums) / sketch.embeddings for sketch in (first, second)
    )
    noise = _total_variance(first_mean) / (first.embeddings - 1) + _total_variance(second_mean) / (
        second.embeddings - 1
    )
    return float(((first_mean - second_mean) ** 2).sum() - noise)


def default_drift_policy() -> DriftPolicy:
    """The policy in drift.toml."""
    return load_toml(Path(__file__).with_name("drift.toml")).convert(DriftPolicy)


def _sampling_noise(window: OutputSketch, reference: OutputSketch) -> DriftDistances:
    """The distances that windows of this size reach by chance."""
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
    """Total variance of the Fourier features, whose squares sum to 1 for every vector."""
    return float(1 - (mean**2).sum())


def _bin_shares(counts: tuple[int, ...] | NDArray[np.int64]) -> NDArray[np.float64]:
    """The share of each bin, with half an item added to each so that none is empty."""
    padded = np.asarray(counts, np.float64) + 0.5
    shares: NDArray[np.float64] = padded / padded.sum()
    return shares


def _unknown_rate(sketch: OutputSketch) -> float:
    return sketch.unknown / sketch.items


class SketchReader(Protocol):
    """The output sketches that lanes record. All raise Transient."""

    def known_releases(self) -> Iterable[tuple[str, str]]:
        """(model, release) of everything that has a sketch."""

    def sum_since(self, model: str, release: str, since: datetime) -> OutputSketch: ...


class DriftState(Protocol):
    """What drift measurement remembers from one run to the next. All raise Transient."""

    def reference(self, model: str, release: str) -> OutputSketch:
        """The reference outputs of a release; an empty sketch if there are none."""

    def save_reference(self, model: str, release: str, reference: OutputSketch) -> None: ...

    def drifting_since(self, model: str) -> datetime | None: ...

    def save_drifting_since(self, model: str, since: datetime | None) -> None: ...


@dataclass(frozen=True, slots=True)
class DriftMonitor:
    """Measures the drift of active releases against their reference outputs.

    active_release  the active release of a model, None if the model has none
    """

    sketches: SketchReader
    state: DriftState
    active_release: Callable[[str], str | None]
    policy: DriftPolicy

    def measure_all(self, now: datetime) -> Iterator[tuple[str, str, DriftResult]]:
        """(model, release, drift) of every active release that has enough outputs."""
        for model, release in self.sketches.known_releases():
            if release == self.active_release(model):
                window = self.sketches.sum_since(model, release, now - self.policy.window)
                reference = self._reference(model, release, window)
                result = measure_drift(window, reference, self.policy) if reference else None
                if result is not None:
                    yield model, release, result

    def drifting_since(self, model: str, drift: DriftResult, now: datetime) -> datetime | None:
        """When the present drift of a model was first measured; None while it does not drift."""
        stored = self.state.drifting_since(model)
        since = (stored or now) if drift.exceeded else None
        if since != stored:
            self.state.save_drifting_since(model, since)
        return since

    def _reference(self, model: str, release: str, window: OutputSketch) -> OutputSketch | None:
        """The outputs on the test set; for a release that was not evaluated here, its first outputs."""
        stored = self.state.reference(model, release)
        if stored.items >= self.policy.min_items:
            return stored
        if window.items >= BASELINE_FACTOR * self.policy.min_items:
            self.state.save_reference(model, release, window)
        return None
