"""Under any order of deaths, enrolments and erasures, reembedding ends with exactly the enrolled people."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.fakes.memory import NOON
from tests.unit.people.builders import gallery_set, photo_counts
from vigil.errors import ConcurrentUpdate, Transient
from vigil.faces.enrolment_check import Template, add_templates
from vigil.faces.gallery import GallerySet
from vigil.inference.types import ReferenceImage
from vigil.people.person import GalleryPointer
from vigil.people.reembedding import GalleryProgress, ReembeddingProgress, ReembeddingService, StoredPhoto

OLD, NEW, ONE = "old", "new", np.full(4, 0.5, np.float32)
FACE = ReferenceImage(b"face", (0, 0, 1, 1))
PEOPLE_PER_RUN = 2
STEPS = ("dies", "enrols", "again", "erases")


class Killed(BaseException):
    """The worker dies."""


@dataclass
class CrashingReembedding:
    """All ports of reembedding; each call first runs the next step of the plan."""

    steps: list[str]
    galleries: GallerySet = field(default_factory=lambda: gallery_set(version=1, space=OLD))
    rows: dict[str, dict[str, StoredPhoto]] = field(default_factory=dict)
    walk: GalleryProgress = field(default_factory=GalleryProgress)

    def photos_of(self, person: str) -> Iterable[StoredPhoto]:
        self._next_step()
        return list(self.rows.get(person, {}).values())

    def add_vector(self, person: str, key: str, space: str, vector: NDArray[np.float32]) -> None:
        self._next_step()
        if key in self.rows.get(person, {}):
            self.rows[person][key] = replace(self.rows[person][key], vectors={space: vector})

    def delete_vectors(self, person: str, space: str) -> None:
        raise NotImplementedError("nothing is retired here")

    def delete_unused_segments(self, gallery: str, version: int, keys: Collection[str]) -> int:
        raise NotImplementedError("nothing is retired here")

    def remove_spaces(self, spaces: Collection[str]) -> int:
        raise NotImplementedError("nothing is retired here")

    def release_ids(self) -> tuple[str, ...]:
        return (OLD, NEW)

    def embedding_space(self, release: str) -> str:
        return release

    def embed_reference(self, release: str, reference: ReferenceImage) -> NDArray[np.float32]:
        return ONE

    def gallery_pointer(self, name: str) -> GalleryPointer:
        return GalleryPointer(self.galleries.version)

    def names(self) -> list[str]:
        return [self.galleries.name]

    def read(self, name: str) -> GallerySet:
        self._next_step()
        return self.galleries

    def replace_gallery(self, *, base: int, gallery: GallerySet, now: datetime) -> None:
        self._next_step()
        if base != self.galleries.version:
            raise ConcurrentUpdate("another change came first")
        self.galleries = gallery
        self._next_step()

    def enrol(self, person: str) -> None:
        """As EnrolmentService does: a person whom reembedding has yet to add to a gallery is left to it."""
        galleries, photos = self.galleries, self.rows.setdefault(person, {})
        further = {NEW: ONE} if NEW in galleries.by_space else {}
        photos[f"t{len(photos)}"] = StoredPhoto(f"t{len(photos)}", further, FACE)
        template = Template({OLD: ONE, **further}, 1.0, (0, 0, 1, 1))
        self.galleries = galleries.apply(
            lambda one: (
                one
                if galleries.is_pending(one, person)
                else add_templates(one, person, [template], frozenset())
            )
        )

    def erase(self, person: str) -> None:
        self.galleries = self.galleries.apply(lambda one: one.without_person(person))
        self.rows.pop(person, None)

    def _next_step(self) -> None:
        people = self.galleries.person_ids()
        match self.steps.pop() if self.steps else "":
            case "dies":
                raise Killed
            case "enrols":
                self.enrol(f"p{self.galleries.version:03}")
            case "again" if people:
                self.enrol(people[-1])
            case "erases" if people:
                self.erase(people[0])


def run_reembedding(fake: CrashingReembedding) -> ReembeddingProgress:
    numbers = count()
    service = ReembeddingService(
        photos=fake,
        galleries=fake,
        people=fake,
        models=fake,
        segments=fake,
        unknown_faces=fake,
        clock=lambda: NOON,
    )
    progress = service.reembed("default", NEW, NEW, lambda: next(numbers) < PEOPLE_PER_RUN, fake.walk)
    fake.walk = progress.by_gallery["default"]
    return progress


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 8), st.dictionaries(st.integers(0, 40), st.sampled_from(STEPS), max_size=8))
def test_everybody_is_in_the_new_gallery_with_all_of_their_photos_after_any_plan(
    people: int, plan: dict[int, str]
):
    fake = CrashingReembedding([])
    for number in range(people):
        fake.enrol(f"a{number}")
    fake.steps = [plan.get(call, "") for call in reversed(range(41))]

    ready = False
    for _ in range(people + 60):
        try:
            ready = run_reembedding(fake).is_complete
        except (Killed, Transient):
            continue

    assert ready
    assert photo_counts(fake.galleries, NEW) == photo_counts(fake.galleries, OLD)
