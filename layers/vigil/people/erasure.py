"""Erases a person: from the galleries first, then from every row and object."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vigil.drops.messages import S3Object
from vigil.errors import ConcurrentUpdate
from vigil.faces.gallery import GallerySet
from vigil.people.galleries import GalleryReader, repeat_concurrent_change
from vigil.people.person import (
    ERASURE_STEPS,
    DropReferences,
    ErasureProgress,
    ErasureReceipt,
    ErasureStep,
    GalleryPointer,
    Person,
    PersonNotFound,
)


class PersonRecords(Protocol):
    """The people table. All raise Transient."""

    def begin_erasure(self, person_id: str, now: datetime) -> Person | None:
        """Mark a profile: from now on every change of it fails. None if there is no profile."""

    def withdraw_consent(self, person_id: str) -> None:
        """Remove the consent to training."""

    def gallery_pointer(self, name: str) -> GalleryPointer: ...

    def replace_gallery(self, *, base: int, gallery: GallerySet, now: datetime) -> None:
        """Put galleries in force in place of version `base`. Raises ConcurrentUpdate."""

    def delete_templates(self, person: Person) -> int:
        """Delete the name and the templates; the number of templates."""

    def delete_profile(self, person_id: str) -> None: ...


class PersonData(Protocol):
    """The records of sightings. All raise Transient."""

    def mark_being_erased(self, person: str, now: datetime) -> None:
        """From now on every write that names the person fails."""

    def save_receipt(self, erased: ErasureReceipt) -> None:
        """Store the receipt for a day, in case the response is lost."""

    def find_receipt(self, person: str) -> ErasureReceipt | None: ...

    def begin_progress(self, person: str, now: datetime) -> ErasureProgress:
        """The stored progress, or a new one at the first step."""

    def unfinished_erasures(self, now: datetime) -> Sequence[ErasureProgress]:
        """Those that no other run is at work on."""

    def advance(
        self,
        progress: ErasureProgress,
        *,
        step: ErasureStep,
        cursor: Mapping[str, str],
        counts: Mapping[str, int],
        now: datetime,
    ) -> ErasureProgress:
        """Store where to continue and add to the counts. Raises ConcurrentUpdate if it is complete."""

    def delete_progress(self, person: str) -> None: ...

    def references(
        self, person: str, cursor: Mapping[str, str]
    ) -> tuple[Sequence[DropReferences], Mapping[str, str]]:
        """The drops of one page of rows about the person, and the next cursor."""

    def remove_references(self, person: str, found: DropReferences, now: datetime) -> None:
        """Remove the person from the rows of a drop, and count that, at once. Raises ConcurrentUpdate."""

    def delete_cached_answers(
        self, person: Person, cursor: Mapping[str, str]
    ) -> tuple[int, Mapping[str, str]]:
        """Delete stored API responses of one page that name them; how many, and the next cursor."""


class TemplateReader(Protocol):
    """Reads templates. Raises Transient."""

    def vectors(self, person: str) -> Mapping[str, NDArray[np.float32]]:
        """By embedding space, (n, D) float32, unit rows."""


class UnknownFaceStore(Protocol):
    """The stored faces of unknown subjects. Raises Transient."""

    def remove_matching(
        self, vectors: Mapping[str, NDArray[np.float32]], cursor: Mapping[str, str]
    ) -> tuple[int, Mapping[str, str]]:
        """Delete the faces of one page that match one of these vectors; how many, and the next cursor.

        The cursor is empty at the beginning and at the end.
        """


class ExampleStore(Protocol):
    """The stored data sets. Raises Transient."""

    def remove_person(self, person: str, now: datetime) -> tuple[int, tuple[str, ...]]:
        """Remove the examples that show a person; how many, and the data sets that cannot be read."""


class PersonObjects(Protocol):
    """The objects of people. All raise Transient."""

    def delete_pending_photos(self, person: str) -> int:
        """Delete every version of photos that wait for enrolment; how many."""

    def delete_unused_segments(self, gallery: str, version: int, keys: Collection[str]) -> int:
        """Delete every version of a gallery's segments up to `version` except these keys; how many."""

    def delete_photo(self, item: S3Object) -> None:
        """Delete one version of a photo, or all if the version is not known."""


@dataclass(frozen=True, slots=True)
class ErasureService:
    """Erasure of people, in steps that any number of runs share: each run continues where the last one ended.

    Writes that name the person fail first: a lane that matched before the galleries changed cannot store its
    result and repeats the match. Consent is withdrawn before the data sets are searched, because a data set
    that is being stored checks consent again at its end. The profile is deleted last: while it exists, the
    erasure is not complete.

    wait_for_index  returns when all rows that were stored before are in the indexes
    """

    records: PersonRecords
    personal_data: PersonData
    galleries: GalleryReader
    templates: TemplateReader
    unknown_faces: UnknownFaceStore
    datasets: ExampleStore
    objects: PersonObjects
    wait_for_index: Callable[[], None]
    clock: Callable[[], datetime]

    def erase_person(self, person_id: str, has_time: Callable[[], bool]) -> ErasureReceipt | ErasureProgress:
        """Erase a person, or a part of what is stored: the next call continues.

        Within a day after the end it returns the same receipt. Raises PersonNotFound, ConcurrentUpdate,
        Transient.
        """
        person = self.records.begin_erasure(person_id, self.clock())
        receipt = self.personal_data.find_receipt(person_id)
        if receipt is None:
            if person is None:
                self.personal_data.delete_progress(person_id)
                raise PersonNotFound(f"no person has the id {person_id}")
            self.personal_data.mark_being_erased(person_id, self.clock())
            progress = self.personal_data.begin_progress(person_id, self.clock())
            while progress.step != "receipt":
                if not has_time():
                    return progress
                progress = self._take_step(person, progress)
            receipt = ErasureReceipt(
                person_id,
                self.clock(),
                progress.gallery_version,
                dict(progress.counts),
                progress.unreadable_datasets,
            )
            self.personal_data.save_receipt(receipt)
        self.records.delete_profile(person_id)
        self.personal_data.delete_progress(person_id)
        return receipt

    def continue_erasures(self, has_time: Callable[[], bool]) -> int:
        """Continue every erasure that is not complete; how many are complete now."""
        completed = 0
        for progress in self.personal_data.unfinished_erasures(self.clock()):
            if has_time():
                with suppress(PersonNotFound, ConcurrentUpdate):
                    completed += isinstance(self.erase_person(progress.person, has_time), ErasureReceipt)
        return completed

    def _take_step(self, person: Person, progress: ErasureProgress) -> ErasureProgress:
        """One page of the step that the progress names; after its last page the next step begins."""
        version, unreadable = progress.gallery_version, progress.unreadable_datasets
        counts: dict[str, int] = {}
        cursor: Mapping[str, str] = {}
        match progress.step:
            case "galleries":
                counts, version = self._erase_from_galleries(person)
            case "references":
                cursor = self._remove_references(person, progress.cursor)
            case "examples":
                counts["examples"], unreadable = self.datasets.remove_person(person.id, self.clock())
            case "faces":
                vectors = self.templates.vectors(person.id)
                counts["faces"], cursor = self.unknown_faces.remove_matching(vectors, progress.cursor)
            case "answers":
                counts["answers"], cursor = self.personal_data.delete_cached_answers(person, progress.cursor)
            case "templates":
                counts["templates"] = self.records.delete_templates(person)
        step = progress.step if cursor else ERASURE_STEPS[ERASURE_STEPS.index(progress.step) + 1]
        return self.personal_data.advance(
            replace(progress, gallery_version=version, unreadable_datasets=unreadable),
            step=step,
            cursor=cursor,
            counts=counts,
            now=self.clock(),
        )

    def _erase_from_galleries(self, person: Person) -> tuple[dict[str, int], int]:
        """The counts, and the version of the gallery without the person."""
        repeat_concurrent_change(partial(self._attempt_removal, person))
        self.records.withdraw_consent(person.id)
        self.wait_for_index()
        pointer = self.records.gallery_pointer(person.gallery)
        snapshots = self.objects.delete_unused_segments(person.gallery, pointer.version, pointer.keys)
        pending = self.objects.delete_pending_photos(person.id)
        return {"snapshots": snapshots, "photos": pending}, pointer.version

    def _remove_references(self, person: Person, cursor: Mapping[str, str]) -> Mapping[str, str]:
        """One page of the drops that name the person, each after its photo, and its clip, was deleted."""
        found, following = self.personal_data.references(person.id, cursor)
        for drop in found:
            if drop.photo is not None:
                self.objects.delete_photo(drop.photo)
            if drop.clip is not None:
                self.objects.delete_photo(drop.clip[1])
            self.personal_data.remove_references(person.id, drop, self.clock())
        return following

    def _attempt_removal(self, person: Person) -> None:
        """A new version also if the gallery lacks the person: no change that began before can be committed.

        So a segment that an interrupted enrolment left is deleted with the other unused ones.
        """
        galleries = self.galleries.read(person.gallery)
        updated = galleries.apply(lambda one: one.without_person(person.id))
        self.records.replace_gallery(base=galleries.version, gallery=updated, now=self.clock())
