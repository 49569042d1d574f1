"""A label and the drop that it is of become an example: first whether it may be used, only then its bytes."""

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import PurePosixPath

from PIL import Image

from vigil.drops import Object
from vigil.errors import Rejected
from vigil.flow.label import Label
from vigil.learn.consent import Policy, consented, is_person, people_in
from vigil.learn.example import Example
from vigil.learn.phash import perceptual_hash
from vigil.learn.views import cut, described
from vigil.predict.card import Accepts
from vigil.predict.decode import decode
from vigil.seeing import Sighting

MOST_BYTES = 10_000_000
ACCEPTS = Accepts(
    frozenset({".jpg", ".jpeg", ".png", ".webp"}), ("JPEG", "PNG", "WEBP"), MOST_BYTES, 40_000_000, 128
)


@dataclass(frozen=True, slots=True)
class Taken:
    """A drop on record: where it lies, what was seen in it, until when it may be kept."""

    where: Object
    seen: tuple[Sighting, ...]
    keep_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Register:
    """Where it is asked what may be used.

    drop    a drop's record; None where it is gone
    policy  what of a source may be learned from
    agrees  whether a person consented; None where there is nobody of that id any more
    fetch   a dropped object's bytes; Rejected where it is gone
    """

    drop: Callable[[str], Taken | None]
    policy: Callable[[str], Policy]
    agrees: Callable[[str], bool | None]
    fetch: Callable[[Object, int], bytes]

    def erased(self, people: Sequence[str]) -> frozenset[str]:
        """Those of whom nothing is known any more."""
        return frozenset(person for person in people if self.agrees(person) is None)


def claimed(label: Label, drop: Taken, register: Register) -> Example:
    """What a label says of a drop, without a byte of the picture."""
    seen = _meant(label, drop)
    people = people_in([label.label, label.taken_for, *(one.label for one in seen)])
    subject = label.label if is_person(label.label) else label.taken_for
    return Example(
        object=drop.where.key,
        sha256="",
        label=label.label,
        group=subject or label.drop,
        labelled_by=label.by,
        labelled_at=label.at,
        consented=consented(
            register.policy(label.source), seen, people, lambda one: bool(register.agrees(one))
        ),
        people=people,
        keep_until=drop.keep_until,
        slices={"source": label.source},
    )


def pictured(
    example: Example, label: Label, drop: Taken, fetch: Callable[[Object, int], bytes]
) -> tuple[Example, bytes] | None:
    """The example with its picture; None where that is gone: its time was up, or somebody was erased."""
    try:
        data, suffix = _bytes(label, drop, fetch)
    except Rejected:
        return None
    digest = hashlib.sha256(data).hexdigest()
    image = Image.open(io.BytesIO(data))
    qualities = [one.quality for one in _meant(label, drop) if one.quality is not None]
    made = replace(
        example,
        object=f"{digest[:32]}{suffix}",
        sha256=digest,
        phash=perceptual_hash(image),
        slices={**example.slices, **described(image, qualities)},
    )
    return made, data


def _meant(label: Label, drop: Taken) -> tuple[Sighting, ...]:
    """The sightings that a label is about."""
    if label.sighting is None:
        return drop.seen
    return drop.seen[label.sighting : label.sighting + 1]


def _bytes(label: Label, drop: Taken, fetch: Callable[[Object, int], bytes]) -> tuple[bytes, str]:
    """The whole picture; of one sighting only what lies in its box, so that nobody else is copied."""
    data = fetch(drop.where, MOST_BYTES)
    suffix = PurePosixPath(drop.where.key).suffix.lower()
    box = next((one.box_px for one in _meant(label, drop) if label.sighting is not None), None)
    if box is None:
        return data, suffix
    return cut(decode(data, ACCEPTS).image, box), ".png"
