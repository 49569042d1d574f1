"""Under any order of deaths, enrolments and erasures, a migration ends with everybody and no one more."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.fakes.memory import NOON
from vigil.errors import ConcurrentUpdate, Transient
from vigil.inference.types import ReferenceImage
from vigil.people.reembedding import (
    ReembeddingProgress,
    ReembeddingService,
    StoredPhoto,
    reembed,
)

NEW, ONE = "new", np.ones(4, np.float32)
FACE = ReferenceImage(b"face", (0, 0, 1, 1))
PEOPLE_PER_RUN = 2
"""People that a run has time for."""

STEPS = ("dies", "enrols", "again", "erases")


class Killed(BaseException):
    """The worker dies."""


@dataclass(frozen=True)
class FakeGallery:
    """How many photos of each person are in the gallery of the active release, and in the new one."""

    version: int = 1
    old: Mapping[str, int] = field(default_factory=dict)
    new: Mapping[str, int] = field(default_factory=dict)
    complete: bool = False
    incomplete_spaces: frozenset[str] = frozenset()


@dataclass
class CrashingReembedding:
    """At each call the next deed of the plan comes in between."""

    steps: list[str]
    current: FakeGallery = FakeGallery()
    rows: dict[str, dict[str, StoredPhoto]] = field(default_factory=dict)

    def photos_of(self, person: str) -> Iterable[StoredPhoto]:
        self._next_step()
        return list(self.rows.get(person, {}).values())

    def add_vector(self, person: str, key: str, space: str, vector: NDArray[np.float32]) -> None:
        self._next_step()
        if key in self.rows.get(person, {}):
            self.rows[person][key] = replace(self.rows[person][key], vectors={space: vector})

    def delete_vectors(self, person: str, space: str) -> None:
        raise NotImplementedError("nothing is retired here")

    def read_gallery(self) -> FakeGallery:
        self._next_step()
        return self.current

    def commit(self, base: int, gallery: FakeGallery) -> None:
        self._next_step()
        if base != self.current.version:
            raise ConcurrentUpdate("somebody came first")
        self.current = gallery
        self._next_step()

    def enrol(self, person: str) -> None:
        """As enrolment does: into the new gallery too, unless a migration is still to bring them with all."""
        known = self.current
        photos = self.rows.setdefault(person, {})
        begun = bool(known.complete or known.incomplete_spaces)
        photos[f"t{len(photos)}"] = StoredPhoto(f"t{len(photos)}", {NEW: ONE} if begun else {}, FACE)
        awaited = not known.complete and person in known.old and person not in known.new
        new = {**known.new, person: known.new.get(person, 0) + 1} if begun and not awaited else known.new
        old = {**known.old, person: known.old.get(person, 0) + 1}
        self.current = replace(known, version=known.version + 1, old=old, new=new)

    def erase(self, person: str) -> None:
        old, new = (
            {who: n for who, n in of.items() if who != person} for of in (self.current.old, self.current.new)
        )
        self.current = replace(self.current, version=self.current.version + 1, old=old, new=new)
        self.rows.pop(person, None)

    def _next_step(self) -> None:
        first = min(self.current.old, default="")
        match self.steps.pop() if self.steps else "":
            case "dies":
                raise Killed
            case "enrols":
                self.enrol(f"p{self.current.version:03}")
            case "again" if first:
                self.enrol(max(self.current.old))
            case "erases" if first:
                self.erase(first)


def add_vectors(
    gallery: FakeGallery, _: str, found: Mapping[str, Sequence[object]], complete: bool
) -> FakeGallery:
    new = {**gallery.new, **{person: len(vectors) for person, vectors in found.items()}}
    growing = frozenset() if complete else frozenset({NEW})
    return replace(
        gallery, version=gallery.version + 1, new=new, complete=complete, incomplete_spaces=growing
    )


def run_reembedding(fake: CrashingReembedding) -> ReembeddingProgress:
    numbers = count()
    return reembed(
        NEW,
        ReembeddingService(
            photos=fake,
            read_gallery=fake.read_gallery,
            list_people=lambda book: book.old,
            missing_people=lambda book, _: sorted(set(book.old) - set(book.new)),
            is_space_complete=lambda book, _: book.complete,
            embed=lambda _: ONE,
            add_vectors=add_vectors,
            commit=lambda base, book, _: fake.commit(base, book),
            has_time=lambda: next(numbers) < PEOPLE_PER_RUN,
            clock=lambda: NOON,
        ),
    )


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 8), st.dictionaries(st.integers(0, 40), st.sampled_from(STEPS), max_size=8))
def test_whatever_happens_in_between_everybody_is_known_with_all_of_their_photos(
    people: int, plan: dict[int, str]
):
    house = CrashingReembedding([])
    for number in range(people):
        house.enrol(f"a{number}")
    house.steps = [plan.get(call, "") for call in reversed(range(41))]

    ready = False
    for _ in range(people + 60):
        try:
            ready = run_reembedding(house).is_complete
        except (Killed, Transient):
            continue

    assert ready
    assert house.current.new == house.current.old
