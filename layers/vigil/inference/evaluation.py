"""A labelled data set, and what a classifier said of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from vigil.statistics import Interval

Slices = Mapping[str, tuple[str, ...]]
"""Of each item its value in each slicing: {"source": ("door", "gate", "door")}."""


@dataclass(frozen=True, slots=True, eq=False)
class ScoredDataset:
    """What was meant and how each class scored.

    labels     the classes, in the scores' order
    truth      (N,) int64: index of the right class
    scores     (N, C) float64: probability of each class; (N, 1): of the second of two classes
    threshold  of one column: what the second class must reach. Of several: what the best class must reach
               for the answer to be said at all. None: the best class is said, however unsure
    groups     of each item: whom or what it shows; empty where items are independent
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
        """(N, C), also of a model with one column."""
        return np.hstack([1 - self.scores, self.scores]) if self.scores.shape[1] == 1 else self.scores

    @property
    def predicted(self) -> NDArray[np.int64]:
        """(N,) int64: the class decided for, also where it is too unsure to be said."""
        if self.scores.shape[1] == 1 and self.threshold is not None:
            return (self.probabilities[:, 1] >= self.threshold).astype(np.int64)
        best: NDArray[np.int64] = np.argmax(self.probabilities, axis=1).astype(np.int64)
        return best

    @property
    def is_answered(self) -> NDArray[np.bool_]:
        """(N,) bool: whether anything is said at all."""
        if self.scores.shape[1] == 1 or self.threshold is None:
            return np.ones(len(self), np.bool_)
        is_sure: NDArray[np.bool_] = self.scores.max(axis=1) >= self.threshold
        return is_sure

    @property
    def curve_classes(self) -> tuple[int, ...]:
        """The classes that have a curve of their own: of two only the second, the first mirrors it."""
        return (1,) if len(self.labels) == 2 else tuple(range(len(self.labels)))

    def subset(self, indices: NDArray[np.int64]) -> "ScoredDataset":
        """The items at these indices, as often as they are named; without slices."""
        groups = tuple(self.groups[n] for n in indices) if self.groups else ()
        return replace(self, truth=self.truth[indices], scores=self.scores[indices], groups=groups, slices={})


# MERGED: How far any measured figure can be trusted: it is measured again on items drawn from its own.

Statistic = Callable[[NDArray[np.int64]], float]
"""The figure, computed on the items at these indices."""

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
    """The percentile interval of a statistic over `items` items, drawn anew with replacement.

    groups  one a item: whole groups are drawn, since pictures of one person are not independent

    A draw on which the figure is undefined (NaN: a class is missing) does not count.
    """
    resampling = resampling or Resampling()
    value = statistic(np.arange(items, dtype=np.int64))
    if items == 0 or np.isnan(value):
        return Interval(value, float("nan"), float("nan"), items)
    members = _group_members(items, groups)
    rng = np.random.default_rng(resampling.seed)
    resampled = [statistic(_resample(members, rng)) for _ in range(resampling.rounds)]
    tail = (1 - resampling.level) / 2
    low, high = np.nanquantile([value, *resampled], [tail, 1 - tail])
    return Interval(value, float(low), float(high), items)


def _group_members(items: int, groups: Sequence[str]) -> list[NDArray[np.int64]]:
    """Indices by group; each item alone where there are no groups."""
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
    """Share of items whose class was predicted correctly; 0 where there are none."""
    return float((dataset.predicted == dataset.truth).mean()) if len(dataset) else 0.0


def metric_interval(
    dataset: ScoredDataset, metric: Metric = accuracy, resampling: Resampling | None = None
) -> Interval:
    """One figure with its interval; whole groups are drawn."""
    return bootstrap(
        lambda at: metric(dataset.subset(at)), len(dataset), groups=dataset.groups, resampling=resampling
    )


def paired_gain(
    candidate: ScoredDataset,
    active: ScoredDataset,
    metric: Metric = accuracy,
    resampling: Resampling | None = None,
) -> Interval:
    """How much better the candidate is on the same items: both are drawn together, which halves the doubt."""
    return bootstrap(
        lambda at: metric(candidate.subset(at)) - metric(active.subset(at)),
        len(active),
        groups=active.groups,
        resampling=resampling,
    )
