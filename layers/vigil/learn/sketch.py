"""What a release says of the world, as counts and sums: enough to see it drift, too little to see anybody.

Of an embedding only sums of waves over it are kept (random Fourier features): the distance between two such
means is that between the distributions, and no vector can be read off a sum of hundreds.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from vigil.seeing import Sighting

BINS = 20
"""Of scores, each as wide as the next from 0 to 1."""

WAVES = 32


@dataclass(frozen=True, slots=True)
class Sketch:
    """What was seen in some time; sketches add up.

    items    sightings that were judged at all
    unknown  of them, nobody and nothing known
    scores   how many best candidates scored in each of BINS
    vectors  how many had an embedding
    waves    sums over these, a cosine and a sine of each wave
    """

    items: int = 0
    unknown: int = 0
    scores: tuple[int, ...] = (0,) * BINS
    vectors: int = 0
    waves: tuple[float, ...] = (0.0,) * (2 * WAVES)

    def __add__(self, other: "Sketch") -> "Sketch":
        return Sketch(
            self.items + other.items,
            self.unknown + other.unknown,
            tuple(one + more for one, more in zip(self.scores, other.scores, strict=True)),
            self.vectors + other.vectors,
            tuple(one + more for one, more in zip(self.waves, other.waves, strict=True)),
        )


def sketched(sightings: Iterable[Sighting]) -> Sketch:
    """The sketch of what was seen; what is unfit to be judged is no part of it."""
    judged = [one for one in sightings if one.status != "unfit"]
    scores = np.array([one.score for one in judged if one.score is not None], np.float64)
    vectors = [one.vector for one in judged if one.vector is not None]
    places = np.minimum((np.clip(scores, 0, 1) * BINS).astype(np.int64), BINS - 1)
    return Sketch(
        items=len(judged),
        unknown=sum(one.status != "known" for one in judged),
        scores=tuple(map(int, np.bincount(places, minlength=BINS))),
        vectors=len(vectors),
        waves=_summed(vectors),
    )


def _summed(vectors: Sequence[NDArray[np.float32]]) -> tuple[float, ...]:
    if not vectors:
        return (0.0,) * (2 * WAVES)
    phases = np.stack(vectors).astype(np.float64) @ _waves(len(vectors[0]))
    sums = np.concatenate([np.cos(phases).sum(axis=0), np.sin(phases).sum(axis=0)])
    return tuple(float(one) for one in sums / np.sqrt(WAVES))


@cache
def _waves(size: int) -> NDArray[np.float64]:
    """(size, WAVES) directions, always the same: of a Gaussian kernel as wide as a unit vector is long."""
    return np.random.default_rng(size).normal(0, 1, (size, WAVES))
