"""Everybody enrolled anew for a further release: a few at a time, overtaken or not, and nobody twice."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.memory import NOON
from vigil.errors import Rejected
from vigil.flow.enrol import Overtaken
from vigil.flow.migrate import Kept, Migration, Photo, Progress, erased, migrate
from vigil.seeing import Portrait

Vector = NDArray[np.float32]
FACE = Portrait(b"face", (0, 0, 1, 1))
BLANK = Portrait(b"blank", (0, 0, 1, 1))


@dataclass(frozen=True)
class Book:
    version: int = 7
    old: frozenset[str] = frozenset({"ada", "bob", "eve"})
    new: frozenset[str] = frozenset()
    in_use: bool = False
    growing: frozenset[str] = frozenset()


@dataclass
class House:
    """People, their photos and the gallery, in memory."""

    book: Book = field(default_factory=Book)
    photos: dict[str, dict[str, Photo]] = field(
        default_factory=lambda: {name: {"t": Photo("t", {}, FACE)} for name in ("ada", "bob", "eve")}
    )
    looked: list[str] = field(default_factory=list)
    overtaken: int = 0

    def of(self, person: str) -> Iterable[Photo]:
        self.looked.append(person)
        return list(self.photos[person].values())

    def add(self, person: str, key: str, space: str, vector: Vector) -> None:
        photo = self.photos[person][key]
        self.photos[person][key] = replace(photo, vectors={**photo.vectors, space: vector})

    def drop(self, person: str, space: str) -> None:
        self.looked.append(f"drop {person}")

    def commit(self, base: int, book: Book) -> None:
        if self.overtaken:
            self.overtaken -= 1
            self.book = replace(self.book, version=self.book.version + 1)
        if base != self.book.version:
            raise Overtaken("an enrolment came first")
        self.book = book


def embed(portrait: Portrait) -> Vector:
    if portrait is BLANK:
        raise Rejected("no face")
    return np.ones(4, np.float32)


def grown(book: Book, space: str, found: Mapping[str, Sequence[Vector]], whole: bool) -> Book:
    return replace(book, version=book.version + 1, new=book.new | set(found), in_use=whole)


def migration(house: House, most: int = 100) -> Migration[Book]:
    numbers = count()
    return Migration(
        photos=house,
        gallery=lambda: house.book,
        people=lambda book: book.old | book.new,
        lacking=lambda book, _: sorted(book.old - book.new),
        whole=lambda book, _: book.in_use,
        embed=embed,
        grown=grown,
        commit=lambda base, book, _: house.commit(base, book),
        go_on=lambda: next(numbers) < most,
        clock=lambda: NOON,
    )


def test_all_are_taken_over_and_then_the_gallery_is_in_use():
    house = House()

    progress = migrate("new", migration(house))

    assert progress == Progress(3, (), 0)
    assert progress.ready
    assert (house.book.new, house.book.in_use) == (house.book.old, True)


def test_what_does_not_fit_into_one_run_goes_on_in_the_next_and_is_in_use_only_when_all_are_there():
    house = House()

    first = migrate("new", migration(house, most=2))
    half = house.book
    second = migrate("new", migration(house))

    assert (first, half.in_use, half.new) == (Progress(3, (), 1), False, frozenset({"ada", "bob"}))
    assert (second.ready, house.book.in_use) == (True, True)
    assert house.looked == ["ada", "bob", "eve"]


def test_whoever_is_overtaken_by_an_enrolment_embeds_nobody_twice():
    house = House(overtaken=1)
    embedded: list[Portrait] = []

    def noted(portrait: Portrait) -> Vector:
        embedded.append(portrait)
        return embed(portrait)

    with pytest.raises(Overtaken):
        migrate("new", replace(migration(house), embed=noted))
    progress = migrate("new", replace(migration(house), embed=noted))

    assert (progress.ready, len(embedded)) == (True, 3)


@pytest.mark.parametrize("kept", [None, BLANK])
def test_of_whom_nothing_useful_is_kept_is_named_and_the_release_is_not_ready(kept: Portrait | None):
    house = House()
    house.photos["bob"]["t"] = Photo("t", {}, kept)

    progress = migrate("new", migration(house))

    assert (progress, progress.ready) == (Progress(3, ("bob",), 0), False)
    assert progress.told == "migrated 2 of 3; 1 need a new photo"
    assert (house.book.new, house.book.in_use) == (frozenset({"ada", "eve"}), True)


def test_who_was_hopeless_before_keeps_nobody_waiting():
    house = House()

    migrate("new", migration(house, most=2), hopeless=("ada",))

    assert house.book.new == {"bob", "eve"}


def test_a_gallery_in_use_stays_in_use_when_somebody_is_enrolled_whom_it_lacks():
    house = House(Book(new=frozenset({"ada", "bob"}), in_use=True))

    progress = migrate("new", migration(house, most=0))

    assert (progress.left, house.book.in_use) == (1, True)


def test_once_all_are_there_nothing_is_written():
    house = House(Book(new=frozenset({"ada", "bob", "eve"}), in_use=True))

    migrate("new", migration(house))

    assert (house.book.version, house.looked) == (7, [])


def test_what_a_retired_release_left_is_erased_person_by_person():
    house, numbers = House(), count()

    first = erased("old", ["ada", "bob", "eve"], "", house, lambda: next(numbers) < 2)
    second = erased("old", ["ada", "bob", "eve"], first or "", house, lambda: True)

    assert (first, second) == ("bob", None)
    assert house.looked == ["drop ada", "drop bob", "drop eve"]


def test_a_release_of_which_nothing_is_known_is_not_ready():
    assert not Kept().ready("r")
    assert Kept(progress={"r": Progress(0, (), 0)}).ready("r")
