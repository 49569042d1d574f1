"""Indexes all faces of a photo in a gallery, and removes single faces from it.

A face becomes a template of the person whom it matches, else of a new person: two photos of one person never
make two people, between whom the lanes could not decide.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vigil.drops.messages import S3Object
from vigil.faces.description import FaceDescription
from vigil.faces.enrolment_check import Template
from vigil.faces.gallery import Gallery, GallerySet
from vigil.faces.segments import EnrolledPerson
from vigil.inference.types import FaceOrigin, box_area
from vigil.people.enrolment import EnrolmentService, PeopleStore, with_templates
from vigil.people.face_records import FaceKey, FaceRecord
from vigil.people.galleries import repeat_concurrent_change
from vigil.people.person import Person, PersonChange, User, new_person_id

EXCEEDS_MAX_FACES, LOW_QUALITY = "exceeds-max-faces", "low-quality"
"""Why a face is not indexed, besides its quality issues."""

FACES_AT_ONCE = 40
"""Templates that are deleted in one transaction."""

MAX_NAME_FROM_CLIENT = 80
"""Characters of a client's name for a photo that become the name of a new person."""


@dataclass(frozen=True, slots=True, eq=False)
class FoundFace:
    """A face of a photo with its template in the space of the active release."""

    template: Template
    description: FaceDescription


@dataclass(frozen=True, slots=True, eq=False)
class EnrolledFace:
    """An enrolled face with its vectors, (D,) float32 of unit length, by embedding space."""

    record: FaceRecord
    vectors: Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class IndexRequest:
    """What is indexed where.

    max_faces      how many faces at most, the largest first; None for all
    least_quality  0 to 1; faces with quality issues are never indexed
    """

    gallery: str
    image_id: str
    external_image_id: str | None
    max_faces: int | None
    least_quality: float


@dataclass(frozen=True, slots=True)
class IndexResult:
    """The indexed faces, the largest first, and the others with the reasons.

    size_px  (width, height) of the upright picture
    """

    size_px: tuple[int, int]
    indexed: tuple[tuple[FaceKey, FaceDescription], ...]
    unindexed: tuple[tuple[FaceDescription, tuple[str, ...]], ...]


class IndexingModels(Protocol):
    """The releases that people are enrolled with. All raise BrokenRelease, Transient."""

    @property
    def max_bytes(self) -> int: ...

    def find_faces(self, photo: bytes) -> tuple[tuple[int, int], Sequence[FoundFace]]:
        """The size of the upright picture, and its faces. Raises what `decode_image` raises."""

    def complete_template(self, template: Template, galleries: GallerySet) -> Template:
        """The template with vectors for each space in use."""

    def find_match(self, template: Template, galleries: GallerySet) -> str | None:
        """The id of the person whom a face matches."""


class FaceReader(Protocol):
    """Reads enrolled faces. Raises Transient."""

    def enrolled_faces(self, person: str) -> Iterable[EnrolledFace]: ...

    def find_keys(self, face_ids: Sequence[str]) -> Mapping[str, FaceKey]:
        """Where the faces of these ids are stored, if they are; ids of another form are left out."""


@dataclass(frozen=True, slots=True, eq=False)
class RemovedFaces:
    """Up to FACES_AT_ONCE faces to be deleted, and the gallery without them.

    base     the version of the gallery before
    user     who has fewer faces then
    is_last  whether the user has none any more
    """

    faces: Sequence[FaceRecord]
    base: int
    gallery: GallerySet
    user: User | None
    is_last: bool


class FaceStore(PeopleStore, Protocol):
    """The people table. All raise Transient."""

    def is_name_taken(self, name: str, gallery: str) -> bool:
        """Whether somebody in the gallery has the name, or had it and is being erased."""

    def find_user(self, gallery: str, user: str) -> User | None: ...

    def remove_templates(self, removal: RemovedFaces, now: datetime) -> None:
        """All or nothing. Raises ConcurrentUpdate."""


@dataclass(frozen=True, slots=True)
class IndexingService:
    """Indexing of photos, with what enrolment uses; they are deleted after they were examined."""

    enrolment: EnrolmentService
    people: FaceStore
    faces: FaceReader
    models: IndexingModels

    def index_photo(self, photo: S3Object, request: IndexRequest) -> IndexResult:
        """Raises Rejected for unreadable photos, ConcurrentUpdate, Transient."""
        try:
            size_px, found = self.models.find_faces(self.enrolment.photos.fetch(photo, self.models.max_bytes))
        finally:
            self.enrolment.store.delete_version(photo)
        faces = sorted(found, key=lambda one: -box_area(one.description.box_px))
        refused = {index: reasons for index, one in enumerate(faces) if (reasons := _faults(one, request))}
        accepted = [index for index in range(len(faces)) if index not in refused]
        refused |= dict.fromkeys(
            accepted[request.max_faces :] if request.max_faces else (), (EXCEEDS_MAX_FACES,)
        )
        indexed = [
            (self._index_face(one, size_px, request), one.description)
            for index, one in enumerate(faces)
            if index not in refused
        ]
        unindexed = [(faces[index].description, reasons) for index, reasons in sorted(refused.items())]
        return IndexResult(size_px, tuple(indexed), tuple(unindexed))

    def delete_faces(self, gallery: str, face_ids: Sequence[str]) -> tuple[str, ...]:
        """Delete the faces of a gallery among these; which they were. A person without a face remains."""
        keys, deleted = list(self.faces.find_keys(face_ids).values()), list[str]()
        for person in dict.fromkeys(key.person for key in keys):
            of_person = [key for key in keys if key.person == person]
            for start in range(0, len(of_person), FACES_AT_ONCE):
                chosen = of_person[start : start + FACES_AT_ONCE]
                deleted += repeat_concurrent_change(partial(self._attempt_deletion, gallery, person, chosen))
        return tuple(deleted)

    def _index_face(self, face: FoundFace, size_px: tuple[int, int], request: IndexRequest) -> FaceKey:
        origin = _origin(face.description, size_px, request)
        template = replace(face.template, origin=origin)
        if not self.enrolment.store_reference_images:
            template = replace(template, reference_image=None)
        return repeat_concurrent_change(partial(self._attempt_indexing, template, request))

    def _attempt_indexing(self, found: Template, request: IndexRequest) -> FaceKey:
        galleries = self.enrolment.read_galleries(request.gallery)
        template = self.models.complete_template(found, galleries)
        change = self._change_for(self.models.find_match(template, galleries), request)
        person = change.after
        updated = galleries.apply(partial(with_templates, galleries, person, [template]))
        self.people.commit(
            change, [template], base=galleries.version, gallery=updated, now=self.enrolment.clock()
        )
        return FaceKey(person.id, updated.version, 0)

    def _change_for(self, matching: str | None, request: IndexRequest) -> PersonChange:
        existing = self.people.find_person(matching) if matching else None
        if existing is not None:
            return PersonChange(existing, existing)
        new_id = new_person_id()
        name = (request.external_image_id or new_id)[:MAX_NAME_FROM_CLIENT]
        if self.people.is_name_taken(name, request.gallery):
            name = f"{name} {new_id}"
        return PersonChange(None, Person(new_id, name, gallery=request.gallery))

    def _attempt_deletion(self, gallery: str, person_id: str, keys: Sequence[FaceKey]) -> list[str]:
        person = self.people.find_person(person_id)
        if person is None or person.gallery != gallery:
            return []
        galleries, stored = self.enrolment.galleries.read(gallery), list(self.faces.enrolled_faces(person_id))
        deleted = [one.record for one in stored if one.record.key in keys]
        remaining = [one for one in stored if one.record.key not in keys]
        if deleted:
            updated = galleries.apply(lambda one: with_faces(one, person, remaining))
            has_fewer = person.user is not None and any(one.user for one in deleted)
            user = self.people.find_user(gallery, person.user) if has_fewer and person.user else None
            is_last = not any(one.record.user for one in remaining)
            removal = RemovedFaces(deleted, galleries.version, updated, user, is_last)
            self.people.remove_templates(removal, self.enrolment.clock())
        return [one.face_id for one in deleted]


def _faults(face: FoundFace, request: IndexRequest) -> tuple[str, ...]:
    """Why a face is not good enough."""
    issues = face.description.quality_issues
    return issues or ((LOW_QUALITY,) if face.description.quality < request.least_quality else ())


def _origin(face: FaceDescription, size_px: tuple[int, int], request: IndexRequest) -> FaceOrigin:
    (left, top, right, bottom), (width, height) = face.box_px, size_px
    box = (left / width, top / height, (right - left) / width, (bottom - top) / height)
    return FaceOrigin(request.image_id, box, face.confidence, request.external_image_id)


def with_faces(gallery: Gallery, person: Person, faces: Sequence[EnrolledFace]) -> Gallery:
    """The gallery with exactly these faces of a person; one who is pending for reembedding is left to it."""
    space = gallery.embedding_space
    vectors = [one.vectors[space] for one in faces if space in one.vectors]
    if gallery.person(person.id) is None or not vectors:
        return gallery.without_person(person.id)
    return gallery.with_person(EnrolledPerson(person.id, np.stack(vectors), person.tags))
