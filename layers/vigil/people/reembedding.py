"""Computes templates of all enrolled people for further releases, and deletes those of retired releases."""

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vigil.errors import ConcurrentUpdate, Rejected, VigilError
from vigil.faces.gallery import GallerySet
from vigil.faces.segments import EnrolledPerson
from vigil.inference.types import ReferenceImage
from vigil.people.galleries import GalleryListing
from vigil.people.person import GalleryPointer

Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class StoredPhoto:
    """The template of one enrolment photo.

    key              of its row
    vectors          (D,) float32, unit length, by embedding space
    reference_image  None if none is stored
    """

    key: str
    vectors: Mapping[str, Vector]
    reference_image: ReferenceImage | None


@dataclass(frozen=True, slots=True)
class GalleryProgress:
    """How far a release is with the people of one gallery whom its space lacks, in the order of their ids.

    It holds one id and not those of everybody without a reference image, which no row of 400 KB can hold:
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-items

    after_person  the last person who was processed; empty at the beginning and at the end
    completed     everybody was processed once; the walk goes on with those who are still missing
    """

    after_person: str = ""
    completed: bool = False

    def order(self, missing: Sequence[str]) -> Sequence[str]:
        """Who is to be processed, in this order. `missing` is sorted."""
        first = bisect_right(missing, self.after_person)
        return [*missing[first:], *missing[:first]] if self.completed else missing[first:]

    def after(self, processed: Sequence[str], order: Sequence[str]) -> "GalleryProgress":
        """The walk after the first people of an order were processed."""
        if len(processed) == len(order):
            return GalleryProgress(completed=True)
        return GalleryProgress(processed[-1] if processed else self.after_person, self.completed)

    def count_processed(self, missing: Sequence[str]) -> int:
        """How many of the people who are missing were processed, in vain."""
        return len(missing) if self.completed else bisect_right(missing, self.after_person)


@dataclass(frozen=True, slots=True)
class ReembeddingProgress:
    """How many people a release's galleries contain.

    people             the number of enrolled people
    missing_reference  how many have no reference image that the release can use: they must be enrolled again
    remaining          the number of people who are not processed yet
    by_gallery         how far each gallery is
    """

    people: int
    missing_reference: int
    remaining: int
    by_gallery: Mapping[str, GalleryProgress] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Whether the release's galleries contain everybody."""
        return not self.remaining and not self.missing_reference

    @property
    def summary(self) -> str:
        """One line for operators."""
        summary = f"reembedded {self.people - self.remaining - self.missing_reference} of {self.people}"
        return f"{summary}; {self.missing_reference} need a new photo" if self.missing_reference else summary


@dataclass(frozen=True, slots=True)
class ReembeddingState:
    """The state of reembedding between two runs.

    spaces    the embedding space of each release in use
    progress  of each release in use
    retired   by space that is out of use, the last person whose vectors were deleted
    """

    spaces: Mapping[str, str] = field(default_factory=dict)
    progress: Mapping[str, ReembeddingProgress] = field(default_factory=dict)
    retired: Mapping[str, str] = field(default_factory=dict)

    def is_ready(self, release: str) -> bool:
        """Whether a release can be compared with the active one, because its gallery is complete."""
        return release in self.progress and self.progress[release].is_complete


@dataclass(frozen=True, slots=True)
class ReembeddingRun:
    """The state after one run, and by release why it could not be processed."""

    state: ReembeddingState
    failures: Mapping[str, str]


class PhotoRepository(Protocol):
    """The stored templates. All raise Transient."""

    def photos_of(self, person: str) -> Iterable[StoredPhoto]: ...

    def add_vector(self, person: str, key: str, space: str, vector: Vector) -> None:
        """Store a further vector of a photo; does nothing if the photo was erased."""

    def delete_vectors(self, person: str, space: str) -> None:
        """Delete a person's vectors in a space."""


class GalleryStore(Protocol):
    """The galleries in force. All raise Transient."""

    def gallery_pointer(self, name: str) -> GalleryPointer: ...

    def replace_gallery(self, *, base: int, gallery: GallerySet, now: datetime) -> None:
        """Put galleries in force in place of version `base`. Raises ConcurrentUpdate."""


class ReembeddingModels(Protocol):
    """The releases in use. All raise BrokenRelease, Transient."""

    def release_ids(self) -> Sequence[str]: ...

    def embedding_space(self, release: str) -> str: ...

    def embed_reference(self, release: str, reference: ReferenceImage) -> Vector:
        """(D,) float32, unit length. Raises Rejected if the release finds no face."""


class SegmentRemover(Protocol):
    """Deletes segments of galleries. Raises Transient."""

    def delete_unused_segments(self, gallery: str, version: int, keys: Collection[str]) -> int:
        """Delete every version of a gallery's segments up to `version` except these keys; how many."""


class UnknownFaceRemover(Protocol):
    """Deletes stored faces of unknown subjects. Raises Transient."""

    def remove_spaces(self, spaces: Collection[str]) -> int:
        """Delete the faces in these spaces; how many."""


@dataclass(frozen=True, slots=True)
class ReembeddingService:
    """Reembedding, a few people in each run.

    A vector is stored beside its photo before the gallery contains it, so that a concurrent enrolment costs a
    write and no computation.
    """

    photos: PhotoRepository
    galleries: GalleryListing
    people: GalleryStore
    models: ReembeddingModels
    segments: SegmentRemover
    unknown_faces: UnknownFaceRemover
    clock: Callable[[], datetime]

    def run(self, previous: ReembeddingState, has_time: Callable[[], bool]) -> ReembeddingRun:
        """Process some people of each release in use; the next run continues. Raises Transient.

        It also deletes the segments that enrolments replaced, or left when they were interrupted.

        has_time  whether there is time for one more person
        """
        spaces: dict[str, str] = {}
        progress: dict[str, ReembeddingProgress] = {}
        failures: dict[str, str] = {}
        releases, names = self.models.release_ids(), self.galleries.names()
        for release in releases:
            known = previous.progress.get(release)
            by_gallery = known.by_gallery if known else {}
            try:
                spaces[release] = previous.spaces.get(release) or self.models.embedding_space(release)
                progress[release] = _total_progress(
                    self.reembed(
                        name, release, spaces[release], has_time, by_gallery.get(name, GalleryProgress())
                    )
                    for name in names
                )
            except VigilError as error:
                failures[release] = str(error)
        retired = dict(previous.retired)
        if all(release in progress and progress[release].is_complete for release in releases):
            retired = self._retire_spaces(names, frozenset(spaces.values()), retired, has_time)
        for name in names:
            pointer = self.people.gallery_pointer(name)
            self.segments.delete_unused_segments(name, pointer.version, pointer.keys)
        return ReembeddingRun(ReembeddingState(spaces, progress, retired), failures)

    def reembed(
        self,
        name: str,
        release: str,
        space: str,
        has_time: Callable[[], bool],
        walk: GalleryProgress,
    ) -> ReembeddingProgress:
        """Add some people of a gallery to it in a release's space.

        Raises ConcurrentUpdate, BrokenRelease, Transient.
        """
        galleries = self.galleries.read(name)
        missing = sorted(galleries.missing_people(space))
        order = walk.order(missing)
        found: dict[str, Sequence[Vector]] = {}
        processed: list[str] = []
        for person in order:
            if not has_time():
                break
            vectors = self._vectors_of(person, release, space)
            if vectors:
                found[person] = vectors
            processed.append(person)
        walk = walk.after(processed, order)
        still_missing = [person for person in missing if person not in found]
        missing_reference = walk.count_processed(still_missing)
        remaining = len(still_missing) - missing_reference
        was_complete = space in galleries.by_space and space not in galleries.incomplete_spaces
        if found or not (remaining or was_complete):
            updated = _with_vectors(galleries, space, found, complete=was_complete or not remaining)
            self.people.replace_gallery(base=galleries.version, gallery=updated, now=self.clock())
        return ReembeddingProgress(len(galleries.person_ids()), missing_reference, remaining, {name: walk})

    def delete_retired_vectors(
        self, space: str, people: Sequence[str], after_person: str, has_time: Callable[[], bool]
    ) -> str | None:
        """Delete a retired space's vectors, person by person; the last person, or None when all are done."""
        for person in people:
            if person > after_person:
                if not has_time():
                    return after_person
                self.photos.delete_vectors(person, space)
                after_person = person
        return None

    def _vectors_of(self, person: str, release: str, space: str) -> list[Vector]:
        """The vectors of a person's photos; photos in which the release finds no face add none."""
        vectors = []
        for photo in self.photos.photos_of(person):
            vector = photo.vectors.get(space)
            if vector is None and photo.reference_image is not None:
                try:
                    vector = self.models.embed_reference(release, photo.reference_image)
                except Rejected:
                    continue
                self.photos.add_vector(person, photo.key, space, vector)
            if vector is not None:
                vectors.append(vector)
        return vectors

    def _retire_spaces(
        self,
        names: Sequence[str],
        used: frozenset[str],
        retired: dict[str, str],
        has_time: Callable[[], bool],
    ) -> dict[str, str]:
        """Remove spaces that are out of use from the galleries, and their vectors person by person."""
        people: list[str] = []
        for name in names:
            galleries = self.galleries.read(name)
            people += galleries.person_ids()
            unused = galleries.by_space.keys() - used
            if unused:
                try:
                    self.people.replace_gallery(
                        base=galleries.version, gallery=galleries.restricted_to(used), now=self.clock()
                    )
                except ConcurrentUpdate:
                    return retired
                retired |= dict.fromkeys(sorted(unused), "")
        people.sort()
        remaining = {
            space: self.delete_retired_vectors(space, people, after_person, has_time)
            for space, after_person in retired.items()
        }
        ended = {space for space, after_person in remaining.items() if after_person is None}
        if ended:
            self.unknown_faces.remove_spaces(ended)
        return {space: after_person for space, after_person in remaining.items() if after_person is not None}


def _total_progress(by_gallery: Iterable[ReembeddingProgress]) -> ReembeddingProgress:
    total = ReembeddingProgress(0, 0, 0)
    for one in by_gallery:
        total = ReembeddingProgress(
            total.people + one.people,
            total.missing_reference + one.missing_reference,
            total.remaining + one.remaining,
            {**total.by_gallery, **one.by_gallery},
        )
    return total


def _with_vectors(
    galleries: GallerySet, space: str, found: Mapping[str, Sequence[Vector]], *, complete: bool
) -> GallerySet:
    gallery = galleries.for_space(space)
    for person, vectors in found.items():
        gallery = gallery.with_person(EnrolledPerson(person, np.stack(vectors), galleries.tags_for(person)))
    return galleries.with_gallery(gallery, complete=complete)
