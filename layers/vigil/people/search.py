"""Searches the stored faces of unknown subjects for the face in a photo."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from heapq import nlargest

import numpy as np
from numpy.typing import NDArray

from vigil.alerts.unknown_subjects import StoredFace
from vigil.errors import Rejected
from vigil.inference.types import Model, Sighting, ignore_stage

MAX_HITS = 20


class NeedExactlyOneFace(Rejected):
    """A search needs exactly one face that is good enough to be matched."""

    reason = "need-exactly-one-face"


@dataclass(frozen=True, slots=True)
class Probe:
    """The face that is searched for: a (D,) float32 unit vector and its embedding space."""

    vector: NDArray[np.float32]
    embedding_space: str


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A stored face that matches; `score` is the cosine."""

    face: StoredFace
    score: float


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The best matches first, at most MAX_HITS.

    searched_since  the faces from this time on were compared; older ones were not, for lack of time
    """

    hits: tuple[SearchHit, ...]
    searched_since: datetime


def search_faces(
    photo: bytes,
    model: Model,
    stored_faces: Iterable[StoredFace],
    *,
    since: datetime,
    has_time: Callable[[], bool],
) -> SearchResult:
    """Compare a face with stored ones, newest first, while there is time.

    Faces in another embedding space, stored by another release, are not compared. Raises NeedExactlyOneFace,
    and what decoding raises.
    """
    face = extract_probe(model.predict(photo, {}, ignore_stage).sightings)
    found: list[SearchHit] = []
    for one in stored_faces:
        if not has_time():
            since = one.occurred_at
            break
        if one.embedding_space == face.embedding_space:
            score = float(one.vector @ face.vector)
            if score >= one.same_subject_threshold:
                found.append(SearchHit(one, score))
    return SearchResult(tuple(nlargest(MAX_HITS, found, key=_hit_score)), since)


def extract_probe(sightings: Iterable[Sighting]) -> Probe:
    """Raises NeedExactlyOneFace."""
    found = [
        Probe(one.vector, one.embedding_space)
        for one in sightings
        if one.vector is not None and one.status != "unfit"
    ]
    if len(found) != 1:
        raise NeedExactlyOneFace(f"{len(found)} faces can be matched; a search needs exactly one")
    return found[0]


def _hit_score(hit: SearchHit) -> float:
    return hit.score
