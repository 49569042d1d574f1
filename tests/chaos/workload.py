"""The inputs: small photographs, unknown faces, invalid files, garbage from one source, and poison files that
end their worker."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image

from models.build.files import PHOTOS as GROUPS
from vigil_cli.paths import PHOTOS

POISON, GARBAGE = "poison", "garbage"

_PHOTO_SIZES = {"obama2.jpg": (313, 600), "biden.jpg": (264, 600)}
_UNKNOWN_FACE_BOXES_PX = {"one": (1338, 99, 1783, 634), "two": (738, 310, 1131, 845)}
"""Boxes of two people in a group photograph, in pixels."""

_KIND_WEIGHTS = {
    "watched": 7,
    "known": 4,
    "stranger-one": 3,
    "stranger-two": 2,
    "empty": 1,
    "truncated": 1,
    "text": 1,
}
_SOURCE_BY_KIND = {"stranger-one": "vault", "stranger-two": "vault", GARBAGE: "broken"}
_BULK_SHARE = 0.2
_POISON_ONE_IN = 30
"""One input in this many is poison."""
_GARBAGE_ONE_IN = 8
"""For so many inputs, one thin picture more arrives; all of them arrive at once, from one broken source."""


@dataclass(frozen=True, slots=True)
class Input:
    """One file to upload: `kind` is what it shows, `name` is unique in a run."""

    kind: str
    lane: str
    name: str
    data: bytes

    def object_key(self, phase: str) -> str:
        """The object key of a phase; phases share no source."""
        return f"{self.lane}/faces/{_SOURCE_BY_KIND.get(self.kind, 'door')}-{phase}/{self.name}"


def workload(drops: int, seed: int) -> list[Input]:
    """Return inputs in an order that follows from the seed; at least one is poison."""
    rng = random.Random(seed)
    data_by_kind = dict(_data_by_kind())
    poison_count = max(1, drops // _POISON_ONE_IN)
    kinds = (
        rng.choices(list(_KIND_WEIGHTS), list(_KIND_WEIGHTS.values()), k=drops - poison_count)
        + [POISON] * poison_count
    )
    rng.shuffle(kinds)
    garbage = [
        Input(GARBAGE, "live", f"{number:05}-{GARBAGE}.jpg", thin_picture())
        for number in range(drops, drops + drops // _GARBAGE_ONE_IN)
    ]
    others = [
        Input(
            kind,
            "bulk" if rng.random() < _BULK_SHARE else "live",
            f"{number:05}-{kind}.jpg",
            data_by_kind[kind],
        )
        for number, kind in enumerate(kinds)
    ]
    return [*others[: drops // 3], *garbage, *others[drops // 3 :]]


def thin_picture() -> bytes:
    """A JPEG of one row, which Pillow's `draft` cannot scale."""
    return _encode_jpeg(Image.new("RGB", (8000, 1)))


def _data_by_kind() -> Iterator[tuple[str, bytes]]:
    obama, biden = (
        Image.open(PHOTOS / name).convert("RGB").resize(size) for name, size in _PHOTO_SIZES.items()
    )
    watched = _encode_jpeg(obama)
    yield from (("watched", watched), ("known", _encode_jpeg(biden)), (POISON, watched))
    yield from (("empty", b""), ("truncated", watched[: len(watched) // 2]), ("text", b"Dear door,"))
    group = Image.open(GROUPS / "sample1.jpg").convert("RGB")
    for name, box_px in _UNKNOWN_FACE_BOXES_PX.items():
        yield f"stranger-{name}", _encode_jpeg(group.crop(box_px))


def _encode_jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=88)
    return buffer.getvalue()
