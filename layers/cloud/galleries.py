"""The galleries in force: a row points to a snapshot a space; lanes keep theirs in memory until it moves."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, Generic, TypeVar

from cloud.faults import faults
from cloud.items import fields, item
from vigil.errors import Transient
from vigil.flow.in_force import InForce

_POINTER = item({"pk": "gallery", "sk": "pointer"})

One = TypeVar("One")
"""A gallery of one space."""


class GalleryInForce(Generic[One]):
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
        load: Callable[[str], One],
        empty: One,
        fresh_s: float,
        used: Callable[[float], None] | None = None,
    ) -> None:
        self._client, self._table, self._load, self._fresh_s = client, table, load, fresh_s
        self._space, self._used = space, used
        self._held, self._key, self._looked, self._used_at = empty, "", float("-inf"), 0.0
        self._empty = empty

    def __call__(self) -> One:
        now, behind_s = time.monotonic(), 0.0
        if now - self._looked >= self._fresh_s:
            behind_s = self._look()
            self._looked = now
        if self._used is not None:
            self._used(max(now - self._looked, behind_s))
        self._used_at = time.time()
        return self._held

    def _look(self) -> float:
        """Take what is in force; for how many seconds another was used instead, by the clock on the wall."""
        found = pointed(self._client, self._table)
        key = _key_of(found, self._space)
        if key == self._key:
            return 0.0
        self._held, self._key = (self._load(key) if key else self._empty), key
        return self._used_at - found.since_s


class Unmoved(Transient):
    """Not everybody is in a release's gallery yet; in some minutes they are."""


def pointed(client: Any, table: str) -> InForce:
    """Nothing, version 0, before the first."""
    with faults("read gallery pointer"):
        answer = client.get_item(TableName=table, Key=_POINTER, ConsistentRead=True)
    row = fields(answer.get("Item", {}))
    since = datetime.fromisoformat(row["at"]).timestamp() if row else 0.0
    return InForce(row.get("version", 0), row.get("keys", {}), frozenset(row.get("growing", ())), since)


def _key_of(now: InForce, space: str) -> str:
    """Where the space's gallery lies; "" where nobody was ever enrolled."""
    if now.keys and (space not in now.keys or space in now.growing):
        raise Unmoved(f"people are being enrolled anew for the release of space {space}")
    return now.keys.get(space, "")
