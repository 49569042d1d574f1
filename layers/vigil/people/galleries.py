"""Reads the galleries in force, stores their changed segments, and repeats concurrent changes."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Protocol, TypeVar
from weakref import WeakValueDictionary

from vigil.errors import ConcurrentUpdate
from vigil.faces.gallery import Gallery, GallerySet
from vigil.faces.segments import GallerySegment, InvalidSnapshot, deserialize_segment, serialize_segment
from vigil.people.person import GalleryPointer

MAX_ATTEMPTS = 5
"""Attempts to change the galleries while others change them."""

PARALLEL_READS = 8
"""Segments that are read from the store at once."""

T = TypeVar("T")


class GalleryReader(Protocol):
    """Reads a gallery in force, consistently. Raises Transient."""

    def read(self, name: str) -> GallerySet: ...


class GalleryListing(GalleryReader, Protocol):
    """Reads the galleries in force, of which it knows the names."""

    def names(self) -> Sequence[str]:
        """The names of all galleries, sorted. Raises Transient."""


class GalleryPointerReader(Protocol):
    """Says which segments are in force. All raise Transient."""

    def gallery_names(self) -> Sequence[str]: ...

    def gallery_pointer(self, name: str) -> GalleryPointer:
        """Read consistently; version 0 and no keys before the first enrolment."""


class SegmentReader(Protocol):
    """Reads segments; a segment is never changed under its key. Raises Transient."""

    def get_object(self, key: str) -> bytes: ...


class SegmentStore(Protocol):
    """Stores segments. Raises Transient."""

    def save_gallery_segment(self, gallery: str, version: int, data: bytes) -> str:
        """The new segment's key."""


class GalleryRepository:
    """The galleries in force; segments that are in use stay in memory, once."""

    def __init__(self, pointers: GalleryPointerReader, segments: SegmentReader) -> None:
        self._pointers, self._segments = pointers, segments
        self._loaded: WeakValueDictionary[str, GallerySegment] = WeakValueDictionary()
        self._last_read: dict[str, GallerySet] = {}

    def names(self) -> Sequence[str]:
        return self._pointers.gallery_names()

    def read(self, name: str) -> GallerySet:
        """A gallery in force; empty before the first enrolment. Raises Transient, InvalidSnapshot."""
        pointer = self._pointers.gallery_pointer(name)
        by_space = {space: self.load(space, keys) for space, keys in pointer.segment_keys.items()}
        self._last_read[name] = GallerySet(pointer.version, by_space, pointer.incomplete_spaces, name)
        return self._last_read[name]

    def load(self, space: str, keys: Sequence[str]) -> Gallery:
        """The gallery of these segments, which are read in parallel. Raises Transient, InvalidSnapshot."""
        with ThreadPoolExecutor(PARALLEL_READS) as pool:
            return Gallery(space, tuple(pool.map(partial(self._load_segment, space), keys)))

    def _load_segment(self, space: str, key: str) -> GallerySegment:
        segment = self._loaded.get(key)
        if segment is None:
            stored_space, segment = deserialize_segment(self._segments.get_object(key), key)
            if stored_space != space:
                raise InvalidSnapshot(f"{key} is of embedding space {stored_space}, not of {space}")
            self._loaded[key] = segment
        return segment


def store_changed_segments(store: SegmentStore, galleries: GallerySet) -> dict[str, tuple[str, ...]]:
    """Store the segments that are not stored yet; the keys of all segments by space. Raises Transient."""
    return {
        space: tuple(
            segment.key
            or store.save_gallery_segment(
                galleries.name, galleries.version, serialize_segment(segment, space)
            )
            for segment in gallery.segments
        )
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
