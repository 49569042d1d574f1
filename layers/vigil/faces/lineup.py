"""A release before those who are enrolled: whom it finds for each photo, among all other photos."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vigil.errors import Rejected
from vigil.faces.enrol import NoFace, embed_again
from vigil.faces.pipeline import FacesModel
from vigil.learn.interval import Interval
from vigil.learn.measures import gain, interval
from vigil.learn.scored import Scored
from vigil.seeing import Portrait

METRIC = "accuracy"
"""Of the person found first: the rank-1 identification rate of ISO/IEC 19795."""

FEWEST = 2
"""People with two photos or more; of fewer, nothing can be found wrongly."""

Lineup = Sequence[tuple[str, Portrait]]
"""(person, portrait), each photo that is kept of somebody."""


class TooFew(Rejected):
    """Hardly anybody is enrolled with two photos: there is nothing to examine a release on."""

    reason = "too-few-enrolled"


def measured(candidate: FacesModel, active: FacesModel, lineup: Lineup) -> tuple[Interval, Interval]:
    """How often the candidate is right, and how much more often than the active release. Raises TooFew."""
    people = [person for person, _ in lineup]
    if len({person for person in people if people.count(person) > 1}) < FEWEST:
        raise TooFew(f"enrol {FEWEST} people or more with two photos or more each, to examine a release on")
    mine, theirs = (_scored(_embedded(model, lineup), people) for model in (candidate, active))
    return interval(mine, METRIC), gain(mine, theirs, METRIC)


def _embedded(model: FacesModel, lineup: Lineup) -> NDArray[np.float32]:
    """(n, D) float32; zeros, which are like nobody, where the release finds no face."""
    vectors = [_vector(model, portrait) for _, portrait in lineup]
    blank = np.zeros_like(next(vector for vector in vectors if vector is not None))
    return np.stack([blank if vector is None else vector for vector in vectors])


def _vector(model: FacesModel, portrait: Portrait) -> NDArray[np.float32] | None:
    try:
        return embed_again(portrait, model)
    except NoFace:
        return None


def _scored(vectors: NDArray[np.float32], people: Sequence[str]) -> Scored:
    """Each photo of somebody with others beside it: the best cosine of each person's other photos."""
    labels = tuple(sorted(set(people)))
    mine = np.array([labels.index(person) for person in people], np.int64)
    alike = (vectors @ vectors.T).astype(np.float64)
    np.fill_diagonal(alike, -1.0)
    best = np.stack([alike[:, mine == place].max(axis=1) for place in range(len(labels))], axis=1)
    probes = np.flatnonzero(np.bincount(mine)[mine] > 1)
    groups = tuple(people[int(place)] for place in probes)
    return Scored(labels, mine[probes], best[probes], groups=groups)
