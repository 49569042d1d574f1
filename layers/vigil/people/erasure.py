"""Erases a person: from the galleries first, then from every row and object."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vigil.drops.messages import S3Object
from vigil.faces.gallery import GallerySet
from vigil.people.galleries import GalleryReader, repeat_concurrent_change
from vigil.people.person import ErasureReceipt, GalleryPointer, Person, PersonNotFound


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

    def remove_references(self, person: str) -> Iterable[str]:
        """Remove the person from each sighting, alert, label and suppression; yields the kind of each."""

    def recognised_photos(self, person: str) -> Iterable[S3Object]:
        """The photos in which they were recognised, while the sightings still refer to them."""

    def delete_cached_answers(self, person: str) -> int:
        """Delete stored API responses that name them; how many."""


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

    def remove_person(self, person: str, now: datetime) -> int:
        """Remove the examples that show a person; how many."""


class PersonObjects(Protocol):
    """The objects of people. All raise Transient."""

    def delete_pending_photos(self, person: str) -> int:
        """Delete every version of photos that wait for enrolment; how many."""

    def delete_other_snapshots(self, gallery: str, version: int, keys: Collection[str]) -> int:
        """Delete every version of a gallery's snapshots up to `version` except these keys; how many."""

    def delete_version(self, item: S3Object) -> None: ...


@dataclass(frozen=True, slots=True)
class ErasureService:
    """Erasure of people.

    Writes that name the person fail first: a lane that matched before the galleries changed cannot store its
    result and repeats the match. Consent is withdrawn before the data sets are searched, because a data set
    that is being stored checks consent again at its end. The profile is deleted last: while it exists, the
    erasure is not complete.

    retention       of sightings
    wait_for_index  returns when all rows that were stored before are in the indexes
    """

    records: PersonRecords
    personal_data: PersonData
    galleries: GalleryReader
    templates: TemplateReader
    unknown_faces: UnknownFaceStore
    datasets: ExampleStore
    objects: PersonObjects
    retention: timedelta
    wait_for_index: Callable[[], None]
    clock: Callable[[], datetime]

    def erase_person(self, person_id: str) -> ErasureReceipt:
        """Erase a person; after a failure, the next call continues. Within a day it returns the same receipt.

        Raises PersonNotFound, ConcurrentUpdate, Transient.
        """
        person = self.records.begin_erasure(person_id, self.clock())
        receipt = self.personal_data.find_receipt(person_id)
        if receipt is None:
            if person is None:
                raise PersonNotFound(f"no person has the id {person_id}")
            receipt = self._erase_data(person)
            self.personal_data.save_receipt(receipt)
        self.records.delete_profile(person_id)
        return receipt

    def _erase_data(self, person: Person) -> ErasureReceipt:
        """Everything but the profile."""
        self.personal_data.mark_being_erased(person.id, self.clock())
        self._remove_from_galleries(person)
        self.records.withdraw_consent(person.id)
        self.wait_for_index()
        pointer = self.records.gallery_pointer(person.gallery)
        keys = frozenset(pointer.snapshot_keys.values())
        counts = {"snapshots": self.objects.delete_other_snapshots(person.gallery, pointer.version, keys)}
        counts["photos"] = self.objects.delete_pending_photos(person.id)
        for photo in list(self.personal_data.recognised_photos(person.id)):
            self.objects.delete_version(photo)
            counts["photos"] += 1
        for kind in self.personal_data.remove_references(person.id):
            counts[kind] = counts.get(kind, 0) + 1
        counts["examples"] = self.datasets.remove_person(person.id, self.clock())
        counts["faces"] = self._remove_unknown_faces(person.id)
        counts["answers"] = self.personal_data.delete_cached_answers(person.id)
        counts["templates"] = self.records.delete_templates(person)
        return ErasureReceipt(person.id, self.clock(), pointer.version, counts)

    def _remove_from_galleries(self, person: Person) -> None:
        repeat_concurrent_change(partial(self._attempt_removal, person))

    def _attempt_removal(self, person: Person) -> None:
        galleries = self.galleries.read(person.gallery)
        if galleries.contains_person(person.id):
            updated = galleries.apply(lambda one: one.without_person(person.id))
            self.records.replace_gallery(base=galleries.version, gallery=updated, now=self.clock())

    def _remove_unknown_faces(self, person_id: str) -> int:
        """Sightings of the person from before the enrolment."""
        vectors = self.templates.vectors(person_id)
        removed, cursor = self.unknown_faces.remove_matching(vectors, {})
        while cursor:
            number, cursor = self.unknown_faces.remove_matching(vectors, cursor)
            removed += number
        return removed
