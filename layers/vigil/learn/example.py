"""One labelled thing that may go into a data set: where it lies, what it shows, who said so, if we may."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Example:
    """A reviewed sighting or a corrected prediction.

    object       key of the file, relative to the data set's folder
    sha256       of its bytes, in hex: the same bytes are one example
    group        whom or what it shows: a person, a patient, a recording session. Never split in two
    labelled_by  the reviewer's id
    consented    whether its subject lets it be learned from
    people       ids of everybody enrolled who is in it, the subject among them
    keep_until   when it must be gone; None where the law sets no end
    phash        perceptual hash; None for what is no picture
    slices       to measure by: {"source": "door", "lighting": "dark"}
    """

    object: str
    sha256: str
    label: str
    group: str
    labelled_by: str
    labelled_at: datetime
    consented: bool
    people: tuple[str, ...] = ()
    keep_until: datetime | None = None
    phash: int | None = None
    slices: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entry:
    """An example and the split that it fell into: one line of a manifest."""

    object: str
    sha256: str
    label: str
    split: Split
    group: str
    labelled_by: str
    labelled_at: datetime
    slices: Mapping[str, str] = field(default_factory=dict)
    people: tuple[str, ...] = ()
    keep_until: datetime | None = None
