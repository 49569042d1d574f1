"""What a person says a drop shows: kept beside what a model said, for the next data set."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from vigil.errors import VigilError


class CannotLabel(VigilError):
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
    labelled_by: str
    labelled_at: datetime
    sighting: int | None = None
    predicted_label: str = ""


class DropRecords(Protocol):
    """Where drops are on record."""

    def find_drop(self, drop_id: str) -> Mapping[str, Any] | None:
        """A drop's record. Raises Transient."""


class LabelStore(Protocol):
    """Where labels are kept."""

    def save_label(self, label: Label) -> None:
        """Replaces what was said of the drop before. Raises NotToLabel for who is being erased, Transient."""


def label_drop(
    drop_id: str,
    text: str,
    labelled_by: str,
    labelled_at: datetime,
    *,
    drops: DropRecords,
    labels: LabelStore,
) -> Label:
    """Raises NotToLabel where there is nothing to learn from, or it may not be said."""
    row = drops.find_drop(drop_id)
    if row is None or row.get("state") != "done" or "s3_object" not in row:
        raise CannotLabel(f"{drop_id} is no drop that was looked at and lies on S3")
    result = Label(drop_id, row["model"], row["source"], text, labelled_by, labelled_at)
    labels.save_label(result)
    return result
