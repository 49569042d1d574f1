"""Probes searched in a gallery become miss rates at given false alarm rates (ISO/IEC 19795-1), and rank-1."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vigil.learn.interval import Interval
from vigil.learn.intervals import Resampling, bootstrap


@dataclass(frozen=True, slots=True, eq=False)
class Searches:
    """What each probe's search of the whole gallery gave.

    mate     (P,) float64: the best score of the probe's own subject; -inf where it is not enrolled
    other    (P,) float64: the best score of anybody else; -inf where there is nobody
    subject  of each probe
    """

    mate: NDArray[np.float64]
    other: NDArray[np.float64]
    subject: tuple[str, ...]

    def only(self, chosen: NDArray[np.int64]) -> "Searches":
        """The probes at these indices."""
        return Searches(self.mate[chosen], self.other[chosen], tuple(self.subject[n] for n in chosen))

    @property
    def enrolled(self) -> NDArray[np.bool_]:
        return np.isfinite(self.mate)


@dataclass(frozen=True, slots=True)
class MissRate:
    """How often an enrolled person is not found (FNIR) where so many strangers are taken for somebody (FPIR).

    resolved  whether there are enough strangers (1 / fpir) to tell this rate at all
    """

    fpir: float
    threshold: float
    fnir: Interval
    resolved: bool


def search(scores: NDArray[np.float32], *, probes: Sequence[str], templates: Sequence[str]) -> Searches:
    """Reduce (P, T) similarities of probes to templates, each with its subject, to two scores a probe."""
    mine = np.asarray(probes)[:, np.newaxis] == np.asarray(templates)[np.newaxis, :]
    exact = scores.astype(np.float64)
    mate = np.where(mine, exact, -np.inf).max(axis=1, initial=-np.inf)
    other = np.where(mine, -np.inf, exact).max(axis=1, initial=-np.inf)
    return Searches(mate, other, tuple(probes))


def rank_one(searches: Searches, how: Resampling | None = None) -> Interval:
    """How often an enrolled probe's own subject comes first, whatever its score."""
    chosen = np.flatnonzero(searches.enrolled)
    first = (searches.mate > searches.other)[chosen]
    groups = [searches.subject[n] for n in chosen]
    return bootstrap(lambda items: _mean(first[items]), len(chosen), groups=groups, how=how)


def miss_rate(searches: Searches, fpir: float, how: Resampling | None = None) -> MissRate:
    """FNIR at the lowest threshold that at most this share of the strangers reach.

    An enrolled probe is found where its own subject comes first and reaches the threshold. The interval is
    over enrolled subjects; the threshold stays as the strangers set it.
    """
    strangers = np.sort(searches.other[~searches.enrolled])[::-1]
    threshold = _threshold(strangers, fpir)
    chosen = np.flatnonzero(searches.enrolled)
    missed = ~((searches.mate > searches.other) & (searches.mate >= threshold))[chosen]
    groups = [searches.subject[n] for n in chosen]
    fnir = bootstrap(lambda items: _mean(missed[items]), len(chosen), groups=groups, how=how)
    return MissRate(fpir, threshold, fnir, resolved=len(strangers) * fpir >= 1)


def _threshold(strangers: NDArray[np.float64], fpir: float) -> float:
    """Just above the first stranger, from the top, who may not be taken for anybody."""
    allowed = int(np.floor(fpir * len(strangers) + 1e-9))
    if allowed >= len(strangers):
        return float("-inf")
    return float(np.nextafter(strangers[allowed], np.inf))


def _mean(values: NDArray[np.bool_]) -> float:
    return float(values.mean()) if values.size else float("nan")
