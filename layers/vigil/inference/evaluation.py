"""Accuracy of a classifier on a labelled dataset and its gain over another release, with intervals."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from vigil.statistics import Interval

Slices = Mapping[str, tuple[str, ...]]
"""The value of each item by slicing: {"source": ("door", "gate", "door")}."""


@dataclass(frozen=True, slots=True, eq=False)
class ScoredDataset:
    """The true class of each item and the probability of each class.

    labels     the classes, in the order of the scores' columns
    truth      (N,) int64: index of the true class
    scores     (N, C) float64, 0 to 1: probability of each class; (N, 1): of the second of two classes
    threshold  with one column: the least score at which the second class is predicted. With several: the
               least score of the best class at which the model answers. None: it always answers
    groups     the subject of each item; empty if items are independent
    """

    labels: tuple[str, ...]
    truth: NDArray[np.int64]
    scores: NDArray[np.float64]
    threshold: float | None = None
    groups: tuple[str, ...] = ()
    slices: Slices = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """(N, C), also if the model has one column."""
        return np.hstack([1 - self.scores, self.scores]) if self.scores.shape[1] == 1 else self.scores

    @property
    def predicted(self) -> NDArray[np.int64]:
        """(N,) int64: the predicted class, also where the score is below the threshold."""
        if self.scores.shape[1] == 1 and self.threshold is not None:
            return (self.probabilities[:, 1] >= self.threshold).astype(np.int64)
        best: NDArray[np.int64] = np.argmax(self.probabilities, axis=1).astype(np.int64)
        return best

    @property
    def is_answered(self) -> NDArray[np.bool_]:
        """(N,) bool: whether the model answers."""
        if self.scores.shape[1] == 1 or self.threshold is None:
            return np.ones(len(self), np.bool_)
        is_sure: NDArray[np.bool_] = self.scores.max(axis=1) >= self.threshold
        return is_sure

    @property
    def curve_classes(self) -> tuple[int, ...]:
        """The classes with a curve of their own: of two classes only the second."""
        return (1,) if len(self.labels) == 2 else tuple(range(len(self.labels)))

    def subset(self, indices: NDArray[np.int64]) -> "ScoredDataset":
        """The items at these indices, which may repeat; without slices."""
        groups = tuple(self.groups[n] for n in indices) if self.groups else ()
        return replace(self, truth=self.truth[indices], scores=self.scores[indices], groups=groups, slices={})


Statistic = Callable[[NDArray[np.int64]], float]
"""A figure computed on the items at these indices."""

Metric = Callable[[ScoredDataset], float]


@dataclass(frozen=True, slots=True)
class Resampling:
    """How to bootstrap: the same seed gives the same interval."""

    rounds: int = 500
    level: float = 0.95
    seed: int = 0


def bootstrap(
    statistic: Statistic, items: int, *, groups: Sequence[str] = (), resampling: Resampling | None = None
) -> Interval:
    """The percentile interval of a statistic over `items` items, resampled with replacement.

    groups  the group of each item: whole groups are drawn, because pictures of one person are not independent
    """
    resampling = resampling or Resampling()
    value = statistic(np.arange(items, dtype=np.int64))
    if items == 0 or np.isnan(value):
        return percentile_interval(value, (), items, resampling)
    resampled = [statistic(indices) for indices in resample_indices(items, groups, resampling)]
    return percentile_interval(value, resampled, items, resampling)


def resample_indices(
    items: int, groups: Sequence[str], resampling: Resampling
) -> Iterator[NDArray[np.int64]]:
    """The indices of each resample; with groups, resamples have different lengths."""
    members = _group_members(items, groups)
    rng = np.random.default_rng(resampling.seed)
    return (_resample(members, rng) for _ in range(resampling.rounds))


def percentile_interval(
    value: float, resampled: Sequence[float], items: int, resampling: Resampling
) -> Interval:
    """The interval of a value from its resampled values; NaN values are ignored."""
    if items == 0 or np.isnan(value):
        return Interval(value, float("nan"), float("nan"), items)
    tail = (1 - resampling.level) / 2
    low, high = np.nanquantile([value, *resampled], [tail, 1 - tail])
    return Interval(value, float(low), float(high), items)


def _group_members(items: int, groups: Sequence[str]) -> list[NDArray[np.int64]]:
    """The indices of each group; one list of all items if there are no groups."""
    if not groups:
        return [np.arange(items, dtype=np.int64)]
    _, place = np.unique(np.asarray(groups), return_inverse=True)
    order = np.argsort(place, kind="stable").astype(np.int64)
    return np.split(order, np.cumsum(np.bincount(place))[:-1])


def _resample(members: list[NDArray[np.int64]], rng: np.random.Generator) -> NDArray[np.int64]:
    if len(members) == 1:
        return rng.choice(members[0], len(members[0]))
    return np.concatenate([members[n] for n in rng.integers(0, len(members), len(members))])


def accuracy(dataset: ScoredDataset) -> float:
    """Share of items whose class was predicted correctly; 0 if there are none."""
    return float((dataset.predicted == dataset.truth).mean()) if len(dataset) else 0.0


def metric_interval(
    dataset: ScoredDataset, metric: Metric = accuracy, resampling: Resampling | None = None
) -> Interval:
    """A metric with its bootstrap interval; whole groups are drawn."""
    return bootstrap(
        lambda at: metric(dataset.subset(at)), len(dataset), groups=dataset.groups, resampling=resampling
    )


def paired_gain(
    candidate: ScoredDataset,
    active: ScoredDataset,
    metric: Metric = accuracy,
    resampling: Resampling | None = None,
) -> Interval:
    """The candidate's metric less the active release's on the same items (paired bootstrap).

    Both are resampled together, which makes the interval about half as wide as with separate resamples.
    """
    return bootstrap(
        lambda at: metric(candidate.subset(at)) - metric(active.subset(at)),
        len(active),
        groups=active.groups,
        resampling=resampling,
    )
