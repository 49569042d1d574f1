"""Under any order of deaths, enrolments and erasures, a migration ends with everybody and no one more."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.memory import NOON
from vigil.errors import Transient
from vigil.flow.enrol import Overtaken
from vigil.flow.migrate import Migration, Photo, Progress, migrate
from vigil.seeing import Portrait

NEW, ONE = "new", np.ones(4, np.float32)
FACE = Portrait(b"face", (0, 0, 1, 1))
A_RUN = 2
"""People that a run has time for."""

DEEDS = ("dies", "enrols", "again", "erases")


class Killed(BaseException):
    """The worker dies."""


@dataclass(frozen=True)
class Book:
    """How many photos of each person are in the gallery of the active release, and in the new one."""

    version: int = 1
    old: Mapping[str, int] = field(default_factory=dict)
    new: Mapping[str, int] = field(default_factory=dict)
    whole: bool = False
    growing: frozenset[str] = frozenset()


@dataclass
class House:
    """At each call the next deed of the plan comes in between."""

    plan: list[str]
    book: Book = Book()
    rows: dict[str, dict[str, Photo]] = field(default_factory=dict)

    def of(self, person: str) -> Iterable[Photo]:
        self._happens()
        return list(self.rows.get(person, {}).values())

    def add(self, person: str, key: str, space: str, vector: NDArray[np.float32]) -> None:
        self._happens()
        if key in self.rows.get(person, {}):
            self.rows[person][key] = replace(self.rows[person][key], vectors={space: vector})

    def drop(self, person: str, space: str) -> None:
        raise NotImplementedError("nothing is retired here")

    def gallery(self) -> Book:
        self._happens()
        return self.book

    def commit(self, base: int, book: Book) -> None:
        self._happens()
        if base != self.book.version:
            raise Overtaken("somebody came first")
        self.book = book
        self._happens()

    def enrol(self, person: str) -> None:
        """As enrolment does: into the new gallery too, unless a migration is still to bring them with all."""
        known = self.book
        photos = self.rows.setdefault(person, {})
        begun = bool(known.whole or known.growing)
        photos[f"t{len(photos)}"] = Photo(f"t{len(photos)}", {NEW: ONE} if begun else {}, FACE)
        awaited = not known.whole and person in known.old and person not in known.new
        new = {**known.new, person: known.new.get(person, 0) + 1} if begun and not awaited else known.new
        old = {**known.old, person: known.old.get(person, 0) + 1}
        self.book = replace(known, version=known.version + 1, old=old, new=new)

    def erase(self, person: str) -> None:
        old, new = (
            {who: n for who, n in of.items() if who != person} for of in (self.book.old, self.book.new)
        )
        self.book = replace(self.book, version=self.book.version + 1, old=old, new=new)
        self.rows.pop(person, None)

    def _happens(self) -> None:
        first = min(self.book.old, default="")
        match self.plan.pop() if self.plan else "":
            case "dies":
                raise Killed
            case "enrols":
                self.enrol(f"p{self.book.version:03}")
            case "again" if first:
                self.enrol(max(self.book.old))
            case "erases" if first:
                self.erase(first)


def grown(book: Book, _: str, found: Mapping[str, Sequence[object]], whole: bool) -> Book:
    new = {**book.new, **{person: len(vectors) for person, vectors in found.items()}}
    growing = frozenset() if whole else frozenset({NEW})
    return replace(book, version=book.version + 1, new=new, whole=whole, growing=growing)


def run(house: House) -> Progress:
    numbers = count()
    return migrate(
        NEW,
        Migration(
            photos=house,
            gallery=house.gallery,
            people=lambda book: book.old,
            lacking=lambda book, _: sorted(set(book.old) - set(book.new)),
            whole=lambda book, _: book.whole,
            embed=lambda _: ONE,
            grown=grown,
            commit=lambda base, book, _: house.commit(base, book),
            go_on=lambda: next(numbers) < A_RUN,
            clock=lambda: NOON,
        ),
    )


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 8), st.dictionaries(st.integers(0, 40), st.sampled_from(DEEDS), max_size=8))
def test_whatever_happens_in_between_everybody_is_known_with_all_of_their_photos(
    people: int, plan: dict[int, str]
):
    house = House([])
    for number in range(people):
        house.enrol(f"a{number}")
    house.plan = [plan.get(call, "") for call in reversed(range(41))]

    ready = False
    for _ in range(people + 60):
        try:
            ready = run(house).ready
        except (Killed, Transient):
            continue

    assert ready
    assert house.book.new == house.book.old
