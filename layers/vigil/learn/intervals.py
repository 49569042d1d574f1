"""How far any measured figure can be trusted: it is measured again on items drawn from its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vigil.learn.interval import Interval

Statistic = Callable[[NDArray[np.int64]], float]
"""The figure, computed on the items at these indices."""


@dataclass(frozen=True, slots=True)
class Resampling:
    """How to bootstrap: the same seed gives the same interval."""

    rounds: int = 500
    level: float = 0.95
    seed: int = 0


def bootstrap(
    statistic: Statistic, items: int, *, groups: Sequence[str] = (), how: Resampling | None = None
) -> Interval:
    """The percentile interval of a statistic over `items` items, drawn anew with replacement.

    groups  one a item: whole groups are drawn, since pictures of one person are not independent

    A draw on which the figure is undefined (NaN: a class is missing) does not count.
    """
    how = how or Resampling()
    value = statistic(np.arange(items, dtype=np.int64))
    if items == 0 or np.isnan(value):
        return Interval(value, float("nan"), float("nan"), items)
    members = _members(items, groups)
    rng = np.random.default_rng(how.seed)
    drawn = [statistic(_draw(members, rng)) for _ in range(how.rounds)]
    tail = (1 - how.level) / 2
    low, high = np.nanquantile([value, *drawn], [tail, 1 - tail])
    return Interval(value, float(low), float(high), items)


def _members(items: int, groups: Sequence[str]) -> list[NDArray[np.int64]]:
    """Indices by group; each item alone where there are no groups."""
    if not groups:
        return [np.arange(items, dtype=np.int64)]
    _, place = np.unique(np.asarray(groups), return_inverse=True)
    order = np.argsort(place, kind="stable").astype(np.int64)
    return np.split(order, np.cumsum(np.bincount(place))[:-1])


def _draw(members: list[NDArray[np.int64]], rng: np.random.Generator) -> NDArray[np.int64]:
    if len(members) == 1:
        return rng.choice(members[0], len(members[0]))
    return np.concatenate([members[n] for n in rng.integers(0, len(members), len(members))])
