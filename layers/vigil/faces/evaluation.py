"""A release before those who are enrolled: whom it finds for each photo, among all other photos."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vigil.errors import Rejected
from vigil.faces.enrolment_check import NoFace, embed_reference
from vigil.faces.recognizer import FaceRecognizer
from vigil.inference.evaluation import ScoredDataset, metric_interval, paired_gain
from vigil.inference.types import ReferenceImage
from vigil.statistics import Interval

MIN_PEOPLE = 2
"""People with two photos or more; of fewer, nothing can be found wrongly."""

EnrolledPhotos = Sequence[tuple[str, ReferenceImage]]
"""(person, portrait), each photo that is kept of somebody."""


class TooFewEnrolled(Rejected):
    """Hardly anybody is enrolled with two photos: there is nothing to examine a release on."""

    reason = "too-few-enrolled"


def compare_on_enrolled(
    candidate: FaceRecognizer, active: FaceRecognizer, photos: EnrolledPhotos
) -> tuple[Interval, Interval]:
    """How often the candidate is right, and how much more often than the active release. Raises TooFew.

    Right is who finds the person first: the accuracy is the rank-1 identification rate of ISO/IEC 19795.
    """
    people = [person for person, _ in photos]
    if len({person for person in people if people.count(person) > 1}) < MIN_PEOPLE:
        raise TooFewEnrolled(
            f"enrol {MIN_PEOPLE} people or more with two photos or more each, to examine a release on"
        )
    candidate_scores, active_scores = (
        _score_probes(_embed_photos(model, photos), people) for model in (candidate, active)
    )
    return metric_interval(candidate_scores), paired_gain(candidate_scores, active_scores)


def _embed_photos(model: FaceRecognizer, photos: EnrolledPhotos) -> NDArray[np.float32]:
    """(n, D) float32; zeros, which are like nobody, where the release finds no face."""
    vectors = [_embed_or_none(model, reference_image) for _, reference_image in photos]
    blank = np.zeros_like(next(vector for vector in vectors if vector is not None))
    return np.stack([blank if vector is None else vector for vector in vectors])


def _embed_or_none(model: FaceRecognizer, reference_image: ReferenceImage) -> NDArray[np.float32] | None:
    try:
        return embed_reference(reference_image, model)
    except NoFace:
        return None


def _score_probes(vectors: NDArray[np.float32], people: Sequence[str]) -> ScoredDataset:
    """Each photo of somebody with others beside it: the best cosine of each person's other photos."""
    labels = tuple(sorted(set(people)))
    label_indexes = np.array([labels.index(person) for person in people], np.int64)
    similarities = (vectors @ vectors.T).astype(np.float64)
    np.fill_diagonal(similarities, -1.0)
    best = np.stack(
        [similarities[:, label_indexes == index].max(axis=1) for index in range(len(labels))], axis=1
    )
    probes = np.flatnonzero(np.bincount(label_indexes)[label_indexes] > 1)
    groups = tuple(people[int(place)] for place in probes)
    return ScoredDataset(labels, label_indexes[probes], best[probes], groups=groups)
