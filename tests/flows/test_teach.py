"""Labelled drops become a data set once; what is gone is left out, what lacks a split is refused."""

import io
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from PIL import Image

from tests.memory import NOON
from vigil.drops import Object
from vigil.errors import ObjectGone
from vigil.flow.label import Label, NotToLabel, label
from vigil.flow.teach import School, TooLittle, publish, reviewed
from vigil.learn.dataset import Terms

TERMS = Terms(validation=0.25, test=0.25, near_bits=0)


@dataclass
class Books:
    """Port Library, in memory; it counts what is put."""

    held: dict[str, bytes] = field(default_factory=dict)
    puts: int = 0

    def has(self, key: str) -> bool:
        return key in self.held

    def put(self, key: str, data: bytes) -> None:
        self.held[key] = data
        self.puts += 1

    def get(self, key: str) -> bytes:
        return self.held[key]


def picture(number: int) -> bytes:
    packed = io.BytesIO()
    noise = np.random.default_rng(number).integers(0, 255, (8, 8)).astype(np.uint8)
    Image.fromarray(noise).save(packed, "PNG")
    return packed.getvalue()


def fetch(where: Object, most: int) -> bytes:
    number = int(where.key.removesuffix(".png"))
    if number == 0:
        raise ObjectGone("deleted before it was read")
    return picture(number)


LABELS = [Label(f"d{n}", "digits", "door", "ab"[n % 2], "reviewer", NOON) for n in range(60)]


def school() -> School:
    return School(Books(), fetch, lambda drop: Object("photos", f"{drop[1:]}.png", "v"))


def test_a_data_set_is_stored_whole_with_who_said_what():
    here = school()

    data = publish("digits", LABELS, TERMS, here, now=NOON)

    assert len(data.entries) == 59
    assert not data.gaps
    held_out = reviewed("digits", data.id, here.library)
    assert {entry.labelled_by for entry, _ in held_out} == {"reviewer"}
    assert len(held_out) == len(data.split("test"))


def test_the_same_labels_are_the_same_data_set_and_are_stored_once():
    here = school()
    first = publish("digits", LABELS, TERMS, here, now=NOON)
    assert isinstance(here.library, Books)
    before = here.library.puts

    again = publish("digits", reversed(LABELS), TERMS, here, now=NOON)

    assert (again.id, here.library.puts) == (first.id, before)


def test_a_correction_makes_another_data_set():
    here = school()
    first = publish("digits", LABELS, TERMS, here, now=NOON)

    corrected = publish("digits", [*LABELS[:-1], replace(LABELS[-1], label="a")], TERMS, here, now=NOON)

    assert corrected.id != first.id


def test_too_few_labels_are_refused_by_name():
    with pytest.raises(TooLittle, match="in test"):
        publish("digits", LABELS[:4], TERMS, school(), now=NOON)


class Drops:
    """One drop that was looked at, one that was rejected."""

    def drop(self, drop: str) -> dict[str, object] | None:
        row: dict[str, object] = {"model": "digits", "taken_from": "door", "origin": {}}
        return {"seen": row | {"state": "done"}, "bad": row | {"state": "rejected"}}.get(drop)


@dataclass
class Kept:
    labels: list[Label] = field(default_factory=list)

    def keep(self, label: Label) -> None:
        self.labels.append(label)


def test_what_a_drop_shows_is_kept_with_who_said_so():
    kept = Kept()

    label("seen", "7", "reviewer", NOON, drops=Drops(), labels=kept)

    assert kept.labels == [Label("seen", "digits", "door", "7", "reviewer", NOON)]


@pytest.mark.parametrize("drop", ["bad", "unheard-of"])
def test_only_what_was_looked_at_can_be_labelled(drop: str):
    with pytest.raises(NotToLabel):
        label(drop, "7", "reviewer", NOON, drops=Drops(), labels=Kept())
