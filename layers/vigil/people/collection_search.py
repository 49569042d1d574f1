"""Searches a gallery for the faces that are similar to a face, each with its similarity in percent."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from heapq import nlargest

import numpy as np
from numpy.typing import NDArray

from vigil.errors import Rejected
from vigil.faces.description import FaceDescription, describe_face, largest_face
from vigil.faces.recognizer import FaceRecognizer, as_face_recognizer
from vigil.faces.similarity import cosine_at, similarity_of
from vigil.inference.types import Model
from vigil.people.face_records import FaceKey, FaceRecord
from vigil.people.indexing import EnrolledFace

ROUNDING_MARGIN = 0.005
"""Cosine by which a gallery's templates, stored in 16 bits, may differ from the rows in the table."""

TEMPLATES_OF_USERS = 4096
"""Templates that are considered in a search for users, as many as faces that a search returns at most."""

EnrolledFaces = Callable[[str], Iterable[EnrolledFace]]
"""The enrolled faces of a person. Raises Transient."""


class FaceNotFound(Rejected):
    """The photo has no face, or the gallery has no face of this id."""

    reason = "face-not-found"


@dataclass(frozen=True, slots=True)
class SearchLimits:
    """Where and how far is searched: at most `limit` faces with at least `least_percent` of similarity."""

    gallery: str
    least_percent: float
    limit: int


@dataclass(frozen=True, slots=True)
class FaceMatch:
    """An enrolled face and its similarity, 0 to 100."""

    record: FaceRecord
    similarity: float


@dataclass(frozen=True, slots=True)
class FaceSearchResult:
    """The matches, best first, and the face that was searched for if it came from a photo of `size_px`."""

    matches: tuple[FaceMatch, ...]
    probe: FaceDescription | None = None
    size_px: tuple[int, int] | None = None


def search_by_photo(
    photo: bytes, model: Model, scope: SearchLimits, enrolled_faces: EnrolledFaces
) -> FaceSearchResult:
    """The faces of a gallery that are similar to the largest face of a photo. Raises FaceNotFound."""
    recognizer = as_face_recognizer(model)
    analysis = recognizer.analyze(photo)
    index = largest_face(analysis.faces)
    if index is None:
        raise FaceNotFound("there is no face in the image")
    face = analysis.faces[index]
    matches = _search(face.vector, recognizer, scope, enrolled_faces)
    return FaceSearchResult(matches, describe_face(face), analysis.size_px)


def search_by_face(
    key: FaceKey | None, model: Model, scope: SearchLimits, enrolled_faces: EnrolledFaces
) -> FaceSearchResult:
    """The faces of a gallery that are similar to one of them. Raises FaceNotFound."""
    recognizer = as_face_recognizer(model)
    if key is None or recognizer.gallery(scope.gallery).person(key.person) is None:
        raise FaceNotFound("the gallery has no face of this id")
    faces = (one for one in enrolled_faces(key.person) if one.record.key == key)
    vector = next((one.vectors.get(recognizer.embedding_space) for one in faces), None)
    if vector is None:
        raise FaceNotFound("the gallery has no face of this id")
    matches = _search(vector, recognizer, scope, enrolled_faces, without=key)
    return FaceSearchResult(matches)


@dataclass(frozen=True, slots=True)
class UserMatch:
    """A user and the similarity of their most similar face, 0 to 100."""

    user: str
    similarity: float


@dataclass(frozen=True, slots=True)
class UserSearchResult:
    """The matches, best first, and the faces of the photo, if there was one, with the index of the probe.

    largest  the index of the largest face
    probe    the same, if it was accepted and searched for
    """

    matches: tuple[UserMatch, ...]
    faces: tuple[FaceDescription, ...] = ()
    largest: int | None = None
    probe: int | None = None
    size_px: tuple[int, int] | None = None


def search_users_by_photo(
    photo: bytes,
    model: Model,
    scope: SearchLimits,
    enrolled_faces: EnrolledFaces,
    least_quality: float | None,
) -> UserSearchResult:
    """The users that are similar to the largest face of a photo.

    least_quality  0 to 1; a face of less, or with a quality issue, is not searched for; None accepts all
    """
    recognizer = as_face_recognizer(model)
    analysis = recognizer.analyze(photo)
    faces, index = tuple(map(describe_face, analysis.faces)), largest_face(analysis.faces)
    if index is None or not _is_accepted(faces[index], least_quality):
        return UserSearchResult((), faces, index, None, analysis.size_px)
    matches = _search_users([analysis.faces[index].vector], recognizer, scope, enrolled_faces)
    return UserSearchResult(matches, faces, index, index, analysis.size_px)


def _is_accepted(face: FaceDescription, least_quality: float | None) -> bool:
    return least_quality is None or (not face.quality_issues and face.quality >= least_quality)


def search_users_by_faces(
    keys: Sequence[FaceKey],
    user: str | None,
    model: Model,
    scope: SearchLimits,
    enrolled_faces: EnrolledFaces,
) -> UserSearchResult:
    """The users that are similar to one face, or to a user's faces among these. Raises FaceNotFound."""
    recognizer = as_face_recognizer(model)
    space = recognizer.embedding_space
    probes = [
        one.vectors[space]
        for person in dict.fromkeys(key.person for key in keys)
        if recognizer.gallery(scope.gallery).person(person) is not None
        for one in enrolled_faces(person)
        if space in one.vectors and one.record.key in keys
    ]
    if not probes and user is None:
        raise FaceNotFound("the gallery has no face of this id")
    return UserSearchResult(_search_users(probes, recognizer, scope, enrolled_faces, without=user))


def _search_users(
    probes: Sequence[NDArray[np.float32]],
    recognizer: FaceRecognizer,
    scope: SearchLimits,
    enrolled_faces: EnrolledFaces,
    without: str | None = None,
) -> tuple[UserMatch, ...]:
    """
    probes  each (D,) float32, unit length

    Only faces that a client said are a user's count.
    """
    space, calibration = recognizer.embedding_space, recognizer.matching_config.calibration
    least_cosine = cosine_at(scope.least_percent, calibration) - ROUNDING_MARGIN
    gallery = recognizer.gallery(scope.gallery)
    people = dict.fromkeys(
        person for one in probes for person in gallery.people_above(one, least_cosine, TEMPLATES_OF_USERS)
    )
    best: dict[str, float] = {}
    for face in (face for person in people for face in enrolled_faces(person)):
        user = face.record.user
        if user is not None and user != without and space in face.vectors:
            cosine = max(float(face.vectors[space] @ one) for one in probes)
            best[user] = max(best.get(user, -1.0), cosine)
    found = (UserMatch(user, similarity_of(cosine, calibration)) for user, cosine in best.items())
    matches = (one for one in found if one.similarity >= scope.least_percent)
    return tuple(nlargest(scope.limit, matches, key=lambda one: one.similarity))


def _search(
    probe: NDArray[np.float32],
    recognizer: FaceRecognizer,
    scope: SearchLimits,
    enrolled_faces: EnrolledFaces,
    without: FaceKey | None = None,
) -> tuple[FaceMatch, ...]:
    """
    probe  (D,) float32, unit length

    The gallery finds the people, one more as `without` may be the only face of one of them. The cosine of
    each of their faces is computed from its row.
    """
    calibration = recognizer.matching_config.calibration
    least_cosine = cosine_at(scope.least_percent, calibration) - ROUNDING_MARGIN
    people = recognizer.gallery(scope.gallery).people_above(probe, least_cosine, scope.limit + 1)
    found = (
        FaceMatch(
            one.record, similarity_of(float(one.vectors[recognizer.embedding_space] @ probe), calibration)
        )
        for person in people
        for one in enrolled_faces(person)
        if recognizer.embedding_space in one.vectors and one.record.key != without
    )
    return tuple(
        nlargest(
            scope.limit, (one for one in found if one.similarity >= scope.least_percent), key=_similarity
        )
    )


def _similarity(match: FaceMatch) -> float:
    return match.similarity
