"""Erasing: out of the gallery first, the profile last, and again from where it stopped."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

import pytest

from tests.memory import NOON
from vigil.drops import Object
from vigil.errors import Transient
from vigil.flow.enrol import NobodyThere, Overtaken, Person
from vigil.flow.erase import Erased, Shredder, erase
from vigil.flow.in_force import InForce

ADA = Person("p-ada", "Ada")
PHOTO = Object("photos", "live/faces/door/a.jpg", "1")


@dataclass(frozen=True)
class Book:
    version: int = 3
    people: frozenset[str] = frozenset({"p-ada", "p-bob"})
    growing: frozenset[str] = frozenset()


@dataclass
class Everything:
    """Rows, traces, gallery and objects, which write in a diary what is done to them."""

    book: Book = field(default_factory=Book)
    people: dict[str, Person] = field(default_factory=lambda: {ADA.id: ADA})
    diary: list[str] = field(default_factory=list)
    receipts: dict[str, Erased] = field(default_factory=dict)
    overtaken: int = 0
    fails_at: str = ""

    def leave(self, ident: str, now: datetime) -> Person | None:
        return self.people.get(ident)

    def closed(self, ident: str) -> None:
        self._note("close")

    def in_force(self) -> InForce:
        return InForce(self.book.version, {"space": f"gallery/{self.book.version}"})

    def withdraw(self, *, base: int, gallery: Book, now: datetime) -> None:
        if self.overtaken:
            self.overtaken -= 1
            self.book = replace(self.book, version=self.book.version + 1)
        if base != self.book.version:
            raise Overtaken("later")
        self._note("withdraw")
        self.book = gallery

    def unlearn(self, person: str) -> int:
        self._note("unlearn")
        return 3

    def forget(self, person: Person) -> int:
        self._note("forget")
        return 2

    def gone(self, ident: str) -> None:
        self._note("gone")
        self.people.pop(ident, None)

    def tell(self, erased: Erased) -> None:
        self._note("tell")
        self.receipts[erased.person] = erased

    def told(self, person: str) -> Erased | None:
        return self.receipts.get(person)

    def end(self, person: str, now: datetime) -> None:
        self._note("end")

    def of(self, person: str) -> Iterable[str]:
        self._note("traces")
        yield from ("sightings", "sightings", "alerts")

    def photos(self, person: str) -> Iterable[Object]:
        yield PHOTO

    def answers(self, person: str) -> int:
        return 0

    def discard(self, person: str) -> int:
        self._note("discard")
        return 1

    def shred(self, item: Object) -> None:
        self._note(f"shred {item.key}")

    def snapshots(self, version: int, keys: Collection[str]) -> int:
        assert version == self.book.version
        self._note(f"keep only {', '.join(keys)}")
        return 4

    def _note(self, what: str) -> None:
        if what.split(" ", maxsplit=1)[0] == self.fails_at:
            self.fails_at = ""
            raise Transient(what)
        self.diary.append(what)


def shredder(world: Everything) -> Shredder[Book]:
    return Shredder(
        rows=world,
        traces=world,
        gallery=lambda: world.book,
        holds=lambda book, person: person in book.people,
        without=lambda book, person: Book(book.version + 1, book.people - {person}),
        unlearn=world.unlearn,
        unremember=lambda _: 0,
        discard=world.discard,
        settle=lambda: world._note("settle"),
        snapshots=world.snapshots,
        shred=world.shred,
        clock=lambda: NOON,
    )


def test_the_gallery_changes_first_and_the_profile_goes_last():
    world = Everything()

    told = erase("p-ada", shredder(world))

    assert world.diary == [
        "end",
        "withdraw",
        "close",
        "settle",
        "keep only gallery/4",
        "discard",
        "shred live/faces/door/a.jpg",
        "traces",
        "unlearn",
        "forget",
        "tell",
        "gone",
    ]
    assert told.counts == {
        "snapshots": 4,
        "photos": 2,
        "sightings": 2,
        "alerts": 1,
        "examples": 3,
        "faces": 0,
        "answers": 0,
        "templates": 2,
    }
    assert (world.book.people, told.gallery_version) == (frozenset({"p-bob"}), 4)


def test_an_enrolment_that_crosses_makes_it_try_again():
    world = Everything(overtaken=2)

    erase("p-ada", shredder(world))

    assert world.book == Book(6, frozenset({"p-bob"}))


@pytest.mark.parametrize(
    "fails_at",
    [
        "end",
        "withdraw",
        "close",
        "settle",
        "keep",
        "discard",
        "shred",
        "traces",
        "unlearn",
        "forget",
        "tell",
        "gone",
    ],
)
def test_what_fails_half_way_is_finished_by_doing_it_again(fails_at: str):
    world = Everything(fails_at=fails_at)
    with pytest.raises(Transient):
        erase("p-ada", shredder(world))

    erase("p-ada", shredder(world))

    assert "p-ada" not in world.people
    assert "p-ada" not in world.book.people


def test_an_answer_that_was_lost_is_given_again():
    world = Everything()
    first = erase("p-ada", shredder(world))
    world.diary.clear()

    again = erase("p-ada", shredder(world))

    assert again == first
    assert world.diary == ["gone"]


def test_what_was_erased_is_told_in_full_by_whoever_deletes_the_profile_at_last():
    world = Everything(fails_at="gone")
    with pytest.raises(Transient):
        erase("p-ada", shredder(world))

    assert erase("p-ada", shredder(world)).counts["photos"] > 0


def test_somebody_who_never_was_is_nobody():
    with pytest.raises(NobodyThere):
        erase("p-eve", shredder(Everything()))
