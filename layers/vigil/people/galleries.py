"""Reads the galleries in force, stores changed galleries as snapshots, and repeats concurrent changes."""

from collections.abc import Callable
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
    """Reads the galleries in force, consistently. Raises Transient."""

    def read(self) -> GallerySet: ...


class GalleryPointerReader(Protocol):
    """Says which snapshots are in force."""

    def gallery_pointer(self) -> GalleryPointer:
        """Read consistently; version 0 and no keys before the first enrolment. Raises Transient."""


class SnapshotStore(Protocol):
    """Stores snapshots; a snapshot is never changed under its key. Raises Transient."""

    def get_object(self, key: str) -> bytes: ...

    def save_gallery_snapshot(self, version: int, data: bytes) -> str:
        """The new snapshot's key."""


class GalleryRepository:
    """The galleries of all embedding spaces; the last four that were read stay in memory."""

    def __init__(self, pointers: GalleryPointerReader, snapshots: SnapshotStore) -> None:
        self._pointers = pointers
        self._load = lru_cache(maxsize=4)(lambda key: deserialize_gallery(snapshots.get_object(key)))

    def read(self) -> GallerySet:
        """The galleries in force. Raises Transient, InvalidSnapshot."""
        pointer = self._pointers.gallery_pointer()
        return GallerySet(
            pointer.version,
            {space: self._load(key) for space, key in pointer.snapshot_keys.items()},
            pointer.snapshot_keys,
            pointer.incomplete_spaces,
        )


def store_changed_galleries(snapshots: SnapshotStore, galleries: GallerySet) -> dict[str, str]:
    """Store the galleries that have no snapshot yet; the key of each space's snapshot. Raises Transient."""
    return {
        space: galleries.snapshot_keys.get(space)
        or snapshots.save_gallery_snapshot(galleries.version, serialize_gallery(gallery))
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
