"""The rows that name the galleries and the releases in use, and the caches in which lanes hold them."""

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from cloud.dynamodb.queries import Table
from cloud.dynamodb.schema import GALLERY_POINTER, POINTERS
from cloud.polling_cache import PollingCache
from vigil.errors import Transient
from vigil.people.person import GalleryPointer
from vigil.releases.lifecycle import ReleasePointers

MAX_CACHED_MODELS = 100
"""Object keys name models, so any writer of objects can invent names: the cache has a limit."""

GalleryT = TypeVar("GalleryT")
"""A gallery of one embedding space."""


class GalleryIncomplete(Transient):
    """The gallery for this embedding space is still being built; a retry some minutes later succeeds."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail, dependency="people", operation="read gallery")


class CachedGallery(PollingCache[GalleryT]):
    """A gallery in one embedding space, as its pointer row names it. Raises GalleryIncomplete.

    An incomplete gallery is never used, because people who are missing in it would count as unknown. If a
    segment cannot be read because the next version replaced it meanwhile, the next version is read.

    load    reads the gallery from the keys of its segments; raises InvalidConfiguration
    empty   the gallery before the first enrolment
    on_use  is called at each use with the age of the gallery in seconds: the time since the pointer was read;
            when the pointer has moved, the time from its change to the last use of the gallery before
    """

    def __init__(
        self,
        client: Any,
        table: str,
        *,
        name: str,
        space: str,
        load: Callable[[tuple[str, ...]], GalleryT],
        empty: GalleryT,
        max_age_s: float,
        on_use: Callable[[float], None] | None = None,
        on_invalid: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__(empty, max_age_s=max_age_s, on_invalid=on_invalid)
        self._rows, self._name, self._space = Table(client, table, "people"), name, space
        self._load, self._empty, self._on_use = load, empty, on_use
        self._keys: tuple[str, ...] = ()
        self._used_at_s, self._outdated_s = 0.0, 0.0

    def __call__(self) -> GalleryT:
        self._outdated_s = 0.0
        gallery = super().__call__()
        if self._on_use is not None:
            self._on_use(max(self._age_s, self._outdated_s))
        self._used_at_s = time.time()
        return gallery

    def _read(self) -> GalleryT:
        pointer = read_gallery_pointer(self._rows, self._name)
        keys = _segment_keys(pointer, self._space)
        if keys == self._keys:
            return self._value
        try:
            gallery = self._load(keys) if keys else self._empty
        except Transient:
            if read_gallery_pointer(self._rows, self._name).version == pointer.version:
                raise
            return self._read()
        self._keys, self._outdated_s = keys, self._used_at_s - pointer.active_since_s
        return gallery


def read_gallery_pointer(rows: Table, name: str) -> GalleryPointer:
    """A gallery's pointer; before the first enrolment, version 0 without segments."""
    row = rows.get(GALLERY_POINTER.key(gallery=name), "read gallery pointer")
    if row is None:
        return GalleryPointer(0, {}, frozenset(), 0.0)
    since_s = datetime.fromisoformat(row["at"]).timestamp()
    keys = {space: tuple(in_space) for space, in_space in row["keys"].items()}
    return GalleryPointer(row["version"], keys, frozenset(row["incomplete_spaces"]), since_s)


def _segment_keys(pointer: GalleryPointer, space: str) -> tuple[str, ...]:
    """The keys of the space's segments; none before the first enrolment."""
    if pointer.segment_keys and (space not in pointer.segment_keys or space in pointer.incomplete_spaces):
        raise GalleryIncomplete(f"people are not all enrolled in embedding space {space} yet")
    return pointer.segment_keys.get(space, ())


class CachedPointers:
    """The release pointers of each model; if the table does not answer, the last ones known."""

    def __init__(self, client: Any, table: str, *, max_age_s: float) -> None:
        self._rows, self._max_age_s = Table(client, table), max_age_s
        self._by_model: dict[str, _ModelPointers] = {}

    def __call__(self, model: str) -> ReleasePointers:
        if model not in self._by_model:
            if len(self._by_model) >= MAX_CACHED_MODELS:
                self._by_model.clear()
            self._by_model[model] = _ModelPointers(self._rows, model, self._max_age_s)
        return self._by_model[model]()


class _ModelPointers(PollingCache[ReleasePointers]):
    def __init__(self, rows: Table, model: str, max_age_s: float) -> None:
        super().__init__(ReleasePointers(), max_age_s=max_age_s)
        self._rows, self._model = rows, model

    def _read(self) -> ReleasePointers:
        try:
            return pointers_from_row(read_pointers_row(self._rows, self._model))
        except Transient:
            return self._value


def read_pointers_row(rows: Table, model: str) -> dict[str, Any]:
    """The row of a model's pointers; empty if there is none."""
    return rows.get(POINTERS.key(model=model), "read release pointers") or {}


def pointers_from_row(row: Mapping[str, Any]) -> ReleasePointers:
    return msgspec.convert(row, ReleasePointers)
