"""Everybody enrolled anew for a further release: a few at a time, overtaken or not, and nobody twice."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.fakes.memory import NOON
from vigil.errors import ConcurrentUpdate, Rejected
from vigil.inference.types import ReferenceImage
from vigil.people.reembedding import (
    ReembeddingProgress,
    ReembeddingService,
    ReembeddingState,
    StoredPhoto,
    delete_retired_vectors,
    reembed,
)

Vector = NDArray[np.float32]
FACE = ReferenceImage(b"face", (0, 0, 1, 1))
BLANK = ReferenceImage(b"blank", (0, 0, 1, 1))


@dataclass(frozen=True)
class FakeGallery:
    version: int = 7
    old: frozenset[str] = frozenset({"ada", "bob", "eve"})
    new: frozenset[str] = frozenset()
    in_use: bool = False
    incomplete_spaces: frozenset[str] = frozenset()


@dataclass
class FakeReembedding:
    """People, their photos and the gallery, in memory."""

    gallery: FakeGallery = field(default_factory=FakeGallery)
    photos: dict[str, dict[str, StoredPhoto]] = field(
        default_factory=lambda: {name: {"t": StoredPhoto("t", {}, FACE)} for name in ("ada", "bob", "eve")}
    )
    read_people: list[str] = field(default_factory=list)
    concurrent_updates: int = 0

    def photos_of(self, person: str) -> Iterable[StoredPhoto]:
        self.read_people.append(person)
        return list(self.photos[person].values())

    def add_vector(self, person: str, key: str, space: str, vector: Vector) -> None:
        photo = self.photos[person][key]
        self.photos[person][key] = replace(photo, vectors={**photo.vectors, space: vector})

    def delete_vectors(self, person: str, space: str) -> None:
        self.read_people.append(f"drop {person}")

    def commit(self, base: int, gallery: FakeGallery) -> None:
        if self.concurrent_updates:
            self.concurrent_updates -= 1
            self.gallery = replace(self.gallery, version=self.gallery.version + 1)
        if base != self.gallery.version:
            raise ConcurrentUpdate("an enrolment came first")
        self.gallery = gallery


def embed(portrait: ReferenceImage) -> Vector:
    if portrait is BLANK:
        raise Rejected("no face")
    return np.ones(4, np.float32)


def add_vectors(
    gallery: FakeGallery, space: str, found: Mapping[str, Sequence[Vector]], complete: bool
) -> FakeGallery:
    return replace(gallery, version=gallery.version + 1, new=gallery.new | set(found), in_use=complete)


def reembedding_service(fake: FakeReembedding, max_people: int = 100) -> ReembeddingService[FakeGallery]:
    numbers = count()
    return ReembeddingService(
        photos=fake,
        read_gallery=lambda: fake.gallery,
        list_people=lambda book: book.old | book.new,
        missing_people=lambda book, _: sorted(book.old - book.new),
        is_space_complete=lambda book, _: book.in_use,
        embed=embed,
        add_vectors=add_vectors,
        commit=lambda base, book, _: fake.commit(base, book),
        has_time=lambda: next(numbers) < max_people,
        clock=lambda: NOON,
    )


def test_all_are_taken_over_and_then_the_gallery_is_in_use():
    house = FakeReembedding()

    progress = reembed("new", reembedding_service(house))

    assert progress == ReembeddingProgress(3, (), 0)
    assert progress.is_complete
    assert (house.gallery.new, house.gallery.in_use) == (house.gallery.old, True)


def test_what_does_not_fit_into_one_run_goes_on_in_the_next_and_is_in_use_only_when_all_are_there():
    house = FakeReembedding()

    first = reembed("new", reembedding_service(house, max_people=2))
    half = house.gallery
    second = reembed("new", reembedding_service(house))

    assert (first, half.in_use, half.new) == (ReembeddingProgress(3, (), 1), False, frozenset({"ada", "bob"}))
    assert (second.is_complete, house.gallery.in_use) == (True, True)
    assert house.read_people == ["ada", "bob", "eve"]


def test_whoever_is_overtaken_by_an_enrolment_embeds_nobody_twice():
    house = FakeReembedding(concurrent_updates=1)
    embedded: list[ReferenceImage] = []

    def noted(portrait: ReferenceImage) -> Vector:
        embedded.append(portrait)
        return embed(portrait)

    with pytest.raises(ConcurrentUpdate):
        reembed("new", replace(reembedding_service(house), embed=noted))
    progress = reembed("new", replace(reembedding_service(house), embed=noted))

    assert (progress.is_complete, len(embedded)) == (True, 3)


@pytest.mark.parametrize("kept", [None, BLANK])
def test_of_whom_nothing_useful_is_kept_is_named_and_the_release_is_not_ready(kept: ReferenceImage | None):
    house = FakeReembedding()
    house.photos["bob"]["t"] = StoredPhoto("t", {}, kept)

    progress = reembed("new", reembedding_service(house))

    assert (progress, progress.is_complete) == (ReembeddingProgress(3, ("bob",), 0), False)
    assert progress.summary == "migrated 2 of 3; 1 need a new photo"
    assert (house.gallery.new, house.gallery.in_use) == (frozenset({"ada", "eve"}), True)


def test_who_was_hopeless_before_keeps_nobody_waiting():
    house = FakeReembedding()

    reembed("new", reembedding_service(house, max_people=2), unreembeddable=("ada",))

    assert house.gallery.new == {"bob", "eve"}


def test_a_gallery_in_use_stays_in_use_when_somebody_is_enrolled_whom_it_lacks():
    house = FakeReembedding(FakeGallery(new=frozenset({"ada", "bob"}), in_use=True))

    progress = reembed("new", reembedding_service(house, max_people=0))

    assert (progress.remaining, house.gallery.in_use) == (1, True)


def test_once_all_are_there_nothing_is_written():
    house = FakeReembedding(FakeGallery(new=frozenset({"ada", "bob", "eve"}), in_use=True))

    reembed("new", reembedding_service(house))

    assert (house.gallery.version, house.read_people) == (7, [])


def test_what_a_retired_release_left_is_erased_person_by_person():
    house, numbers = FakeReembedding(), count()

    first = delete_retired_vectors("old", ["ada", "bob", "eve"], "", house, lambda: next(numbers) < 2)
    second = delete_retired_vectors("old", ["ada", "bob", "eve"], first or "", house, lambda: True)

    assert (first, second) == ("bob", None)
    assert house.read_people == ["drop ada", "drop bob", "drop eve"]


def test_a_release_of_which_nothing_is_known_is_not_ready():
    assert not ReembeddingState().is_ready("r")
    assert ReembeddingState(progress={"r": ReembeddingProgress(0, (), 0)}).is_ready("r")
