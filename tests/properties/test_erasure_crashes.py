"""Whatever lanes have under way, and wherever an erasure dies: nothing that names the person is left.

What is committed is found only by a search that begins after a pause, as with DynamoDB's indexes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import chain, count, repeat
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.memory import NOON, Eye, Hands, MemoryLedger, MemoryObjects, OneModel
from vigil.drops import Drop, Object
from vigil.errors import Transient
from vigil.flow.enrol import Person
from vigil.flow.erase import Erased, Shredder, erase
from vigil.flow.in_force import InForce
from vigil.flow.process import Shift, World, process
from vigil.seeing import Scene, Sighting
from vigil.steady.ledger import Claim, Departed, Result
from vigil.watch.rules import default_watch

ADA = Person("p-0123456789ab", "Ada")
PHOTO = Object("photos", "live/eye/door/a.jpg", "v1")
LEASE = timedelta(seconds=20)
CALLS = 13
"""That an erasure makes to its ports, at least."""


class Killed(BaseException):
    """The function dies."""


@dataclass(frozen=True)
class Book:
    version: int = 1
    people: frozenset[str] = frozenset({ADA.id})
    growing: frozenset[str] = frozenset()

    def scene(self) -> Scene:
        """What a lane makes of a photo of Ada."""
        seen = Sighting(ADA.id, "known", 0.9) if ADA.id in self.people else Sighting("unknown", "unknown")
        return Scene((seen,), found=1)


@dataclass
class House:
    """The ports of an erasure over the lanes' own ledger; at each call the next deed of a script comes first.

    indexed  drops whose sightings a search finds
    """

    script: Iterator[str] = field(default_factory=lambda: repeat("go"))
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    book: Book = Book()
    profile: Person | None = ADA
    receipt: Erased | None = None
    indexed: set[str] = field(default_factory=set)
    under_way: list[tuple[Claim, Drop, Scene]] = field(default_factory=list)
    names: Iterator[int] = field(default_factory=count)

    def match(self) -> None:
        """A lane compares a photo of Ada with the gallery in force."""
        drop = Drop(f"d{next(self.names)}", "eye", "door", PHOTO, NOON)
        claim = self.ledger.claim(drop, owner="w", now=NOON, until=NOON + LEASE)
        assert isinstance(claim, Claim)
        self.under_way.append((claim, drop, self.book.scene()))

    def commit(self) -> None:
        """A lane keeps what it matched; what is refused is matched anew, when its message is seen again."""
        if self.under_way:
            claim, drop, scene = self.under_way.pop(0)
            try:
                self.ledger.keep(claim, drop, Result(scene, "r1", (), None, {}), now=NOON)
            except Departed:
                self.under_way.append((claim, drop, self.book.scene()))

    def traced(self) -> set[str]:
        """Drops with sightings that name her."""
        seen = self.ledger.sightings.items()
        return {drop for drop, sightings in seen if ADA.id in {one.label for one in sightings}}

    def shredder(self) -> Shredder[Book]:
        return Shredder(
            rows=self,
            traces=self,
            gallery=lambda: self.book,
            holds=lambda book, person: person in book.people,
            without=lambda book, person: Book(book.version + 1, book.people - {person}),
            unlearn=self._nothing,
            unremember=self._nothing,
            discard=self._nothing,
            settle=self.settle,
            snapshots=self._nothing,
            shred=lambda _: None,
            clock=lambda: NOON,
        )

    def leave(self, ident: str, now: datetime) -> Person | None:
        with _Call(self):
            return self.profile

    def end(self, person: str, now: datetime) -> None:
        with _Call(self):
            self.ledger.departed.add(person)

    def in_force(self) -> InForce:
        return InForce(self.book.version, {})

    def withdraw(self, *, base: int, gallery: Book, now: datetime) -> None:
        with _Call(self):
            self.book = gallery

    def closed(self, ident: str) -> None:
        with _Call(self):
            pass

    def settle(self) -> None:
        with _Call(self):
            self.indexed = set(self.ledger.sightings)

    def photos(self, person: str) -> Iterable[Object]:
        with _Call(self):
            return [PHOTO for _ in self.traced() & self.indexed]

    def of(self, person: str) -> Iterable[str]:
        for drop in sorted(self.traced() & self.indexed):
            with _Call(self):
                seen = self.ledger.sightings[drop]
                self.ledger.sightings[drop] = tuple(replace(one, label="erased") for one in seen)
            yield "sightings"

    def answers(self, person: str) -> int:
        return self._nothing()

    def forget(self, person: Person) -> int:
        return self._nothing()

    def gone(self, ident: str) -> None:
        with _Call(self):
            self.profile = None

    def tell(self, erased: Erased) -> None:
        with _Call(self):
            self.receipt = erased

    def told(self, person: str) -> Erased | None:
        return self.receipt

    def _nothing(self, *_: Any) -> int:
        with _Call(self):
            return 0


class _Call:
    """One call to a port, with what the script says before and after it."""

    def __init__(self, house: House) -> None:
        self._house, self._deed = house, next(house.script)

    def __enter__(self) -> None:
        if self._deed == "dies-before":
            raise Killed
        if self._deed in ("match", "commit"):
            getattr(self._house, self._deed)()

    def __exit__(self, *_: object) -> None:
        if self._deed == "dies-after":
            raise Killed


def erased(house: House) -> None:
    """Asked for until it is done and says so."""
    for _ in range(40):
        try:
            erase(ADA.id, house.shredder())
        except Killed:
            continue
        break
    while house.under_way:
        house.commit()


deeds = st.sampled_from(["go", "match", "commit", "commit", "dies-before", "dies-after"])


@given(st.lists(deeds, max_size=40), st.integers(0, 3))
def test_nothing_is_left_whatever_happens(script: list[str], matched: int):
    house = House(chain(script, repeat("go")))
    for _ in range(matched):
        house.match()

    erased(house)

    assert (house.traced(), house.profile, house.book.people) == (set(), None, frozenset())


@pytest.mark.parametrize("death", ["dies-before", "dies-after"])
@pytest.mark.parametrize("call", range(CALLS))
def test_an_erasure_that_died_waits_again_for_what_was_kept_last(call: int, death: str):
    house = House(chain(["go"] * call, [death], repeat("go")))
    house.match()
    house.commit()

    erased(house)

    assert (house.traced(), house.profile) == (set(), None)


def test_a_lane_that_matched_before_the_gallery_moved_keeps_nothing_of_them_and_looks_again():
    house, clock = House(), Hands()
    eye = Eye(house.book.scene(), before=lambda: erased(house))
    objects = MemoryObjects({(PHOTO.key, "v1"): b"photo"})
    world = World(house.ledger, objects, OneModel(eye), default_watch, clock)
    drop = Drop("d1", "eye", "door", PHOTO, NOON)

    with pytest.raises(Transient):
        process(drop, world, Shift("w1", clock() + LEASE, LEASE))
    eye.scene, eye.before = house.book.scene(), lambda: None
    process(drop, world, Shift("w2", clock() + LEASE, LEASE))

    assert [one.label for one in house.ledger.sightings["d1"]] == ["unknown"]
