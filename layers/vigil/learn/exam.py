"""A classifier before the reviewed set: each picture through the very code that serves it."""

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vigil.learn.example import Entry
from vigil.learn.interval import Interval
from vigil.learn.measures import gain, interval
from vigil.learn.scored import Scored

METRIC = "accuracy"


class Scorer(Protocol):
    """A model that can be examined."""

    @property
    def labels(self) -> tuple[str, ...]: ...
    @property
    def threshold(self) -> float: ...

    def scores(self, data: bytes) -> NDArray[np.float32]:
        """(L,) float32, 0..1, in the order of `labels`. Raises Rejected, BrokenRelease."""


def examine(model: Scorer, items: Iterable[tuple[Entry, bytes]]) -> Scored:
    """What the model says of each item, beside what is right; labels that it does not know score 0."""
    entries, rows = [], []
    for entry, data in items:
        entries.append(entry)
        rows.append(model.scores(data))
    said = np.stack(rows).astype(np.float64)
    unknown = sorted({entry.label for entry in entries} - set(model.labels))
    labels = (*model.labels, *unknown)
    if len(model.labels) == 1:
        said, labels = np.hstack([1 - said, said]), (*unknown[:1], *model.labels, *unknown[1:])
    place = {label: number for number, label in enumerate(labels)}
    return Scored(
        labels,
        np.array([place[entry.label] for entry in entries], np.int64),
        np.hstack([said, np.zeros((len(said), len(labels) - said.shape[1]))]),
        groups=tuple(entry.group for entry in entries),
    )


def measured(
    candidate: Scorer, active: Scorer | None, items: Sequence[tuple[Entry, bytes]]
) -> tuple[Interval, Interval | None]:
    """The candidate's accuracy, and how much better it is than the active release on the same items."""
    mine = examine(candidate, items)
    if active is None:
        return interval(mine, METRIC), None
    return interval(mine, METRIC), gain(mine, examine(active, items), METRIC)
