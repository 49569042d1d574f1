"""Whatever lanes are processing, and wherever an erasure dies, nothing that names the person remains.

A search finds what was committed before it only after a pause, as with DynamoDB's indexes.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import chain, count, repeat
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.fakes.memory import (
    NOON,
    FakeClock,
    FakeModel,
    MemoryInputReader,
    MemoryLedger,
    SingleModel,
)
from tests.unit.people.builders import gallery_set
from vigil.alerts.rules import default_rules
from vigil.drops.ledger import Lease, ProcessingResult, SubjectBeingErased
from vigil.drops.messages import Drop, S3Object
from vigil.drops.process import Invocation, ProcessingPorts, process_drop
from vigil.errors import Transient
from vigil.faces.gallery import GallerySet
from vigil.inference.types import Prediction, Sighting
from vigil.people.erasure import ErasureService
from vigil.people.person import (
    DropReferences,
    ErasureProgress,
    ErasureReceipt,
    ErasureStep,
    GalleryPointer,
    Person,
)

ADA = Person("p-0123456789ab", "Ada")
PHOTO = S3Object("photos", "live/eye/door/a.jpg", "v1")
LEASE = timedelta(seconds=20)
CALLS = 13
"""The least number of calls that an erasure makes to its ports."""


class Killed(BaseException):
    """The function dies."""


@dataclass
class CrashingErasure:
    """The ports of an erasure over the ledger of the lanes; each call first runs the next step of a script.

    indexed  drops whose sightings a search finds
    """

    steps: Iterator[str] = field(default_factory=lambda: repeat("go"))
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    galleries: GallerySet = field(default_factory=lambda: gallery_set([ADA.id], version=1))
    profile: Person | None = ADA
    receipt: ErasureReceipt | None = None
    progress: ErasureProgress | None = None
    indexed: set[str] = field(default_factory=set)
    pending_results: list[tuple[Lease, Drop, Prediction]] = field(default_factory=list)
    names: Iterator[int] = field(default_factory=count)

    def prediction(self) -> Prediction:
        """The prediction of a lane on a photo of Ada."""
        is_known = self.galleries.contains_person(ADA.id)
        sighting = Sighting(ADA.id, "known", 0.9) if is_known else Sighting("unknown", "unknown")
        return Prediction((sighting,), found=1)

    def predict_drop(self) -> None:
        """A lane compares a photo of Ada with the galleries in force."""
        drop = Drop(f"d{next(self.names)}", "eye", "door", PHOTO, NOON)
        lease = self.ledger.claim(drop, owner="w", now=NOON, until=NOON + LEASE)
        assert isinstance(lease, Lease)
        self.pending_results.append((lease, drop, self.prediction()))

    def commit_pending(self) -> None:
        """A lane stores its result; a result that is refused is matched again when its message returns."""
        if self.pending_results:
            lease, drop, prediction = self.pending_results.pop(0)
            try:
                result = ProcessingResult(prediction, "r1", (), None, {})
                self.ledger.save_result(lease, drop, result, now=NOON)
            except SubjectBeingErased:
                self.pending_results.append((lease, drop, self.prediction()))

    def remaining_references(self) -> set[str]:
        """Drops with sightings that name her."""
        stored = self.ledger.sightings.items()
        return {drop for drop, sightings in stored if ADA.id in {one.label for one in sightings}}

    def erasure_service(self) -> ErasureService:
        return ErasureService(
            records=self,
            personal_data=self,
            galleries=self,
            templates=self,
            unknown_faces=self,
            datasets=self,
            objects=self,
            wait_for_index=self.wait_for_index,
            clock=lambda: NOON,
        )

    def read(self, name: str) -> GallerySet:
        return self.galleries

    def vectors(self, person: str) -> Mapping[str, NDArray[np.float32]]:
        return {}

    def remove_matching(
        self, vectors: Mapping[str, NDArray[np.float32]], cursor: Mapping[str, str]
    ) -> tuple[int, Mapping[str, str]]:
        return self._return_zero(), {}

    def remove_person(self, person: str, now: datetime) -> tuple[int, tuple[str, ...]]:
        return self._return_zero(), ()

    def delete_pending_photos(self, person: str) -> int:
        return self._return_zero()

    def delete_unused_segments(self, gallery: str, version: int, keys: Collection[str]) -> int:
        return self._return_zero()

    def delete_photo(self, item: S3Object) -> None:
        with _ScriptedCall(self):
            assert item == PHOTO

    def begin_erasure(self, person_id: str, now: datetime) -> Person | None:
        with _ScriptedCall(self):
            return self.profile

    def mark_being_erased(self, person: str, now: datetime) -> None:
        with _ScriptedCall(self):
            self.ledger.being_erased.add(person)

    def gallery_pointer(self, name: str) -> GalleryPointer:
        return GalleryPointer(self.galleries.version, {})

    def replace_gallery(self, *, base: int, gallery: GallerySet, now: datetime) -> None:
        with _ScriptedCall(self):
            self.galleries = gallery

    def withdraw_consent(self, person_id: str) -> None:
        with _ScriptedCall(self):
            pass

    def wait_for_index(self) -> None:
        with _ScriptedCall(self):
            self.indexed = set(self.ledger.sightings)

    def begin_progress(self, person: str, now: datetime) -> ErasureProgress:
        with _ScriptedCall(self):
            self.progress = self.progress or ErasureProgress(person, now, "galleries", {})
            return self.progress

    def unfinished_erasures(self, now: datetime) -> Sequence[ErasureProgress]:
        return [self.progress] if self.progress else []

    def advance(
        self,
        progress: ErasureProgress,
        *,
        step: ErasureStep,
        cursor: Mapping[str, str],
        counts: Mapping[str, int],
        now: datetime,
    ) -> ErasureProgress:
        with _ScriptedCall(self):
            self.progress = replace(progress, step=step, cursor=cursor)
            return self.progress

    def delete_progress(self, person: str) -> None:
        with _ScriptedCall(self):
            self.progress = None

    def references(
        self, person: str, cursor: Mapping[str, str]
    ) -> tuple[Sequence[DropReferences], Mapping[str, str]]:
        with _ScriptedCall(self):
            found = sorted(self.remaining_references() & self.indexed)
            return [DropReferences(((drop, "sighting#000"),), drop, PHOTO) for drop in found], {}

    def remove_references(self, person: str, found: DropReferences, now: datetime) -> None:
        with _ScriptedCall(self):
            drop = str(found.drop)
            sightings = self.ledger.sightings[drop]
            self.ledger.sightings[drop] = tuple(replace(one, label="erased") for one in sightings)

    def delete_cached_answers(
        self, person: Person, cursor: Mapping[str, str]
    ) -> tuple[int, Mapping[str, str]]:
        return self._return_zero(), {}

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
    """One call to a port, with the steps of the script before and after it."""

    def __init__(self, fake: CrashingErasure) -> None:
        self._fake, self._step = fake, next(fake.steps)

    def __enter__(self) -> None:
        if self._step == "dies-before":
            raise Killed
        if self._step == "predict":
            self._fake.predict_drop()
        if self._step == "commit":
            self._fake.commit_pending()

    def __exit__(self, *_: object) -> None:
        if self._step == "dies-after":
            raise Killed


def run_until_erased(fake: CrashingErasure) -> None:
    """Call it until it returns."""
    for _ in range(40):
        try:
            fake.erasure_service().erase_person(ADA.id, lambda: True)
        except Killed:
            continue
        break
    while fake.pending_results:
        fake.commit_pending()


step_strategy = st.sampled_from(["go", "predict", "commit", "commit", "dies-before", "dies-after"])


@given(st.lists(step_strategy, max_size=40), st.integers(0, 3))
def test_nothing_that_names_the_person_remains_after_any_script(script: list[str], matched: int):
    fake = CrashingErasure(chain(script, repeat("go")))
    for _ in range(matched):
        fake.predict_drop()

    run_until_erased(fake)

    assert (fake.remaining_references(), fake.profile, fake.galleries.person_ids()) == (set(), None, ())


@pytest.mark.parametrize("death", ["dies-before", "dies-after"])
@pytest.mark.parametrize("call", range(CALLS))
def test_an_erasure_that_died_waits_again_for_the_index(call: int, death: str):
    fake = CrashingErasure(chain(["go"] * call, [death], repeat("go")))
    fake.predict_drop()
    fake.commit_pending()

    run_until_erased(fake)

    assert (fake.remaining_references(), fake.profile) == (set(), None)


def test_a_lane_that_matched_before_the_galleries_changed_stores_nothing_and_matches_again():
    fake, clock = CrashingErasure(), FakeClock()
    model = FakeModel(fake.prediction(), before_predict=lambda: run_until_erased(fake))
    objects = MemoryInputReader({(PHOTO.key, "v1"): b"photo"})
    ports = ProcessingPorts(fake.ledger, objects, SingleModel(model), default_rules, clock)
    drop = Drop("d1", "eye", "door", PHOTO, NOON)

    with pytest.raises(Transient):
        process_drop(drop, ports, Invocation("w1", clock() + LEASE, LEASE))
    model.prediction, model.before_predict = fake.prediction(), lambda: None
    process_drop(drop, ports, Invocation("w2", clock() + LEASE, LEASE))

    assert [one.label for one in fake.ledger.sightings["d1"]] == ["unknown"]
