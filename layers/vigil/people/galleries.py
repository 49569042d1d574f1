"""Reads the galleries in force, stores changed ones as snapshots, and repeats concurrent changes."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Protocol, TypeVar

from vigil.errors import ConcurrentUpdate
from vigil.faces.gallery import GallerySet, deserialize_gallery, serialize_gallery
from vigil.people.person import GalleryPointer

MAX_ATTEMPTS = 5
"""Attempts to change the galleries while others change them."""

T = TypeVar("T")


class GalleryReader(Protocol):
    """Reads a gallery in force, consistently. Raises Transient."""

    def read(self, name: str) -> GallerySet: ...


class GalleryListing(GalleryReader, Protocol):
    """Reads the galleries in force, of which it knows the names."""

    def names(self) -> Sequence[str]:
        """The names of all galleries, sorted. Raises Transient."""


class GalleryPointerReader(Protocol):
    """Says which snapshots are in force. All raise Transient."""

    def gallery_names(self) -> Sequence[str]: ...

    def gallery_pointer(self, name: str) -> GalleryPointer:
        """Read consistently; version 0 and no keys before the first enrolment."""


class SnapshotStore(Protocol):
    """Stores snapshots; a snapshot is never changed under its key. Raises Transient."""

    def get_object(self, key: str) -> bytes: ...

    def save_gallery_snapshot(self, gallery: str, version: int, data: bytes) -> str:
        """The new snapshot's key."""


class GalleryRepository:
    """The galleries in all embedding spaces; the last four snapshots that were read stay in memory."""

    def __init__(self, pointers: GalleryPointerReader, snapshots: SnapshotStore) -> None:
        self._pointers = pointers
        self._load = lru_cache(maxsize=4)(lambda key: deserialize_gallery(snapshots.get_object(key)))

    def names(self) -> Sequence[str]:
        return self._pointers.gallery_names()

    def read(self, name: str) -> GallerySet:
        """A gallery in force; empty before the first enrolment. Raises Transient, InvalidSnapshot."""
        pointer = self._pointers.gallery_pointer(name)
        return GallerySet(
            pointer.version,
            {space: self._load(key) for space, key in pointer.snapshot_keys.items()},
            pointer.snapshot_keys,
            pointer.incomplete_spaces,
            name,
        )


def store_changed_galleries(snapshots: SnapshotStore, galleries: GallerySet) -> dict[str, str]:
    """Store what has no snapshot yet of a gallery; the key of each space's snapshot. Raises Transient."""
    return {
        space: galleries.snapshot_keys.get(space)
        or snapshots.save_gallery_snapshot(galleries.name, galleries.version, serialize_gallery(gallery))
        for space, gallery in galleries.by_space.items()
    }


def repeat_concurrent_change(attempt: Callable[[], T]) -> T:
    """Repeat a change of the galleries that another one preceded.

    Raises ConcurrentUpdate if the last attempt does, and whatever else an attempt raises.
    """
    for _ in range(MAX_ATTEMPTS - 1):
        with suppress(ConcurrentUpdate):
            return attempt()
    return attempt()
