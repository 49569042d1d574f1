"""Reembedding: a few people in each run, nobody twice, also with concurrent enrolments."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.fakes.memory import NOON
from tests.unit.people.builders import gallery_set, photo_counts
from vigil.errors import BrokenRelease, ConcurrentUpdate, Rejected
from vigil.faces.gallery import GallerySet
from vigil.inference.types import ReferenceImage
from vigil.people.person import GalleryPointer
from vigil.people.reembedding import (
    GalleryProgress,
    ReembeddingProgress,
    ReembeddingService,
    ReembeddingState,
    StoredPhoto,
)

Vector = NDArray[np.float32]
FACE = ReferenceImage(b"face", (0, 0, 1, 1))
BLANK = ReferenceImage(b"blank", (0, 0, 1, 1))
PEOPLE = ("ada", "bob", "eve")
BEGINNING = GalleryProgress()


def enrolled(*, new: Collection[str] = (), complete: bool = False) -> GallerySet:
    """Everybody in the gallery of the space "old", some in that of "new"."""
    galleries = gallery_set(PEOPLE, version=7, space="old")
    if not new:
        return galleries
    both = {**galleries.by_space, **gallery_set(new, version=7, space="new").by_space}
    return replace(
        galleries, by_space=both, incomplete_spaces=frozenset() if complete else frozenset({"new"})
    )


@dataclass
class FakeReembedding:
    """All ports of reembedding, in memory."""

    galleries: GallerySet = field(default_factory=enrolled)
    photos: dict[str, dict[str, StoredPhoto]] = field(
        default_factory=lambda: {name: {"t": StoredPhoto("t", {}, FACE)} for name in PEOPLE}
    )
    releases: tuple[str, ...] = ("new",)
    broken: frozenset[str] = frozenset()
    read_people: list[str] = field(default_factory=list)
    embedded: list[ReferenceImage] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    concurrent_updates: int = 0

    def names(self) -> list[str]:
        return [self.galleries.name]

    def read(self, name: str) -> GallerySet:
        return self.galleries

    def gallery_pointer(self, name: str) -> GalleryPointer:
        return GalleryPointer(self.galleries.version, {})

    def replace_gallery(self, *, base: int, gallery: GallerySet, now: datetime) -> None:
        if self.concurrent_updates:
            self.concurrent_updates -= 1
            self.galleries = replace(self.galleries, version=self.galleries.version + 1)
        if base != self.galleries.version:
            raise ConcurrentUpdate("an enrolment came first")
        self.galleries = gallery

    def photos_of(self, person: str) -> Iterable[StoredPhoto]:
        self.read_people.append(person)
        return list(self.photos[person].values())

    def add_vector(self, person: str, key: str, space: str, vector: Vector) -> None:
        photo = self.photos[person][key]
        self.photos[person][key] = replace(photo, vectors={**photo.vectors, space: vector})

    def delete_vectors(self, person: str, space: str) -> None:
        self.deleted.append(f"{space} {person}")

    def release_ids(self) -> tuple[str, ...]:
        return self.releases

    def embedding_space(self, release: str) -> str:
        if release in self.broken:
            raise BrokenRelease(f"{release} cannot be opened")
        return release

    def embed_reference(self, release: str, reference: ReferenceImage) -> Vector:
        if reference is BLANK:
            raise Rejected("no face")
        self.embedded.append(reference)
        return np.ones(4, np.float32)

    def delete_unused_segments(self, gallery: str, version: int, keys: Collection[str]) -> int:
        self.deleted.append("segments")
        return 1

    def remove_spaces(self, spaces: Collection[str]) -> int:
        self.deleted.append(f"faces of {', '.join(sorted(spaces))}")
        return 1


def service(fake: FakeReembedding) -> ReembeddingService:
    return ReembeddingService(
        photos=fake,
        galleries=fake,
        people=fake,
        models=fake,
        segments=fake,
        unknown_faces=fake,
        clock=lambda: NOON,
    )


def reembed(
    fake: FakeReembedding, *, max_people: int = 100, walk: GalleryProgress = BEGINNING
) -> ReembeddingProgress:
    numbers = count()
    return service(fake).reembed("default", "new", "new", lambda: next(numbers) < max_people, walk)


def counts(progress: ReembeddingProgress) -> tuple[int, int, int]:
    return progress.people, progress.missing_reference, progress.remaining


def people_in_new(fake: FakeReembedding) -> tuple[str, ...]:
    return tuple(photo_counts(fake.galleries, "new"))


def is_complete(galleries: GallerySet) -> bool:
    return "new" in galleries.by_space and "new" not in galleries.incomplete_spaces


def test_a_gallery_with_everybody_is_complete():
    fake = FakeReembedding()

    progress = reembed(fake)

    assert counts(progress) == (3, 0, 0)
    assert progress.is_complete
    assert (people_in_new(fake), is_complete(fake.galleries)) == (PEOPLE, True)


def test_the_next_run_continues_and_the_gallery_is_complete_only_with_everybody():
    fake = FakeReembedding()

    first = reembed(fake, max_people=2)
    half, half_complete = people_in_new(fake), is_complete(fake.galleries)
    second = reembed(fake, walk=first.by_gallery["default"])

    assert (counts(first), half, half_complete) == ((3, 0, 1), ("ada", "bob"), False)
    assert (second.is_complete, is_complete(fake.galleries)) == (True, True)
    assert fake.read_people == ["ada", "bob", "eve"]


def test_nobody_is_embedded_twice_after_a_concurrent_enrolment():
    fake = FakeReembedding(concurrent_updates=1)

    with pytest.raises(ConcurrentUpdate):
        reembed(fake)
    progress = reembed(fake)

    assert (progress.is_complete, len(fake.embedded)) == (True, 3)


@pytest.mark.parametrize("reference", [None, BLANK])
def test_a_person_without_usable_reference_image_is_named_and_the_release_is_not_ready(
    reference: ReferenceImage | None,
):
    fake = FakeReembedding()
    fake.photos["bob"]["t"] = StoredPhoto("t", {}, reference)

    progress = reembed(fake)

    assert (counts(progress), progress.is_complete) == ((3, 1, 0), False)
    assert progress.summary == "reembedded 2 of 3; 1 need a new photo"
    assert (people_in_new(fake), is_complete(fake.galleries)) == (("ada", "eve"), True)


def test_people_who_could_not_be_reembedded_before_do_not_keep_others_waiting():
    fake = FakeReembedding()
    fake.photos["ada"]["t"] = StoredPhoto("t", {}, None)

    first = reembed(fake, max_people=1)
    second = reembed(fake, max_people=1, walk=first.by_gallery["default"])

    assert (counts(first), counts(second)) == ((3, 1, 2), (3, 1, 1))
    assert people_in_new(fake) == ("bob",)


def test_everybody_who_is_missing_is_tried_again_in_turn_after_the_first_walk():
    fake = FakeReembedding()
    for person in PEOPLE:
        fake.photos[person]["t"] = StoredPhoto("t", {}, None)
    progress = reembed(fake)
    fake.photos["eve"]["t"] = StoredPhoto("t", {}, FACE)
    tried = []

    for _ in range(3):
        progress = reembed(fake, max_people=1, walk=progress.by_gallery["default"])
        tried.append(fake.read_people[-1])

    assert tried == ["ada", "bob", "eve"]
    assert (counts(progress), people_in_new(fake)) == ((3, 2, 0), ("eve",))


def test_a_complete_gallery_stays_in_use_while_it_lacks_a_new_person():
    fake = FakeReembedding(enrolled(new=("ada", "bob"), complete=True))

    progress = reembed(fake, max_people=0)

    assert (progress.remaining, is_complete(fake.galleries)) == (1, True)


def test_nothing_is_written_if_nobody_is_missing():
    fake = FakeReembedding(enrolled(new=PEOPLE, complete=True))

    reembed(fake)

    assert (fake.galleries.version, fake.read_people) == (7, [])


def test_the_vectors_of_a_retired_space_are_deleted_person_by_person():
    fake, numbers = FakeReembedding(), count()

    first = service(fake).delete_retired_vectors("old", PEOPLE, "", lambda: next(numbers) < 2)
    second = service(fake).delete_retired_vectors("old", PEOPLE, first or "", lambda: True)

    assert (first, second) == ("bob", None)
    assert fake.deleted == ["old ada", "old bob", "old eve"]


def test_a_run_retires_unused_spaces_when_every_release_in_use_is_complete():
    fake = FakeReembedding()

    run = service(fake).run(ReembeddingState(), lambda: True)

    assert (run.state.spaces, run.state.retired, run.failures) == ({"new": "new"}, {}, {})
    assert list(fake.galleries.by_space) == ["new"]
    assert fake.deleted == ["old ada", "old bob", "old eve", "faces of old", "segments"]


def test_a_release_that_cannot_be_opened_is_reported_and_nothing_is_retired():
    fake = FakeReembedding(releases=("new", "broken"), broken=frozenset({"broken"}))

    run = service(fake).run(ReembeddingState(), lambda: True)

    assert run.failures == {"broken": "broken cannot be opened"}
    assert run.state.progress["new"].is_complete
    assert set(fake.galleries.by_space) == {"old", "new"}


def test_a_release_without_recorded_progress_is_not_ready():
    assert not ReembeddingState().is_ready("r")
    assert ReembeddingState(progress={"r": ReembeddingProgress(0, 0, 0)}).is_ready("r")
