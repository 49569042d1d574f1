"""Where the snapshots of the gallery are that is in force."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class GalleryPointer:
    """What the pointer says: version, key of the snapshot by space, and the spaces that are not whole yet.

    since_s  when it was put in force, in seconds since 1970
    """

    version: int = 0
    snapshot_keys: Mapping[str, str] = field(default_factory=dict)
    incomplete_spaces: frozenset[str] = frozenset()
    active_since_s: float = 0.0
