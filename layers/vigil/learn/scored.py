"""A labelled data set, and what a classifier said of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

Slices = Mapping[str, tuple[str, ...]]
"""Of each item its value in each slicing: {"source": ("door", "gate", "door")}."""


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
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
    def said(self) -> NDArray[np.int64]:
        """(N,) int64: the class decided for, also where it is too unsure to be said."""
        if self.scores.shape[1] == 1 and self.threshold is not None:
            return (self.probabilities[:, 1] >= self.threshold).astype(np.int64)
        best: NDArray[np.int64] = np.argmax(self.probabilities, axis=1).astype(np.int64)
        return best

    @property
    def answered(self) -> NDArray[np.bool_]:
        """(N,) bool: whether anything is said at all."""
        if self.scores.shape[1] == 1 or self.threshold is None:
            return np.ones(len(self), np.bool_)
        sure: NDArray[np.bool_] = self.scores.max(axis=1) >= self.threshold
        return sure

    @property
    def positives(self) -> tuple[int, ...]:
        """The classes that have a curve of their own: of two only the second, the first mirrors it."""
        return (1,) if len(self.labels) == 2 else tuple(range(len(self.labels)))

    def only(self, chosen: NDArray[np.int64]) -> "Scored":
        """The items at these indices, as often as they are named; without slices."""
        groups = tuple(self.groups[n] for n in chosen) if self.groups else ()
        return replace(self, truth=self.truth[chosen], scores=self.scores[chosen], groups=groups, slices={})
