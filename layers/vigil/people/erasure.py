"""A person erased: out of the gallery first, then out of every row and object; told what was erased."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from vigil.drops.messages import S3Object
from vigil.errors import ConcurrentUpdate
from vigil.people.enrolment import MAX_ATTEMPTS, Person, PersonNotFound, VersionedGallery
from vigil.people.gallery_pointer import GalleryPointer

G = TypeVar("G", bound=VersionedGallery)
Gallery_contra = TypeVar("Gallery_contra", bound=VersionedGallery, contravariant=True)


class PersonRecords(Protocol[Gallery_contra]):
    """The people table."""

    def begin_erasure(self, person_id: str, now: datetime) -> Person | None:
        """Hold somebody's profile as it is: from now on nobody renames, tags or enrols them."""

    def withdraw_consent(self, person_id: str) -> None:
        """Take back that a person may be learned from."""

    def gallery_pointer(self) -> GalleryPointer:
        """What is in force now."""

    def replace_gallery(self, *, base: int, gallery: Gallery_contra, now: datetime) -> None:
        """Put a gallery in force in place of version `base`. Raises Overtaken."""

    def delete_templates(self, person: Person) -> int:
        """Delete name and templates; how many templates there were."""

    def delete_profile(self, person_id: str) -> None:
        """Delete the profile: the last that there was."""


class PersonData(Protocol):
    """What was seen of a person."""

    def mark_being_erased(self, person: str, now: datetime) -> None:
        """From now on nothing that names them is kept, by whoever has it under way."""

    def save_receipt(self, erased: "ErasureReceipt") -> None:
        """Keep for a day what was erased: whoever erases may die before the answer is heard."""

    def find_receipt(self, person: str) -> "ErasureReceipt | None":
        """What was kept of it, if anything was."""

    def remove_references(self, person: str) -> Iterable[str]:
        """Take the person out of each sighting, alert, label and silence; the kind of each, one by one."""

    def recognised_photos(self, person: str) -> Iterable[S3Object]:
        """The photos in which they were recognised, while the sightings still say so."""

    def delete_cached_answers(self, person: str) -> int:
        """Delete kept answers that name them; how many."""


@dataclass(frozen=True, slots=True)
class ErasureService(Generic[G]):
    """The ports that erasing needs.

    gallery    reads the one in force, consistently
    holds      (gallery, person) -> whether they are in it
    without    (gallery, person) -> the next gallery, in which they are not
    settle     waits until whatever was kept before can be found
    unremember  takes faces out of strangers' sightings that are this person's; how many
    unlearn    takes their items out of every stored data set; how many
    discard    deletes their photos that wait to be enrolled; how many
    snapshots  (version in force, its keys) -> deletes every version of all other snapshots up to it; how many
    shred      deletes one object version for good
    """

    records: PersonRecords[G]
    personal_data: PersonData
    read_gallery: Callable[[], G]
    contains: Callable[[G, str], bool]
    without_person: Callable[[G, str], G]
    wait_for_index: Callable[[], None]
    remove_unknown_faces: Callable[[str], int]
    remove_from_datasets: Callable[[str], int]
    delete_pending_photos: Callable[[str], int]
    delete_snapshots: Callable[[int, Collection[str]], int]
    delete_object_version: Callable[[S3Object], None]
    clock: Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class ErasureReceipt:
    """What was erased: how many of each kind; nothing in it says who it was but the random id."""

    person: str
    erased_at: datetime
    gallery_version: int
    counts: dict[str, int]


def erase_person(person_id: str, service: ErasureService[G]) -> ErasureReceipt:
    """Erase somebody. Raises NobodyThere; done again after a failure, it goes on where it stopped.

    Asked again within a day, it says the same: the answer may have been lost.

    First nothing more can be kept that names them: a lane that matched before the gallery moved commits in
    vain, and looks again. Consent goes before the data sets are searched: what is being stored at this moment
    asks for it again when it is done. The profile goes last: as long as it is there, the work is not done.
    """
    person = service.records.begin_erasure(person_id, service.clock())
    receipt = service.personal_data.find_receipt(person_id)
    if receipt is None:
        if person is None:
            raise PersonNotFound(f"nobody has the id {person_id}")
        receipt = _erase_data(person, service)
        service.personal_data.save_receipt(receipt)
    service.records.delete_profile(person_id)
    return receipt


def _erase_data(person: Person, service: ErasureService[G]) -> ErasureReceipt:
    """All but the profile."""
    person_id = person.id
    service.personal_data.mark_being_erased(person_id, service.clock())
    _remove_from_gallery(person_id, service)
    service.records.withdraw_consent(person_id)
    service.wait_for_index()
    pointer = service.records.gallery_pointer()
    counts = {
        "snapshots": service.delete_snapshots(pointer.version, frozenset(pointer.snapshot_keys.values()))
    }
    counts["photos"] = service.delete_pending_photos(person_id)
    for photo in list(service.personal_data.recognised_photos(person_id)):
        service.delete_object_version(photo)
        counts["photos"] += 1
    for kind in service.personal_data.remove_references(person_id):
        counts[kind] = counts.get(kind, 0) + 1
    counts["examples"] = service.remove_from_datasets(person_id)
    counts["faces"] = service.remove_unknown_faces(person_id)
    counts["answers"] = service.personal_data.delete_cached_answers(person_id)
    counts["templates"] = service.records.delete_templates(person)
    return ErasureReceipt(person_id, service.clock(), pointer.version, counts)


def _remove_from_gallery(person_id: str, service: ErasureService[G]) -> None:
    """Out of the gallery in force; lanes look at it every two seconds."""
    for tries_left in reversed(range(MAX_ATTEMPTS)):
        gallery = service.read_gallery()
        if not service.contains(gallery, person_id):
            return
        smaller = service.without_person(gallery, person_id)
        try:
            service.records.replace_gallery(base=gallery.version, gallery=smaller, now=service.clock())
        except ConcurrentUpdate:
            if not tries_left:
                raise
        else:
            return
