"""Tells strangers apart without knowing them: faces of one window at one source, grouped by likeness."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class UnknownSubjects:
    """The unknown subjects of one source and window.

    revision  of the stored row, 0 while there is none; it guards against two writers
    ids       (n) names of the subjects, oldest first
    vectors   (n, D) float32, unit length, each subject's first vector
    same_as   the cosine from which on two are one, as it was last used
    """

    source: str
    window: str
    revision: int
    ids: tuple[str, ...]
    vectors: NDArray[np.float32]
    same_subject_threshold: float = 1.0

    MAX_SUBJECTS: ClassVar[int] = 300
    """Subjects kept for one window: beyond it the oldest is forgotten (a row holds 400 KB)."""


def no_subjects(source: str, window: str) -> UnknownSubjects:
    """No stranger yet."""
    return UnknownSubjects(source, window, 0, (), np.empty((0, 0), np.float32))


def assign_subject(
    subjects: UnknownSubjects, vector: NDArray[np.float32], *, same_subject_threshold: float, new_id: str
) -> tuple[str, UnknownSubjects]:
    """The stranger that a (D,) unit vector belongs to, and the strangers with them in.

    The nearest one whose cosine reaches `same_as`, else a new one by the name `new_id`.
    """
    if subjects.ids:
        cosines = subjects.vectors @ vector
        nearest = int(cosines.argmax())
        if cosines[nearest] >= same_subject_threshold:
            return subjects.ids[nearest], subjects
    retained = slice(1, None) if len(subjects.ids) >= UnknownSubjects.MAX_SUBJECTS else slice(None)
    vectors: Sequence[NDArray[np.float32]] = [*subjects.vectors[retained], vector]
    return new_id, replace(
        subjects,
        ids=(*subjects.ids[retained], new_id),
        vectors=np.stack(vectors),
        same_subject_threshold=same_subject_threshold,
    )


def remove_matching(subjects: UnknownSubjects, vectors: NDArray[np.float32]) -> UnknownSubjects:
    """Those who are none of these: (n, D) float32, unit rows, n >= 1."""
    if not subjects.ids:
        return subjects
    remaining = np.flatnonzero((subjects.vectors @ vectors.T).max(axis=1) < subjects.same_subject_threshold)
    ids = tuple(subjects.ids[index] for index in remaining)
    return replace(subjects, ids=ids, vectors=subjects.vectors[remaining])


@dataclass(frozen=True, slots=True)
class StoredFace:
    """A stranger's face in one sighting.

    vector   (D,) float32, unit length
    space    that the vector lies in
    same_as  a dot product from which on two faces are one person's
    """

    drop: str
    sighting_index: int
    source: str
    occurred_at: datetime
    vector: NDArray[np.float32]
    embedding_space: str
    same_subject_threshold: float
