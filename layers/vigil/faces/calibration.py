"""Calibration: the threshold for a wanted false positive rate, from measured rates and a fitted tail.

Beyond the last measured score, rates follow a generalised Pareto tail.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from vigil.inference.card import Fraction, PositiveInt
from vigil.toml_file import TomlTable

TAIL_MAX_RATE = 0.05
"""The tail is fitted to rates up to this one; higher rates are not extreme scores."""

MAX_COSINE = 1.0
"""The tail must not end below this score, as a false match rate of zero was never measured."""

SHAPE_GRID = np.linspace(-0.4, 0.2, 61)
SCALE_GRID = np.geomspace(0.005, 0.5, 120)


@dataclass(frozen=True, slots=True)
class ParetoTail:
    """The rate at score x is `rate` · (1 + shape (x - start) / scale)^(-1 / shape)."""

    start: float
    rate: float
    shape: float
    scale: float

    def score_beyond(self, rate: float, last_score: float, last_rate: float) -> float:
        """The score at a rate, on the tail shifted through the last measured point."""
        return last_score + self._score_at(rate) - self._score_at(last_rate)

    def rate_beyond(self, score: float, last_score: float, last_rate: float) -> float:
        """The rate at a score, on the tail shifted through the last measured point."""
        position = score - last_score + self._score_at(last_rate)
        return float(
            self.rate * np.exp(_log_survival(np.array(position - self.start), self.shape, self.scale))
        )

    def _score_at(self, rate: float) -> float:
        log_ratio = np.log(rate / self.rate)
        if abs(self.shape) < 1e-9:
            return float(self.start - self.scale * log_ratio)
        return float(self.start + self.scale * np.expm1(-self.shape * log_ratio) / self.shape)


@lru_cache(maxsize=8)
def fit_tail(rates: tuple[float, ...], scores: tuple[float, ...]) -> ParetoTail:
    """Least squares in log rate over a grid of shapes and scales, which cannot diverge."""
    rate, score = np.array(rates), np.array(scores)
    in_tail = rate <= TAIL_MAX_RATE if (rate <= TAIL_MAX_RATE).sum() >= 3 else np.ones(len(rate), bool)
    rate, score = rate[in_tail], score[in_tail]
    shape, scale = np.meshgrid(SHAPE_GRID, SCALE_GRID, indexing="ij")
    fitted = _log_survival((score - score[0])[:, None, None], shape, scale)
    error = ((fitted - np.log(rate / rate[0])[:, None, None]) ** 2).sum(axis=0)
    error[shape * (MAX_COSINE - score[0]) <= -scale] = np.inf
    best = np.unravel_index(int(error.argmin()), error.shape)
    return ParetoTail(float(score[0]), float(rate[0]), float(shape[best]), float(scale[best]))


def _log_survival(
    excess: NDArray[np.float64], shape: NDArray[np.float64] | float, scale: NDArray[np.float64] | float
) -> NDArray[np.float64]:
    """Log of the share of scores beyond `excess`, at least -700.

    excess  float64, score above the tail's start; any shape that broadcasts with `shape` and `scale`
    """
    shape = np.where(np.abs(shape) < 1e-9, 1e-9, shape)
    inside = np.maximum(1 + shape * excess / scale, 1e-300)
    return np.maximum(-np.log(inside) / shape, -700.0)


@dataclass(frozen=True, slots=True)
class Threshold:
    """A score with its false match rate.

    cosine        the score, -1 to 1
    fmr           false match rate of one comparison, 0 to 1
    extrapolated  whether it lies beyond the measured scores, on the fitted tail
    """

    cosine: float
    fmr: float
    extrapolated: bool


class CalibrationSource(TomlTable, frozen=True):
    """Table [matching.calibration.source]: what the rates were measured on, as the command writes it.

    release  id of the release that was run; the id of a release with this table is another
    date     day of the measurement
    data     id of the photographs, a hash of their content
    pairs    number of pairs of different people
    """

    release: str
    date: str
    data: str
    pairs: PositiveInt


class Calibration(TomlTable, frozen=True, kw_only=True):
    """Table [matching.calibration]: false match rates of impostor pairs by score.

    embedding_space  id of the space of the vectors that were compared
    fmr              falling false match rates, 0 to 1
    cosine           rising scores, one for each rate
    min_fmr          lowest rate that is reported, however high the score
    """

    embedding_space: str
    fmr: tuple[Fraction, ...]
    cosine: tuple[float, ...]
    min_fmr: Fraction
    source: CalibrationSource | None = None

    def __post_init__(self) -> None:
        rates, scores = np.array(self.fmr), np.array(self.cosine)
        ordered = (
            len(rates) == len(scores) >= 2 and (np.diff(rates) < 0).all() and (np.diff(scores) > 0).all()
        )
        if not ordered or rates[-1] <= 0:
            raise ValueError("fmr must fall, above 0, while cosine rises, with as many values")

    def threshold(self, people: int, fpir: float) -> Threshold:
        """The score at which an unknown face matches one of `people` with probability `fpir`, 0..1.

        The rate of each comparison is then 1 - (1 - fpir)^(1 / people).
        """
        fmr = float(-np.expm1(np.log1p(-fpir) / max(people, 1)))
        fmr = max(fmr, self.min_fmr)
        if fmr < self.fmr[-1]:
            return Threshold(self._score_beyond_table(fmr), fmr, extrapolated=True)
        scores = np.interp(-np.log(fmr), -np.log(self.fmr), self.cosine)
        return Threshold(float(scores), fmr, extrapolated=False)

    def threshold_at_score(self, cosine: float) -> Threshold:
        """The false match rate at a score."""
        if cosine > self.cosine[-1]:
            rate = self._tail().rate_beyond(cosine, self.cosine[-1], self.fmr[-1])
            return Threshold(cosine, max(rate, self.min_fmr), extrapolated=True)
        log_rate = np.interp(cosine, self.cosine, np.log(self.fmr))
        return Threshold(cosine, float(np.exp(log_rate)), extrapolated=False)

    def _score_beyond_table(self, fmr: float) -> float:
        return min(1.0, self._tail().score_beyond(fmr, self.cosine[-1], self.fmr[-1]))

    def _tail(self) -> ParetoTail:
        return fit_tail(self.fmr, self.cosine)
