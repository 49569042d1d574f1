"""Users of a collection: a client says which faces are one person's.

The first face makes its person the user. A face that is another person's moves to the user's person, so that
the lanes have one person to decide for; its id remains.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Literal, Protocol

from vigil.errors import Rejected
from vigil.faces.enrolment_check import Template
from vigil.faces.gallery import Gallery, GallerySet
from vigil.people.enrolment import EnrolmentService, with_templates
from vigil.people.face_records import FaceKey
from vigil.people.galleries import repeat_concurrent_change
from vigil.people.indexing import MAX_NAME_FROM_CLIENT, EnrolledFace, FaceReader, with_faces
from vigil.people.person import Person, PersonChange, User, new_person_id

MAX_FACES = 100
"""Faces of a user. https://docs.aws.amazon.com/rekognition/latest/APIReference/API_AssociateFaces.html"""

FACES_AT_ONCE = 20
"""Faces of one transaction, which needs three writes for a face that moves, and has at most 100."""

Refusal = Literal["not-found", "other-user", "low-similarity", "exceeds-limit"]


class UserNotFound(Rejected):
    """The gallery has no user of this id."""

    reason = "user-not-found"


class TooManyFaces(Rejected):
    """The user has as many faces as a user can have."""

    reason = "too-many-faces"


@dataclass(frozen=True, slots=True)
class RefusedFace:
    """A face that was not changed, and why; `user` is the one that it is of, `similarity` 0 to 100."""

    face_id: str
    reason: Refusal
    user: str | None = None
    similarity: float | None = None


@dataclass(frozen=True, slots=True)
class UserFaces:
    """What a change did: the changed faces, the others, and how many the user has now."""

    changed: tuple[str, ...]
    refused: tuple[RefusedFace, ...]
    number: int


@dataclass(frozen=True, slots=True, eq=False)
class ForeignFace:
    """A face that becomes one of another person."""

    face: EnrolledFace
    key: FaceKey


@dataclass(frozen=True, slots=True, eq=False)
class Association:
    """A change of a user: the person with `user`, faces that are theirs already, and those that move.

    base     the galleries before
    gallery  the galleries with the moved faces; `base` itself without any
    """

    user: User
    change: PersonChange
    own: tuple[EnrolledFace, ...]
    moves: tuple[ForeignFace, ...]
    base: GallerySet
    gallery: GallerySet


class UserStore(Protocol):
    """The people table. All raise Transient."""

    def find_user(self, gallery: str, user: str) -> User | None: ...

    def find_person(self, person_id: str) -> Person | None: ...

    def associate(self, association: Association, now: datetime) -> None:
        """All or nothing. Raises ConcurrentUpdate."""

    def disassociate(self, user: User, faces: Sequence[FaceKey], *, is_last: bool) -> None:
        """The faces are no user's; with the last one, nobody is the user. Raises ConcurrentUpdate."""

    def delete_user(self, user: User) -> None:
        """Delete a user without faces. Raises ConcurrentUpdate."""


class SimilarityModel(Protocol):
    """The active release. Raises BrokenRelease, Transient."""

    def similarity(self, face: EnrolledFace, others: Sequence[EnrolledFace]) -> float | None:
        """To the most similar one, 0 to 100; None without vectors to compare."""


@dataclass(frozen=True, slots=True)
class UserService:
    """Changes of users. All raise UserNotFound, ConcurrentUpdate, Transient."""

    enrolment: EnrolmentService
    users: UserStore
    faces: FaceReader
    models: SimilarityModel

    def associate(
        self, gallery: str, user: str, face_ids: Sequence[str], *, least_percent: float
    ) -> UserFaces:
        """Raises TooManyFaces. A face that the user has already is left out of the result."""
        own = self._own_faces(self._find_user(gallery, user))
        if len(own) >= MAX_FACES and set(face_ids) - {one.record.face_id for one in own}:
            raise TooManyFaces(f"a user has at most {MAX_FACES} faces")
        attempt = partial(self._attempt_association, gallery, user, least_percent)
        return _in_parts(face_ids, attempt)

    def disassociate(self, gallery: str, user: str, face_ids: Sequence[str]) -> UserFaces:
        """A face that is no user's is left out of the result."""
        self._find_user(gallery, user)
        return _in_parts(face_ids, partial(self._attempt_disassociation, gallery, user))

    def delete_user(self, gallery: str, user: str) -> None:
        """Delete a user; the faces and their person remain."""
        own = self._own_faces(self._find_user(gallery, user))
        self.disassociate(gallery, user, [one.record.face_id for one in own])
        self.users.delete_user(self._find_user(gallery, user))

    def _attempt_association(
        self, gallery: str, user_id: str, least_percent: float, face_ids: Sequence[str]
    ) -> UserFaces:
        user = self._find_user(gallery, user_id)
        known, accepted = self._own_faces(user), list[EnrolledFace]()
        refused = list[RefusedFace]()
        for face_id, face in self._find_faces(gallery, face_ids):
            if face is not None and face.record.user == user_id:
                continue
            fault = self._find_fault(face_id, face, [*known, *accepted], least_percent)
            if fault is not None:
                refused.append(fault)
            elif face is not None:
                accepted.append(face)
        if accepted:
            self.users.associate(self._plan(user, accepted), self.enrolment.clock())
        changed = tuple(one.record.face_id for one in accepted)
        return UserFaces(changed, tuple(refused), len(known) + len(accepted))

    def _find_fault(
        self, face_id: str, face: EnrolledFace | None, known: Sequence[EnrolledFace], least_percent: float
    ) -> RefusedFace | None:
        """Why a face does not become one of a user with these faces."""
        if face is None:
            return RefusedFace(face_id, "not-found")
        if face.record.user is not None:
            return RefusedFace(face_id, "other-user", face.record.user)
        if len(known) >= MAX_FACES:
            return RefusedFace(face_id, "exceeds-limit")
        similarity = self.models.similarity(face, known)
        if similarity is not None and similarity < least_percent:
            return RefusedFace(face_id, "low-similarity", similarity=similarity)
        return None

    def _plan(self, user: User, accepted: Sequence[EnrolledFace]) -> Association:
        galleries = self.enrolment.read_galleries(user.gallery)
        change = self._change_for(user, accepted[0])
        person = change.after
        own = tuple(one for one in accepted if one.record.key.person == person.id)
        moving = [one for one in accepted if one.record.key.person != person.id]
        updated = (
            galleries.apply(partial(self._with_moved, galleries, person, moving)) if moving else galleries
        )
        moves = tuple(
            ForeignFace(one, FaceKey(person.id, updated.version, number)) for number, one in enumerate(moving)
        )
        return Association(user, change, own, moves, galleries, updated)

    def _change_for(self, user: User, first: EnrolledFace) -> PersonChange:
        """The user's person; of a user without one, the person of the first face or a new one."""
        before = self.users.find_person(user.person or first.record.key.person)
        if before is None or before.user not in (None, user.id):
            new_id = new_person_id()
            new = Person(
                new_id, f"{user.id[:MAX_NAME_FROM_CLIENT]} {new_id}", gallery=user.gallery, user=user.id
            )
            return PersonChange(None, new)
        return PersonChange(before, replace(before, user=user.id))

    def _with_moved(
        self, galleries: GallerySet, person: Person, moving: Sequence[EnrolledFace], gallery: Gallery
    ) -> Gallery:
        """The gallery with these faces as the person's and no longer those of the others."""
        for other in dict.fromkeys(one.record.key.person for one in moving):
            moved = {one.record.key for one in moving}
            left = [one for one in self.faces.enrolled_faces(other) if one.record.key not in moved]
            tags = galleries.tags_for(other)
            gallery = with_faces(gallery, Person(other, "", tags, galleries.name), left)
        templates = [Template(one.vectors, 1.0, (0.0, 0.0, 0.0, 0.0), None) for one in moving]
        return with_templates(galleries, person, templates, gallery)

    def _attempt_disassociation(self, gallery: str, user_id: str, face_ids: Sequence[str]) -> UserFaces:
        user = self._find_user(gallery, user_id)
        number, chosen, refused = len(self._own_faces(user)), list[EnrolledFace](), list[RefusedFace]()
        for face_id, face in self._find_faces(gallery, face_ids):
            if face is None:
                refused.append(RefusedFace(face_id, "not-found"))
            elif face.record.user == user_id:
                chosen.append(face)
            elif face.record.user is not None:
                refused.append(RefusedFace(face_id, "other-user", face.record.user))
        if chosen:
            keys = [one.record.key for one in chosen]
            self.users.disassociate(user, keys, is_last=len(chosen) == number)
        changed = tuple(one.record.face_id for one in chosen)
        return UserFaces(changed, tuple(refused), number - len(chosen))

    def _find_user(self, gallery: str, user: str) -> User:
        found = self.users.find_user(gallery, user)
        if found is None:
            raise UserNotFound(f"the user {user} does not exist")
        return found

    def _own_faces(self, user: User) -> list[EnrolledFace]:
        if user.person is None:
            return []
        return [one for one in self.faces.enrolled_faces(user.person) if one.record.user == user.id]

    def _find_faces(self, gallery: str, face_ids: Sequence[str]) -> Iterator[tuple[str, EnrolledFace | None]]:
        """Each face of the gallery by its id; None for ids that it does not have."""
        keys = self.faces.find_keys(face_ids)
        found: dict[FaceKey, EnrolledFace] = {}
        for person_id in dict.fromkeys(key.person for key in keys.values()):
            person = self.users.find_person(person_id)
            if person is not None and person.gallery == gallery:
                found |= {one.record.key: one for one in self.faces.enrolled_faces(person_id)}
        return ((one, found.get(keys[one]) if one in keys else None) for one in face_ids)


def _in_parts(face_ids: Sequence[str], attempt: Callable[[Sequence[str]], UserFaces]) -> UserFaces:
    """The changes of all faces together, each part in a transaction of its own."""
    unique = list(dict.fromkeys(face_ids))
    results = [
        repeat_concurrent_change(partial(attempt, unique[start : start + FACES_AT_ONCE]))
        for start in range(0, len(unique), FACES_AT_ONCE)
    ]
    changed = tuple(one for result in results for one in result.changed)
    refused = tuple(one for result in results for one in result.refused)
    return UserFaces(changed, refused, results[-1].number if results else 0)
