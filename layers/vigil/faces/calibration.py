"""From the false-positive rate that is wanted to the score that a match must reach, and back."""

from dataclasses import dataclass

import numpy as np

from vigil.faces.tail import Tail, fit_tail
from vigil.predict.table import BadCard, Table


@dataclass(frozen=True, slots=True)
class Threshold:
    """A score to reach.

    cosine        the score
    fmr           the false match rate per comparison that it stands for
    extrapolated  whether it lies beyond what was measured, on the fitted tail
    """

    cosine: float
    fmr: float
    extrapolated: bool


@dataclass(frozen=True, slots=True)
class Calibration:
    """How often two different people score at least so much, as measured on impostor pairs.

    fmr     falling false match rates
    cosine  rising scores, one for each rate
    least   the lowest rate that is claimed, however high a score
    """

    fmr: tuple[float, ...]
    cosine: tuple[float, ...]
    least: float

    @classmethod
    def read(cls, card: Table) -> "Calibration":
        table = cls(
            card.numbers("calibration.fmr"),
            card.numbers("calibration.cosine"),
            card.number("calibration.least_fmr"),
        )
        rates, scores = np.array(table.fmr), np.array(table.cosine)
        ordered = (
            len(rates) == len(scores) >= 2 and (np.diff(rates) < 0).all() and (np.diff(scores) > 0).all()
        )
        if not ordered or rates[-1] <= 0:
            raise BadCard(f"{card.file}: calibration.fmr must fall, above 0, while calibration.cosine rises")
        return table

    def threshold(self, people: int, fpir: float) -> Threshold:
        """The score at which a stranger is taken for one of `people` with probability `fpir`, in 0..1.

        Each comparison may then match falsely at 1 - (1 - fpir)^(1 / people).
        """
        fmr = float(-np.expm1(np.log1p(-fpir) / max(people, 1)))
        fmr = max(fmr, self.least)
        if fmr < self.fmr[-1]:
            return Threshold(self._beyond(fmr), fmr, extrapolated=True)
        scores = np.interp(-np.log(fmr), -np.log(self.fmr), self.cosine)
        return Threshold(float(scores), fmr, extrapolated=False)

    def fmr_at(self, cosine: float) -> Threshold:
        """How often two different people score at least this."""
        if cosine > self.cosine[-1]:
            rate = self._tail().rate_beyond(cosine, self.cosine[-1], self.fmr[-1])
            return Threshold(cosine, max(rate, self.least), extrapolated=True)
        log_rate = np.interp(cosine, self.cosine, np.log(self.fmr))
        return Threshold(cosine, float(np.exp(log_rate)), extrapolated=False)

    def _beyond(self, fmr: float) -> float:
        return min(1.0, self._tail().score_beyond(fmr, self.cosine[-1], self.fmr[-1]))

    def _tail(self) -> Tail:
        return fit_tail(self.fmr, self.cosine)
