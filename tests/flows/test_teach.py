"""Labelled drops become a data set once; what may not be used is left out unread, and taken out later."""

import io
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np
import pytest
from PIL import Image

from tests.memory import NOON, Books
from vigil.drops import Object
from vigil.errors import ObjectGone
from vigil.flow.label import Label, NotToLabel, label
from vigil.flow.prune import Stock, folder, out_of_time, prune, stored
from vigil.flow.taken import Register, Taken
from vigil.flow.teach import School, TooLittle, publish, reviewed, withdrawn
from vigil.learn.consent import Policy
from vigil.learn.dataset import Terms
from vigil.learn.example import SPLITS, Entry
from vigil.learn.manifest import read
from vigil.learn.pedigree import Forgotten
from vigil.seeing import Sighting

TERMS = Terms(validation=0.25, test=0.25, near_bits=0)
ADA, BOB, EVE = "p-0000000000ad", "p-0000000000b0", "p-0000000000ee"
SIDE = 40


def picture(number: int) -> bytes:
    packed = io.BytesIO()
    noise = np.random.default_rng(number).integers(0, 255, (SIDE, SIDE)).astype(np.uint8)
    Image.fromarray(noise).save(packed, "PNG")
    return packed.getvalue()


LABELS = [Label(f"d{n}", "digits", "door", "ab"[n % 2], "reviewer", NOON) for n in range(60)]


@dataclass
class Town:
    """Drops, people and sources; it notes which pictures were read and which releases are marked.

    seen  what was seen in a drop, where it is more than nothing
    """

    books: Books = field(default_factory=Books)
    seen: dict[str, tuple[Sighting, ...]] = field(default_factory=dict)
    agreeing: dict[str, bool] = field(default_factory=dict)
    policies: dict[str, Policy] = field(default_factory=lambda: {"door": "always"})
    until: dict[str, datetime] = field(default_factory=dict)
    read: list[str] = field(default_factory=list)
    marks: list[tuple[str, str, Forgotten]] = field(default_factory=list)

    @property
    def school(self) -> School:
        return School(self.stock, self.register)

    @property
    def stock(self) -> Stock:
        return Stock(self.books, lambda *mark: self.marks.append(mark))

    @property
    def register(self) -> Register:
        return Register(
            self._drop, lambda source: self.policies.get(source, "never"), self.agreeing.get, self._fetch
        )

    def publish(self, labels: list[Label]) -> str:
        return publish("digits", labels, TERMS, self.school, now=NOON).id

    def entries(self, data: str) -> list[Entry]:
        places = (f"{folder('digits', data)}/{split}/manifest.jsonl" for split in SPLITS)
        return [entry for place in places for entry in read(self.books.get(place).decode())]

    def _drop(self, drop: str) -> Taken | None:
        where = Object("photos", f"{drop[1:]}.png", "v")
        return Taken(where, self.seen.get(drop, ()), self.until.get(drop)) if drop != "d1" else None

    def _fetch(self, where: Object, most: int) -> bytes:
        number = int(where.key.removesuffix(".png"))
        self.read.append(f"d{number}")
        if number == 0:
            raise ObjectGone("deleted before it was read")
        return picture(number)


def of(person: str, box: tuple[float, float, float, float] | None = None) -> tuple[Sighting, ...]:
    return (Sighting(person, "known", 0.8, box_px=box, quality=0.9),)


STRANGER = Sighting("unknown", "unknown", 0.1)


def test_a_data_set_is_stored_whole_with_who_said_what():
    here = Town()

    data = publish("digits", LABELS, TERMS, here.school, now=NOON)

    assert (len(data.entries), data.left) == (58, {"gone": 2})
    assert not data.gaps
    held_out = reviewed("digits", data.id, here.books)
    assert {entry.labelled_by for entry, _ in held_out} == {"reviewer"}
    assert len(held_out) == len(data.split("test"))


def test_the_same_labels_are_the_same_data_set_and_are_stored_once():
    here = Town()
    first = here.publish(LABELS)
    before = here.books.puts

    again = here.publish(LABELS[::-1])

    assert (again, here.books.puts) == (first, before)


def test_a_correction_makes_another_data_set():
    here = Town()

    assert here.publish([*LABELS[:-1], replace(LABELS[-1], label="a")]) != here.publish(LABELS)


def test_too_few_labels_are_refused_by_name():
    with pytest.raises(TooLittle, match="in test"):
        Town().publish(LABELS[:4])


def test_a_source_that_says_nothing_is_not_learned_from_and_no_picture_of_it_is_read():
    here = Town(policies={})

    with pytest.raises(TooLittle, match="59 no-consent"):
        here.publish(LABELS)

    assert here.read == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"agreeing": {ADA: False}}, "no-consent"),
        ({"agreeing": {}}, "erased"),
        ({"agreeing": {ADA: True}, "until": {"d5": NOON}}, "out-of-time"),
        ({"agreeing": {ADA: True}, "policies": {"door": "never"}}, "no-consent"),
    ],
)
def test_who_did_not_consent_is_erased_or_out_of_time_is_left_out_unread(
    changes: dict[str, object], reason: str
):
    here = Town(seen={"d5": of(ADA)})
    for name, value in changes.items():
        setattr(here, name, value)
    others = [one for one in LABELS if one.drop != "d5"]
    elsewhere = [replace(one, source="studio") for one in others]
    here.policies["studio"] = "always"

    data = publish("digits", [LABELS[5], *elsewhere], TERMS, here.school, now=NOON)

    assert data.left == {"gone": 2, reason: 1}
    assert "d5" not in here.read


def test_of_a_source_for_those_who_consented_nothing_else_is_learned_from():
    seen = {"d4": of(ADA), "d5": (*of(ADA), STRANGER), "d6": (STRANGER,)}
    here = Town(seen=seen, agreeing={ADA: True}, policies={"door": "always", "hall": "consented"})
    hall = [replace(LABELS[n], source="hall") for n in (4, 5, 6, 7)]

    data = publish("digits", [*LABELS[:4], *hall, *LABELS[8:]], TERMS, here.school, now=NOON)

    assert data.left == {"gone": 2, "no-consent": 3}
    assert [entry.people for entry in data.entries if entry.slices["source"] == "hall"] == [(ADA,)]


def test_nobody_is_in_two_splits_also_through_a_picture_of_two():
    here = Town(agreeing=dict.fromkeys((ADA, BOB, EVE), True))
    for n in range(2, 60):
        here.seen[f"d{n}"] = of((ADA, BOB, EVE)[n % 3]) if n < 20 else ()
    here.seen["d20"] = (*of(ADA), *of(BOB))

    entries = here.entries(here.publish(LABELS))

    of_both = {entry.split for entry in entries if {ADA, BOB} & set(entry.people)}
    assert len(of_both) == 1
    assert len({entry.split for entry in entries if EVE in entry.people}) == 1


def test_of_a_reviewed_sighting_only_what_lies_in_its_box_is_stored():
    here = Town(agreeing={ADA: True}, seen={"d3": (STRANGER, *of(ADA, (10, 10, 20, 20)))})
    said = replace(LABELS[3], sighting=1, taken_for=ADA)

    data = publish("digits", [*LABELS[:3], said, *LABELS[4:]], TERMS, here.school, now=NOON)

    (entry,) = (entry for entry in data.entries if entry.people)
    kept = here.books.get(f"{folder('digits', data.id)}/{entry.split}/{entry.object}")
    assert Image.open(io.BytesIO(kept)).size == (17, 17)
    assert entry.group == ADA


def test_a_stranger_of_one_alert_is_kept_together():
    here = Town()
    labels = [replace(one, taken_for=f"stranger-{n % 7}") for n, one in enumerate(LABELS)]

    entries = here.entries(here.publish(labels))

    where: dict[str, set[str]] = {}
    for entry in entries:
        where.setdefault(entry.group, set()).add(entry.split)
    assert {len(splits) for splits in where.values()} == {1}


def test_what_a_picture_is_sliced_by_is_in_the_manifest():
    here = Town()

    entries = here.entries(here.publish(LABELS))

    assert {frozenset(entry.slices) for entry in entries} == {frozenset({"source", "lighting", "quality"})}


def test_who_is_erased_goes_out_of_stored_sets_with_every_version_and_releases_are_marked():
    here = Town(agreeing={ADA: True, BOB: True}, seen={f"d{n}": of((ADA, BOB)[n % 2]) for n in range(4, 9)})
    data = here.publish(LABELS)
    before = here.entries(data)

    gone = [prune("digits", data, lambda entry: ADA in entry.people, here.stock, now=NOON) for _ in range(2)]

    assert gone == [3, 0]
    assert [entry for entry in before if ADA not in entry.people] == here.entries(data)
    assert not any(ADA.encode() in version for versions in here.books.held.values() for version in versions)
    assert {len(versions) for key, versions in here.books.held.items() if "json" in key} == {1}
    stored_pictures = {key for key in here.books.held if key.endswith(".png")}
    assert len(stored_pictures) == len(before) - 3
    ((model, of_set, forgotten),) = here.marks
    assert (model, of_set, forgotten.items, forgotten.at) == ("digits", data, 3, NOON)


def test_what_is_left_is_known_by_the_content_that_the_next_data_set_has():
    here = Town(agreeing={ADA: True}, seen={"d4": of(ADA)})
    data = here.publish(LABELS)
    prune("digits", data, lambda entry: ADA in entry.people, here.stock, now=NOON)

    here.agreeing = {}
    again = here.publish(LABELS)

    assert here.marks[0][2].content == again != data


def test_a_pruning_that_broke_off_is_finished_and_the_releases_are_marked():
    here = Town(agreeing={ADA: True}, seen={f"d{n}": of(ADA) for n in range(4, 9)})
    data = here.publish(LABELS)

    def fails(*_: object) -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        prune("digits", data, lambda entry: ADA in entry.people, Stock(here.books, fails), now=NOON)
    prune("digits", data, lambda entry: ADA in entry.people, here.stock, now=NOON)

    assert [mark[2].items for mark in here.marks] == [5]


def test_who_withdraws_while_the_set_is_being_stored_is_taken_out_of_it_again():
    here = Town(agreeing={ADA: True}, seen={"d4": of(ADA)})
    here.books.putting = here.agreeing.clear

    data = here.publish(LABELS)

    assert [entry for entry in here.entries(data) if entry.people] == []


def test_a_source_that_is_closed_later_and_what_is_out_of_time_are_unfit():
    here = Town(until={"d4": NOON + timedelta(days=1)})
    data = here.publish(LABELS)
    timed = [out_of_time(entry, NOON + timedelta(days=1)) for entry in here.entries(data)]

    here.policies = {}

    assert timed.count(True) == 1
    assert all(withdrawn(here.register, entry) for entry in here.entries(data))
    assert list(stored(here.books)) == [("digits", data)]


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
