"""Comparison of two releases by rank-1 identification on the reference images of enrolled people."""

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
"""Lowest number of people with two photos or more; one person alone cannot be confused."""

EnrolledPhotos = Sequence[tuple[str, ReferenceImage]]
"""(person id, reference image) of each stored photo."""


class TooFewEnrolled(Rejected):
    """Too few people are enrolled with two photos or more to compare releases on them."""

    reason = "too-few-enrolled"


def compare_on_enrolled(
    candidate: FaceRecognizer, active: FaceRecognizer, photos: EnrolledPhotos
) -> tuple[Interval, Interval]:
    """The candidate's accuracy, and its gain over the active release. Raises TooFewEnrolled.

    The accuracy is the rank-1 identification rate of ISO/IEC 19795-1.
    """
    people = [person for person, _ in photos]
    if len({person for person in people if people.count(person) > 1}) < MIN_PEOPLE:
        raise TooFewEnrolled(
            f"comparing releases needs {MIN_PEOPLE} people or more, enrolled with two photos or more each"
        )
    candidate_scores, active_scores = (
        _score_probes(_embed_photos(model, photos), people) for model in (candidate, active)
    )
    return metric_interval(candidate_scores), paired_gain(candidate_scores, active_scores)


def _embed_photos(model: FaceRecognizer, photos: EnrolledPhotos) -> NDArray[np.float32]:
    """(n, D) float32, unit rows; a row of zeros if the model finds no face."""
    vectors = [_embed_or_none(model, reference_image) for _, reference_image in photos]
    blank = np.zeros_like(next(vector for vector in vectors if vector is not None))
    return np.stack([blank if vector is None else vector for vector in vectors])


def _embed_or_none(model: FaceRecognizer, reference_image: ReferenceImage) -> NDArray[np.float32] | None:
    """(D,) float32, unit length, or None if the model finds no face."""
    try:
        return embed_reference(reference_image, model)
    except NoFace:
        return None


def _score_probes(vectors: NDArray[np.float32], people: Sequence[str]) -> ScoredDataset:
    """For each photo of a person with several, the best cosine to each person's other photos.

    vectors  (n, D) float32, unit rows, in the order of `people`
    """
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
