"""Deletes a gallery: the erasure of everybody in it begins, then nothing of it is in force."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Protocol

from vigil.faces.gallery import GallerySet
from vigil.people.galleries import GalleryReader, repeat_concurrent_change
from vigil.people.person import ErasureProgress, Person

PEOPLE_AT_ONCE = 16
"""Erasures that begin at once."""


class GalleryRecords(Protocol):
    """The people table. All raise Transient."""

    def people_in(self, gallery: str) -> Iterable[str]:
        """The ids of the people in a gallery whose erasure has not begun, from an index that may be late."""

    def begin_erasure(self, person_id: str, now: datetime) -> Person | None: ...

    def delete_gallery(self, *, base: int, gallery: GallerySet, now: datetime) -> None:
        """Mark version `base` as deleted and put its successor in force. Raises ConcurrentUpdate."""


class ErasureRecords(Protocol):
    """The records of erasures. All raise Transient."""

    def mark_being_erased(self, person: str, now: datetime) -> None: ...

    def begin_progress(self, person: str, now: datetime) -> ErasureProgress: ...


@dataclass(frozen=True, slots=True)
class GalleryErasure:
    """Erasure of whole galleries; the schedule of erasures completes what begins here."""

    records: GalleryRecords
    erasures: ErasureRecords
    galleries: GalleryReader
    clock: Callable[[], datetime]

    def delete_gallery(self, name: str, has_time: Callable[[], bool]) -> bool:
        """Whether the gallery is deleted; if the time ended first, it exists until a further call.

        Raises ConcurrentUpdate, Transient.
        """
        return repeat_concurrent_change(partial(self._attempt, name, has_time))

    def _attempt(self, name: str, has_time: Callable[[], bool]) -> bool:
        """Whoever is enrolled meanwhile changes the version, so that the deletion is repeated."""
        galleries = self.galleries.read(name)
        people = {*galleries.person_ids(), *self.records.people_in(name)}
        with ThreadPoolExecutor(PEOPLE_AT_ONCE) as pool:
            if not all(pool.map(partial(self._begin, has_time), sorted(people))):
                return False
        empty = galleries.restricted_to(())
        self.records.delete_gallery(base=galleries.version, gallery=empty, now=self.clock())
        return True

    def _begin(self, has_time: Callable[[], bool], person_id: str) -> bool:
        """Begin an erasure; False if no time is left."""
        if not has_time():
            return False
        if self.records.begin_erasure(person_id, self.clock()) is not None:
            self.erasures.mark_being_erased(person_id, self.clock())
            self.erasures.begin_progress(person_id, self.clock())
        return True
