"""Labels that people give to drops, for the next dataset."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from vigil.drops.ledger import DropRecordReader
from vigil.errors import VigilError


class CannotLabel(VigilError):
    """The drop is unknown, not completed or without an S3 object, or the label is a person being erased."""


@dataclass(frozen=True, slots=True)
class Label:
    """What a person states that a drop, or one sighting in it, shows.

    labelled_by      the reviewer's id
    sighting         the sighting's index; None labels the drop as a whole
    predicted_label  the label of the model, including the id of an unknown subject
    """

    drop: str
    model: str
    source: str
    label: str
    labelled_by: str
    labelled_at: datetime
    sighting: int | None = None
    predicted_label: str = ""


class LabelStore(Protocol):
    """Stores labels."""

    def save_label(self, label: Label) -> None:
        """Replace the drop's label. Raises CannotLabel for a person who is being erased, Transient."""


def label_drop(
    drop_id: str,
    text: str,
    labelled_by: str,
    labelled_at: datetime,
    *,
    drops: DropRecordReader,
    labels: LabelStore,
) -> Label:
    """Store what a drop shows. Raises CannotLabel if it is not completed or has no S3 object, Transient."""
    record = drops.read_records([drop_id]).get(drop_id)
    if record is None or record.state != "done" or record.s3_object is None:
        raise CannotLabel(f"drop {drop_id} is not completed or has no S3 object")
    label = Label(drop_id, record.model, record.source, text, labelled_by, labelled_at)
    labels.save_label(label)
    return label
