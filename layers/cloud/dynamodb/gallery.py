"""The gallery in force: a row of the people table points to the snapshots."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, Generic, TypeVar

from cloud.dynamodb.attributes import from_item, to_item
from cloud.errors import translate_errors
from vigil.errors import Transient
from vigil.people.gallery_pointer import GalleryPointer

_GALLERY_POINTER_KEY = to_item({"pk": "gallery", "sk": "pointer"})


GalleryT = TypeVar("GalleryT")
"""A gallery of one space."""


class CachedGallery(Generic[GalleryT]):
    """Reads the gallery that the pointer names for one space, and keeps it in memory until that moves.

    Raises Unmoved while that is not whole: whoever is not in it yet would be a stranger.

    fresh_s  seconds for which a look at the pointer is good; 0 looks every time
    used     told at each use for how many seconds the gallery may have been out of date, or was: since the
             last look; where a look finds another one, from when that was put in force to the last use
    """

    def __init__(
        self,
        client: Any,
        table: str,
        *,
        space: str,
        load: Callable[[str], GalleryT],
        empty: GalleryT,
        max_age_s: float,
        on_use: Callable[[float], None] | None = None,
    ) -> None:
        self._client, self._table, self._load, self._max_age_s = client, table, load, max_age_s
        self._space, self._on_use = space, on_use
        self._gallery, self._key, self._checked_at, self._used_at = empty, "", float("-inf"), 0.0
        self._empty = empty

    def __call__(self) -> GalleryT:
        now, behind_s = time.monotonic(), 0.0
        if now - self._checked_at >= self._max_age_s:
            behind_s = self._refresh()
            self._checked_at = now
        if self._on_use is not None:
            self._on_use(max(now - self._checked_at, behind_s))
        self._used_at = time.time()
        return self._gallery

    def _refresh(self) -> float:
        """Take what is in force; for how many seconds another was used instead, by the clock on the wall."""
        pointer = read_gallery_pointer(self._client, self._table)
        key = _snapshot_key(pointer, self._space)
        if key == self._key:
            return 0.0
        self._gallery, self._key = (self._load(key) if key else self._empty), key
        return self._used_at - pointer.active_since_s


class GalleryIncomplete(Transient):
    """The gallery for this embedding space is still being built; a retry some minutes later succeeds."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail, dependency="people", operation="read gallery")


def read_gallery_pointer(client: Any, table: str) -> GalleryPointer:
    """Nothing, version 0, before the first."""
    with translate_errors("people", "read gallery pointer"):
        response = client.get_item(TableName=table, Key=_GALLERY_POINTER_KEY, ConsistentRead=True)
    row = from_item(response.get("Item", {}))
    since = datetime.fromisoformat(row["at"]).timestamp() if row else 0.0
    return GalleryPointer(
        row.get("version", 0), row.get("keys", {}), frozenset(row.get("incomplete_spaces", ())), since
    )


def _snapshot_key(pointer: GalleryPointer, space: str) -> str:
    """Where the space's gallery lies; "" where nobody was ever enrolled."""
    if pointer.snapshot_keys and (space not in pointer.snapshot_keys or space in pointer.incomplete_spaces):
        raise GalleryIncomplete(f"people are being enrolled anew for the release of space {space}")
    return pointer.snapshot_keys.get(space, "")
