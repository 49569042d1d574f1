"""What is dropped: photographs made small, strangers, bad files, and files that kill whoever reads them."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image

from infra.cli.places import PHOTOS
from infra.models.places import PHOTOS as GROUPS

POISON = "poison"

_SIZES = {"obama2.jpg": (313, 600), "biden.jpg": (264, 600)}
_STRANGERS = {"one": (1338, 99, 1783, 634), "two": (738, 310, 1131, 845)}
"""Where two people stand in a group photograph, in pixels."""

_SHARES = {"watched": 7, "known": 4, "stranger-one": 3, "stranger-two": 2, "empty": 1, "torn": 1, "letter": 1}
_SOURCES = {"stranger-one": "vault", "stranger-two": "vault"}
_BULK = 0.2
_POISONED = 30
"""Of so many things, one."""


@dataclass(frozen=True, slots=True)
class Thing:
    """One file to drop: `kind` says what it shows, `name` tells it from all others of a run."""

    kind: str
    lane: str
    name: str
    data: bytes

    def key(self, act: str) -> str:
        """Where it is dropped in one act of the play: the acts have nothing in common."""
        return f"{self.lane}/faces/{_SOURCES.get(self.kind, 'door')}-{act}/{self.name}"


def crowd(drops: int, seed: int) -> list[Thing]:
    """So many things in a random order, which the seed decides; one at least is poisoned."""
    chance = random.Random(seed)  # noqa: S311 - a play, not a secret
    pictures = dict(_pictures())
    poisoned = max(1, drops // _POISONED)
    kinds = chance.choices(list(_SHARES), list(_SHARES.values()), k=drops - poisoned) + [POISON] * poisoned
    chance.shuffle(kinds)
    return [
        Thing(
            kind,
            "bulk" if chance.random() < _BULK else "live",
            f"{number:05}-{kind}.jpg",
            pictures[kind],
        )
        for number, kind in enumerate(kinds)
    ]


def _pictures() -> Iterator[tuple[str, bytes]]:
    obama, biden = (Image.open(PHOTOS / name).convert("RGB").resize(size) for name, size in _SIZES.items())
    watched = _jpeg(obama)
    yield from (("watched", watched), ("known", _jpeg(biden)), (POISON, watched))
    yield from (("empty", b""), ("torn", watched[: len(watched) // 2]), ("letter", b"Dear door,"))
    group = Image.open(GROUPS / "sample1.jpg").convert("RGB")
    for name, place_px in _STRANGERS.items():
        yield f"stranger-{name}", _jpeg(group.crop(place_px))


def _jpeg(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=88)
    return out.getvalue()
