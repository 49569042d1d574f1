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

from tests.fakes.memory import (
    NOON,
    FakeClock,
    FakeModel,
    MemoryInputReader,
    MemoryLedger,
    SingleModel,
)
from vigil.alerts.rules import default_rules
from vigil.drops.ledger import Lease, ProcessingResult, SubjectBeingErased
from vigil.drops.messages import Drop, S3Object
from vigil.drops.process import Invocation, ProcessingPorts, process_drop
from vigil.errors import Transient
from vigil.inference.types import Prediction, Sighting
from vigil.people.enrolment import Person
from vigil.people.erasure import ErasureReceipt, ErasureService, erase_person
from vigil.people.gallery_pointer import GalleryPointer

ADA = Person("p-0123456789ab", "Ada")
PHOTO = S3Object("photos", "live/eye/door/a.jpg", "v1")
LEASE = timedelta(seconds=20)
CALLS = 13
"""That an erasure makes to its ports, at least."""


class Killed(BaseException):
    """The function dies."""


@dataclass(frozen=True)
class FakeGallery:
    version: int = 1
    people: frozenset[str] = frozenset({ADA.id})
    incomplete_spaces: frozenset[str] = frozenset()

    def prediction(self) -> Prediction:
        """What a lane makes of a photo of Ada."""
        seen = Sighting(ADA.id, "known", 0.9) if ADA.id in self.people else Sighting("unknown", "unknown")
        return Prediction((seen,), found=1)


@dataclass
class CrashingErasure:
    """The ports of an erasure over the lanes' own ledger; at each call the next deed of a script comes first.

    indexed  drops whose sightings a search finds
    """

    steps: Iterator[str] = field(default_factory=lambda: repeat("go"))
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    gallery: FakeGallery = FakeGallery()
    profile: Person | None = ADA
    receipt: ErasureReceipt | None = None
    indexed: set[str] = field(default_factory=set)
    pending_results: list[tuple[Lease, Drop, Prediction]] = field(default_factory=list)
    names: Iterator[int] = field(default_factory=count)

    def predict_drop(self) -> None:
        """A lane compares a photo of Ada with the gallery in force."""
        drop = Drop(f"d{next(self.names)}", "eye", "door", PHOTO, NOON)
        claim = self.ledger.claim(drop, owner="w", now=NOON, until=NOON + LEASE)
        assert isinstance(claim, Lease)
        self.pending_results.append((claim, drop, self.gallery.prediction()))

    def commit_pending(self) -> None:
        """A lane keeps what it matched; what is refused is matched anew, when its message is seen again."""
        if self.pending_results:
            claim, drop, scene = self.pending_results.pop(0)
            try:
                self.ledger.save_result(claim, drop, ProcessingResult(scene, "r1", (), None, {}), now=NOON)
            except SubjectBeingErased:
                self.pending_results.append((claim, drop, self.gallery.prediction()))

    def remaining_references(self) -> set[str]:
        """Drops with sightings that name her."""
        seen = self.ledger.sightings.items()
        return {drop for drop, sightings in seen if ADA.id in {one.label for one in sightings}}

    def erasure_service(self) -> ErasureService[FakeGallery]:
        return ErasureService(
            records=self,
            personal_data=self,
            read_gallery=lambda: self.gallery,
            contains=lambda book, person: person in book.people,
            without_person=lambda book, person: FakeGallery(book.version + 1, book.people - {person}),
            remove_from_datasets=self._return_zero,
            remove_unknown_faces=self._return_zero,
            delete_pending_photos=self._return_zero,
            wait_for_index=self.wait_for_index,
            delete_snapshots=self._return_zero,
            delete_object_version=lambda _: None,
            clock=lambda: NOON,
        )

    def begin_erasure(self, person_id: str, now: datetime) -> Person | None:
        with _ScriptedCall(self):
            return self.profile

    def mark_being_erased(self, person: str, now: datetime) -> None:
        with _ScriptedCall(self):
            self.ledger.being_erased.add(person)

    def gallery_pointer(self) -> GalleryPointer:
        return GalleryPointer(self.gallery.version, {})

    def replace_gallery(self, *, base: int, gallery: FakeGallery, now: datetime) -> None:
        with _ScriptedCall(self):
            self.gallery = gallery

    def withdraw_consent(self, person_id: str) -> None:
        with _ScriptedCall(self):
            pass

    def wait_for_index(self) -> None:
        with _ScriptedCall(self):
            self.indexed = set(self.ledger.sightings)

    def recognised_photos(self, person: str) -> Iterable[S3Object]:
        with _ScriptedCall(self):
            return [PHOTO for _ in self.remaining_references() & self.indexed]

    def remove_references(self, person: str) -> Iterable[str]:
        for drop in sorted(self.remaining_references() & self.indexed):
            with _ScriptedCall(self):
                seen = self.ledger.sightings[drop]
                self.ledger.sightings[drop] = tuple(replace(one, label="erased") for one in seen)
            yield "sightings"

    def delete_cached_answers(self, person: str) -> int:
        return self._return_zero()

    def delete_templates(self, person: Person) -> int:
        return self._return_zero()

    def delete_profile(self, person_id: str) -> None:
        with _ScriptedCall(self):
            self.profile = None

    def save_receipt(self, erased: ErasureReceipt) -> None:
        with _ScriptedCall(self):
            self.receipt = erased

    def find_receipt(self, person: str) -> ErasureReceipt | None:
        return self.receipt

    def _return_zero(self, *_: Any) -> int:
        with _ScriptedCall(self):
            return 0


class _ScriptedCall:
    """One call to a port, with what the script says before and after it."""

    def __init__(self, fake: CrashingErasure) -> None:
        self._house, self._deed = fake, next(fake.steps)

    def __enter__(self) -> None:
        if self._deed == "dies-before":
            raise Killed
        if self._deed == "predict":
            self._house.predict_drop()
        if self._deed == "commit":
            self._house.commit_pending()

    def __exit__(self, *_: object) -> None:
        if self._deed == "dies-after":
            raise Killed


def run_until_erased(fake: CrashingErasure) -> None:
    """Asked for until it is done and says so."""
    for _ in range(40):
        try:
            erase_person(ADA.id, fake.erasure_service())
        except Killed:
            continue
        break
    while fake.pending_results:
        fake.commit_pending()


step_strategy = st.sampled_from(["go", "predict", "commit", "commit", "dies-before", "dies-after"])


@given(st.lists(step_strategy, max_size=40), st.integers(0, 3))
def test_nothing_is_left_whatever_happens(script: list[str], matched: int):
    house = CrashingErasure(chain(script, repeat("go")))
    for _ in range(matched):
        house.predict_drop()

    run_until_erased(house)

    assert (house.remaining_references(), house.profile, house.gallery.people) == (set(), None, frozenset())


@pytest.mark.parametrize("death", ["dies-before", "dies-after"])
@pytest.mark.parametrize("call", range(CALLS))
def test_an_erasure_that_died_waits_again_for_what_was_kept_last(call: int, death: str):
    house = CrashingErasure(chain(["go"] * call, [death], repeat("go")))
    house.predict_drop()
    house.commit_pending()

    run_until_erased(house)

    assert (house.remaining_references(), house.profile) == (set(), None)


def test_a_lane_that_matched_before_the_gallery_moved_keeps_nothing_of_them_and_looks_again():
    house, clock = CrashingErasure(), FakeClock()
    eye = FakeModel(house.gallery.prediction(), before_predict=lambda: run_until_erased(house))
    objects = MemoryInputReader({(PHOTO.key, "v1"): b"photo"})
    world = ProcessingPorts(house.ledger, objects, SingleModel(eye), default_rules, clock)
    drop = Drop("d1", "eye", "door", PHOTO, NOON)

    with pytest.raises(Transient):
        process_drop(drop, world, Invocation("w1", clock() + LEASE, LEASE))
    eye.prediction, eye.before_predict = house.gallery.prediction(), lambda: None
    process_drop(drop, world, Invocation("w2", clock() + LEASE, LEASE))

    assert [one.label for one in house.ledger.sightings["d1"]] == ["unknown"]
