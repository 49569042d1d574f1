"""Labelled drops become a data set once; what may not be used is left out unread, and taken out later."""

import io
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np
import pytest
from PIL import Image

from cloud.s3.datasets import S3DatasetRepository
from tests.fakes.memory import NOON, MemoryObjectStore
from vigil.alerts.rules import ConsentPolicy
from vigil.drops.ledger import DropRecord
from vigil.drops.messages import S3Object
from vigil.errors import ObjectNotFound
from vigil.inference.types import Sighting
from vigil.releases.manifest import RemovedTrainingData
from vigil.training.dataset import SplitPolicy
from vigil.training.dataset_store import (
    DatasetBuilder,
    DatasetStore,
    InsufficientData,
    is_expired,
    is_withdrawn,
    prune_dataset,
    publish_dataset,
    read_test_set,
)
from vigil.training.examples import SPLITS, DatasetEntry, DropForTraining, TrainingPolicy
from vigil.training.labels import CannotLabel, Label, label_drop

SPLIT_POLICY = SplitPolicy(validation=0.25, test=0.25, max_hash_distance=0)
ADA, BOB, EVE = "p-0000000000ad", "p-0000000000b0", "p-0000000000ee"
SIDE = 40


def picture(number: int) -> bytes:
    packed = io.BytesIO()
    noise = np.random.default_rng(number).integers(0, 255, (SIDE, SIDE)).astype(np.uint8)
    Image.fromarray(noise).save(packed, "PNG")
    return packed.getvalue()


LABELS = [Label(f"d{n}", "digits", "door", "ab"[n % 2], "reviewer", NOON) for n in range(60)]


@dataclass
class FakeTrainingData:
    """Drops, people and sources; it notes which pictures were read and which releases are marked.

    seen  what was seen in a drop, where it is more than nothing
    """

    objects: MemoryObjectStore = field(default_factory=MemoryObjectStore)
    sightings: dict[str, tuple[Sighting, ...]] = field(default_factory=dict)
    consents: dict[str, bool] = field(default_factory=dict)
    policies: dict[str, ConsentPolicy] = field(default_factory=lambda: {"door": "always"})
    retain_until: dict[str, datetime] = field(default_factory=dict)
    read_keys: list[str] = field(default_factory=list)
    removals: list[tuple[str, str, RemovedTrainingData]] = field(default_factory=list)

    @property
    def builder(self) -> DatasetBuilder:
        return DatasetBuilder(self.store, self.policy)

    @property
    def repository(self) -> S3DatasetRepository:
        return S3DatasetRepository(self.objects)

    @property
    def store(self) -> DatasetStore:
        return DatasetStore(self.repository, lambda *mark: self.removals.append(mark))

    @property
    def policy(self) -> TrainingPolicy:
        return TrainingPolicy(
            self._drop, lambda source: self.policies.get(source, "never"), self.consents.get, self._fetch
        )

    def publish(self, labels: list[Label]) -> str:
        return publish_dataset("digits", labels, SPLIT_POLICY, self.builder, now=NOON).id

    def entries(self, data: str) -> list[DatasetEntry]:
        return [entry for split in SPLITS for entry in self.repository.read_entries("digits", data, split)]

    def _drop(self, drop: str) -> DropForTraining | None:
        where = S3Object("photos", f"{drop[1:]}.png", "v")
        return (
            DropForTraining(where, self.sightings.get(drop, ()), self.retain_until.get(drop))
            if drop != "d1"
            else None
        )

    def _fetch(self, where: S3Object, most: int) -> bytes:
        number = int(where.key.removesuffix(".png"))
        self.read_keys.append(f"d{number}")
        if number == 0:
            raise ObjectNotFound("deleted before it was read")
        return picture(number)


def sightings_of(person: str, box: tuple[float, float, float, float] | None = None) -> tuple[Sighting, ...]:
    return (Sighting(person, "known", 0.8, box_px=box, quality=0.9),)


UNKNOWN = Sighting("unknown", "unknown", 0.1)


def test_a_dataset_is_stored_with_its_files_and_reviewers():
    here = FakeTrainingData()

    data = publish_dataset("digits", LABELS, SPLIT_POLICY, here.builder, now=NOON)

    assert (len(data.entries), data.excluded) == (58, {"object-missing": 2})
    assert not data.missing_labels
    held_out = read_test_set("digits", data.id, here.repository)
    assert {entry.labelled_by for entry, _ in held_out} == {"reviewer"}
    assert len(held_out) == len(data.split("test"))


def test_the_same_labels_make_the_same_dataset_stored_once():
    here = FakeTrainingData()
    first = here.publish(LABELS)
    before = here.objects.put_count

    again = here.publish(LABELS[::-1])

    assert (again, here.objects.put_count) == (first, before)


def test_a_corrected_label_makes_another_dataset():
    here = FakeTrainingData()

    assert here.publish([*LABELS[:-1], replace(LABELS[-1], label="a")]) != here.publish(LABELS)


def test_the_error_for_too_few_labels_names_the_split():
    with pytest.raises(InsufficientData, match="in test"):
        FakeTrainingData().publish(LABELS[:4])


def test_pictures_of_a_source_without_permission_are_never_read():
    here = FakeTrainingData(policies={})

    with pytest.raises(InsufficientData, match="59 no-consent"):
        here.publish(LABELS)

    assert here.read_keys == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"consents": {ADA: False}}, "no-consent"),
        ({"consents": {}}, "erased"),
        ({"consents": {ADA: True}, "retain_until": {"d5": NOON}}, "retention-expired"),
        ({"consents": {ADA: True}, "policies": {"door": "never"}}, "no-consent"),
    ],
)
def test_excluded_examples_are_never_read(changes: dict[str, object], reason: str):
    here = FakeTrainingData(sightings={"d5": sightings_of(ADA)})
    for name, value in changes.items():
        setattr(here, name, value)
    others = [one for one in LABELS if one.drop != "d5"]
    elsewhere = [replace(one, source="studio") for one in others]
    here.policies["studio"] = "always"

    data = publish_dataset("digits", [LABELS[5], *elsewhere], SPLIT_POLICY, here.builder, now=NOON)

    assert data.excluded == {"object-missing": 2, reason: 1}
    assert "d5" not in here.read_keys


def test_a_source_for_consented_people_gives_only_their_examples():
    seen = {"d4": sightings_of(ADA), "d5": (*sightings_of(ADA), UNKNOWN), "d6": (UNKNOWN,)}
    here = FakeTrainingData(
        sightings=seen, consents={ADA: True}, policies={"door": "always", "hall": "consented"}
    )
    hall = [replace(LABELS[n], source="hall") for n in (4, 5, 6, 7)]

    data = publish_dataset("digits", [*LABELS[:4], *hall, *LABELS[8:]], SPLIT_POLICY, here.builder, now=NOON)

    assert data.excluded == {"object-missing": 2, "no-consent": 3}
    assert [entry.people for entry in data.entries if entry.slices["source"] == "hall"] == [(ADA,)]


def test_a_picture_of_two_people_keeps_both_in_one_split():
    here = FakeTrainingData(consents=dict.fromkeys((ADA, BOB, EVE), True))
    for n in range(2, 60):
        here.sightings[f"d{n}"] = sightings_of((ADA, BOB, EVE)[n % 3]) if n < 20 else ()
    here.sightings["d20"] = (*sightings_of(ADA), *sightings_of(BOB))

    entries = here.entries(here.publish(LABELS))

    of_both = {entry.split for entry in entries if {ADA, BOB} & set(entry.people)}
    assert len(of_both) == 1
    assert len({entry.split for entry in entries if EVE in entry.people}) == 1


def test_only_the_box_of_a_labelled_sighting_is_stored():
    here = FakeTrainingData(
        consents={ADA: True}, sightings={"d3": (UNKNOWN, *sightings_of(ADA, (10, 10, 20, 20)))}
    )
    said = replace(LABELS[3], sighting=1, predicted_label=ADA)

    data = publish_dataset("digits", [*LABELS[:3], said, *LABELS[4:]], SPLIT_POLICY, here.builder, now=NOON)

    (entry,) = (entry for entry in data.entries if entry.people)
    kept = here.repository.get_file("digits", data.id, entry.split, entry.key)
    assert Image.open(io.BytesIO(kept)).size == (17, 17)
    assert entry.group == ADA


def test_examples_of_one_unknown_subject_are_in_one_split():
    here = FakeTrainingData()
    labels = [replace(one, predicted_label=f"unknown-{n % 7}") for n, one in enumerate(LABELS)]

    entries = here.entries(here.publish(labels))

    where: dict[str, set[str]] = {}
    for entry in entries:
        where.setdefault(entry.group, set()).add(entry.split)
    assert {len(splits) for splits in where.values()} == {1}


def test_the_manifest_has_the_slices():
    here = FakeTrainingData()

    entries = here.entries(here.publish(LABELS))

    assert {frozenset(entry.slices) for entry in entries} == {frozenset({"source", "lighting", "quality"})}


def test_an_erased_person_is_removed_in_every_version_and_releases_record_it():
    here = FakeTrainingData(
        consents={ADA: True, BOB: True},
        sightings={f"d{n}": sightings_of((ADA, BOB)[n % 2]) for n in range(4, 9)},
    )
    data = here.publish(LABELS)
    before = here.entries(data)

    gone = [
        prune_dataset("digits", data, lambda entry: ADA in entry.people, here.store, now=NOON)
        for _ in range(2)
    ]

    assert gone == [3, 0]
    assert [entry for entry in before if ADA not in entry.people] == here.entries(data)
    assert not any(
        ADA.encode() in version for versions in here.objects.versions.values() for version in versions
    )
    assert {len(versions) for key, versions in here.objects.versions.items() if "json" in key} == {1}
    stored_pictures = {key for key in here.objects.versions if key.endswith(".png")}
    assert len(stored_pictures) == len(before) - 3
    ((model, of_set, forgotten),) = here.removals
    assert (model, of_set, forgotten.removed_items, forgotten.removed_at) == ("digits", data, 3, NOON)


def test_the_remaining_content_has_the_id_of_the_next_dataset():
    here = FakeTrainingData(consents={ADA: True}, sightings={"d4": sightings_of(ADA)})
    data = here.publish(LABELS)
    prune_dataset("digits", data, lambda entry: ADA in entry.people, here.store, now=NOON)

    here.consents = {}
    again = here.publish(LABELS)

    assert here.removals[0][2].remaining_dataset_id == again != data


def test_an_interrupted_removal_is_completed_by_a_repetition():
    here = FakeTrainingData(consents={ADA: True}, sightings={f"d{n}": sightings_of(ADA) for n in range(4, 9)})
    data = here.publish(LABELS)

    def fails(*_: object) -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        prune_dataset(
            "digits", data, lambda entry: ADA in entry.people, DatasetStore(here.repository, fails), now=NOON
        )
    prune_dataset("digits", data, lambda entry: ADA in entry.people, here.store, now=NOON)

    assert [mark[2].removed_items for mark in here.removals] == [5]


def test_a_withdrawal_while_the_dataset_is_stored_removes_the_person():
    here = FakeTrainingData(consents={ADA: True}, sightings={"d4": sightings_of(ADA)})
    here.objects.before_put = here.consents.clear

    data = here.publish(LABELS)

    assert [entry for entry in here.entries(data) if entry.people] == []


def test_entries_of_a_closed_source_and_expired_entries_are_unfit():
    here = FakeTrainingData(retain_until={"d4": NOON + timedelta(days=1)})
    data = here.publish(LABELS)
    timed = [is_expired(entry, NOON + timedelta(days=1)) for entry in here.entries(data)]

    here.policies = {}

    assert timed.count(True) == 1
    assert all(is_withdrawn(here.policy, entry) for entry in here.entries(data))
    assert list(here.repository.list_datasets()) == [("digits", data)]


class FakeDropRecords:
    """One completed drop and one rejected drop."""

    def read_records(self, drop_ids: Collection[str]) -> Mapping[str, DropRecord]:
        states = {"completed": "done", "bad": "rejected"}
        return {
            drop: DropRecord(
                drop, states[drop], 1, NOON, s3_object=S3Object("b", drop), model="digits", source="door"
            )
            for drop in drop_ids
            if drop in states
        }


@dataclass
class MemoryLabels:
    labels: list[Label] = field(default_factory=list)

    def save_label(self, label: Label) -> None:
        self.labels.append(label)


def test_a_label_of_a_drop_is_stored_with_its_reviewer():
    store = MemoryLabels()

    label_drop("completed", "7", "reviewer", NOON, drops=FakeDropRecords(), labels=store)

    assert store.labels == [Label("completed", "digits", "door", "7", "reviewer", NOON)]


@pytest.mark.parametrize("drop", ["bad", "unknown"])
def test_only_completed_drops_can_be_labelled(drop: str):
    with pytest.raises(CannotLabel):
        label_drop(drop, "7", "reviewer", NOON, drops=FakeDropRecords(), labels=MemoryLabels())
