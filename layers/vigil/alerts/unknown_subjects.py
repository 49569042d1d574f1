"""Unknown subjects: unknown faces of one source and window, grouped by similarity."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class UnknownSubjects:
    """The unknown subjects of one source and window.

    revision                counts the writes of new subjects and detects concurrent ones; 0 before the first
    ids                     n ids of the subjects, oldest first
    vectors                 (n, D) float32, unit rows, each subject's first vector
    same_subject_threshold  cosine from which on two vectors are of one subject, as last used
    new_ids                 those that are not stored yet
    """

    source: str
    window: str
    revision: int
    ids: tuple[str, ...]
    vectors: NDArray[np.float32]
    same_subject_threshold: float = 1.0
    new_ids: tuple[str, ...] = ()

    MAX_SUBJECTS: ClassVar[int] = 300
    """Highest number of subjects of one window that a face is compared with: the newest."""


def no_subjects(source: str, window: str) -> UnknownSubjects:
    """The unknown subjects of a new window."""
    return UnknownSubjects(source, window, 0, (), np.empty((0, 0), np.float32))


def assign_subject(
    subjects: UnknownSubjects, vector: NDArray[np.float32], *, same_subject_threshold: float, new_id: str
) -> tuple[str, UnknownSubjects]:
    """The id of the subject that a vector belongs to, and the subjects including it.

    vector  (D,) float32, unit length

    The subject is the nearest one whose cosine reaches the threshold, else a new one with the id `new_id`.
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
        new_ids=(*subjects.new_ids, new_id),
    )


@dataclass(frozen=True, slots=True)
class StoredFace:
    """An unknown face of one sighting.

    vector                  (D,) float32, unit length
    embedding_space         id of the space of `vector`
    same_subject_threshold  dot product from which on two faces are of one person
    """

    drop: str
    sighting_index: int
    source: str
    occurred_at: datetime
    vector: NDArray[np.float32]
    embedding_space: str
    same_subject_threshold: float
