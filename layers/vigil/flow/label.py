"""What a person says a drop shows: kept beside what a model said, for the next data set."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from vigil.errors import VigilError


class NotToLabel(VigilError):
    """There is no such drop, nothing was seen in it, or the label is somebody who is being erased."""


@dataclass(frozen=True, slots=True)
class Label:
    """What somebody said of a drop, or of one sighting in it.

    by        the reviewer's id
    sighting  its number; None: of the drop as a whole
    taken_for whom or what the sighting was taken for, a stranger's name within a window too
    """

    drop: str
    model: str
    source: str
    label: str
    by: str
    at: datetime
    sighting: int | None = None
    taken_for: str = ""


class Drops(Protocol):
    """Where drops are on record."""

    def drop(self, drop: str) -> Mapping[str, Any] | None:
        """A drop's record. Raises Transient."""


class Labels(Protocol):
    """Where labels are kept."""

    def keep(self, label: Label) -> None:
        """Replaces what was said of the drop before. Raises NotToLabel for who is being erased, Transient."""


def label(drop: str, text: str, by: str, at: datetime, *, drops: Drops, labels: Labels) -> Label:
    """Raises NotToLabel where there is nothing to learn from, or it may not be said."""
    row = drops.drop(drop)
    if row is None or row.get("state") != "done" or "origin" not in row:
        raise NotToLabel(f"{drop} is no drop that was looked at and lies on S3")
    made = Label(drop, row["model"], row["taken_from"], text, by, at)
    labels.keep(made)
    return made
