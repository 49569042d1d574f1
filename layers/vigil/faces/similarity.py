"""Similarity in percent: a monotone map of the false match rate, whatever the model and its scores."""

import math

import numpy as np

from vigil.faces.calibration import Calibration

EXPONENTS = (0.0, 3.0, 5.0)
"""-log10 of the false match rate of one comparison,"""

PERCENTS = (0.0, 80.0, 99.0)
"""and the similarity there; docs/decisions/0016-similarity-from-the-false-match-rate.md has the table."""

DECADES_PER_NINE = 2.0
"""Beyond the last point, the distance to 100 % falls to a tenth with so many decades of the rate."""


def similarity_percent(fmr: float) -> float:
    """The similarity of two faces whose score has this false match rate, 0 (any two faces) to 100.

    fmr  0 to 1, above 0
    """
    exponent = -math.log10(fmr)
    if exponent > EXPONENTS[-1]:
        distance = (100 - PERCENTS[-1]) * 10 ** ((EXPONENTS[-1] - exponent) / DECADES_PER_NINE)
        return 100 - distance
    return float(np.interp(exponent, EXPONENTS, PERCENTS))


def cosine_at(percent: float, calibration: Calibration) -> float:
    """The least cosine whose similarity is this or more."""
    if percent >= 100:
        return 1.0
    exponent = float(np.interp(percent, PERCENTS, EXPONENTS))
    if percent > PERCENTS[-1]:
        exponent = EXPONENTS[-1] - DECADES_PER_NINE * math.log10((100 - percent) / (100 - PERCENTS[-1]))
    fmr = 10**-exponent
    return -1.0 if fmr >= calibration.fmr[0] else calibration.threshold(people=1, fpir=fmr).cosine


def similarity_of(cosine: float, calibration: Calibration) -> float:
    """The similarity of two faces in percent, by the calibration of the card that compares them."""
    return similarity_percent(calibration.threshold_at_score(cosine).fmr)
