"""A generalised Pareto tail on a table of rates by score: how they fall on beyond the last one measured."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

BODY = 0.05
"""The tail is fitted to the rates from here down: above, scores are not yet extreme."""

HIGHEST = 1.0
"""No tail may end below this: twins exist, and a rate of zero would be a claim that nobody measured."""

SHAPES = np.linspace(-0.4, 0.2, 61)
SCALES = np.geomspace(0.005, 0.5, 120)


@dataclass(frozen=True, slots=True)
class Tail:
    """Rates fall as (1 + shape (x - start) / scale)^(-1 / shape) from `rate` at `start`."""

    start: float
    rate: float
    shape: float
    scale: float

    def score_beyond(self, rate: float, last_score: float, last_rate: float) -> float:
        """The score with that rate, on the tail moved so that it passes through the last measured point."""
        return last_score + self._score(rate) - self._score(last_rate)

    def rate_beyond(self, score: float, last_score: float, last_rate: float) -> float:
        """The rate at that score, on the tail moved so that it passes through the last measured point."""
        place = score - last_score + self._score(last_rate)
        return float(self.rate * np.exp(_log_survival(np.array(place - self.start), self.shape, self.scale)))

    def _score(self, rate: float) -> float:
        log_ratio = np.log(rate / self.rate)
        if abs(self.shape) < 1e-9:
            return float(self.start - self.scale * log_ratio)
        return float(self.start + self.scale * np.expm1(-self.shape * log_ratio) / self.shape)


@lru_cache(maxsize=8)
def fit_tail(rates: tuple[float, ...], scores: tuple[float, ...]) -> Tail:
    """Least squares in log rate over a grid of shapes and scales; needs no optimiser and cannot diverge."""
    rate, score = np.array(rates), np.array(scores)
    tail = rate <= BODY if (rate <= BODY).sum() >= 3 else np.ones(len(rate), bool)
    rate, score = rate[tail], score[tail]
    shape, scale = np.meshgrid(SHAPES, SCALES, indexing="ij")
    fitted = _log_survival((score - score[0])[:, None, None], shape, scale)
    error = ((fitted - np.log(rate / rate[0])[:, None, None]) ** 2).sum(axis=0)
    error[shape * (HIGHEST - score[0]) <= -scale] = np.inf
    best = np.unravel_index(int(error.argmin()), error.shape)
    return Tail(float(score[0]), float(rate[0]), float(shape[best]), float(scale[best]))


def _log_survival(
    excess: NDArray[np.float64], shape: NDArray[np.float64] | float, scale: NDArray[np.float64] | float
) -> NDArray[np.float64]:
    """Log of the share beyond `excess`; falls to -700 where the distribution has ended."""
    shape = np.where(np.abs(shape) < 1e-9, 1e-9, shape)
    inside = np.maximum(1 + shape * excess / scale, 1e-300)
    return np.maximum(-np.log(inside) / shape, -700.0)
