"""A photo against the strangers that sources remember: when and where somebody like this was seen before."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from heapq import nlargest

import numpy as np
from numpy.typing import NDArray

from vigil.errors import Rejected
from vigil.seeing import Model, Sighting

MOST = 20


class NotOneFace(Rejected):
    """A search needs exactly one face that is good enough to be matched."""

    reason = "not-one-face"


@dataclass(frozen=True, slots=True)
class Remembered:
    """A stranger's face in one sighting.

    vector   (D,) float32, unit length
    space    that the vector lies in
    same_as  a dot product from which on two faces are one person's
    """

    drop: str
    number: int
    source: str
    at: datetime
    vector: NDArray[np.float32]
    space: str
    same_as: float


@dataclass(frozen=True, slots=True)
class Probe:
    """What is searched for: a (D,) float32 unit vector, and its space."""

    vector: NDArray[np.float32]
    space: str


@dataclass(frozen=True, slots=True)
class Likeness:
    """A sighting that shows somebody alike; `score` is the cosine."""

    seen: Remembered
    score: float


def search(photo: bytes, model: Model, remembered: Iterable[Remembered]) -> tuple[Likeness, ...]:
    """The most alike first, at most MOST. Raises NotOneFace, and what decoding raises.

    Faces that another release remembered lie in another space: they are passed over.
    """
    face = probe(model.see(photo, {}, _unmarked).sightings)
    alike = (one for one in remembered if one.space == face.space)
    found = (Likeness(one, float(one.vector @ face.vector)) for one in alike)
    return tuple(nlargest(MOST, (one for one in found if one.score >= one.seen.same_as), key=_score))


def probe(sightings: Iterable[Sighting]) -> Probe:
    """The one face that can be matched."""
    found = [
        Probe(one.vector, one.space) for one in sightings if one.vector is not None and one.status != "unfit"
    ]
    if len(found) != 1:
        raise NotOneFace(f"{len(found)} faces can be matched; a search needs exactly one")
    return found[0]


def _score(one: Likeness) -> float:
    return one.score


def _unmarked(_: str) -> None:
    """Nobody wants to know the stage."""
