"""What may no longer be learned from goes out of a stored data set: pictures first, then the lines of them.

A pruned set keeps its name, by which jobs and releases know it. Its manifests are written anew, their older
versions are deleted; dataset.json says how much went and when, and as what content the rest would be known.
"""

import json
from collections import Counter
from collections.abc import (
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Protocol

from vigil.errors import VigilError
from vigil.releases.manifest import RemovedTrainingData
from vigil.training.dataset import (
    Dataset,
    ExclusionReason,
    SplitPolicy,
    assemble_dataset,
    compute_dataset_id,
    exclusion_reason,
    format_manifest,
    parse_manifest,
)
from vigil.training.examples import (
    SPLITS,
    DatasetEntry,
    Example,
    TrainingPolicy,
    example_metadata,
    with_image,
)
from vigil.training.labels import Label

DATASETS_PREFIX = "data"
MANIFEST_NAME = "manifest.jsonl"
SUMMARY_NAME = "dataset.json"


class ObjectStore(Protocol):
    """Where data sets are stored. Raises Transient."""

    def exists(self, key: str) -> bool:
        """Whether there is such an object."""

    def put_object(self, key: str, data: bytes) -> None:
        """Store an object."""

    def get_object(self, key: str) -> bytes:
        """Read an object."""

    def list_folders(self, prefix: str) -> Iterable[str]:
        """The names of the folders in a folder."""

    def delete_all_versions(self, key: str, *, except_newest: bool = False) -> None:
        """Delete every version of an object; or all but the newest."""


def dataset_prefix(model: str, dataset_id: str) -> str:
    return f"{DATASETS_PREFIX}/{model}/{dataset_id}"


def list_datasets(objects: ObjectStore) -> Iterator[tuple[str, str]]:
    """(model, data set) of everything that is stored, or was begun to be."""
    for model in objects.list_folders(DATASETS_PREFIX):
        for dataset_id in objects.list_folders(f"{DATASETS_PREFIX}/{model}"):
            yield model, dataset_id


@dataclass(frozen=True, slots=True)
class DatasetStore:
    """library  where data sets are stored
    mark     notes in the pedigrees of releases that learned from (model, data set) what is no longer in it
    """

    objects: ObjectStore
    record_removal: Callable[[str, str, RemovedTrainingData], None]

    def remove_person(self, person: str, now: datetime) -> int:
        """Remove the examples that show a person from every data set; how many. Raises Transient."""
        return sum(
            prune_dataset(model, dataset_id, lambda entry: person in entry.people, self, now=now)
            for model, dataset_id in list_datasets(self.objects)
        )


def prune_dataset(
    model: str,
    dataset_id: str,
    is_unfit: Callable[[DatasetEntry], bool],
    store: DatasetStore,
    *,
    now: datetime,
) -> int:
    """Take out what is unfit; how many. Done again after a failure, it goes on where it stopped.

    The set says last that it was pruned: until then, releases that learned from it are marked again.
    """
    prefix, objects = dataset_prefix(model, dataset_id), store.objects
    splits = {split: _prune_split(f"{prefix}/{split}", is_unfit, objects) for split in SPLITS}
    remaining = [entry for entries in splits.values() for entry in entries if not is_unfit(entry)]
    removed = sum(map(len, splits.values())) - len(remaining)
    if objects.exists(f"{prefix}/{SUMMARY_NAME}"):
        summary = json.loads(objects.get_object(f"{prefix}/{SUMMARY_NAME}"))
        content = compute_dataset_id(sorted(remaining, key=lambda entry: entry.key))
        if content != summary["content"]:
            before = sum(count for split in summary["splits"].values() for count in split.values())
            removal = RemovedTrainingData(content, before - len(remaining), now)
            store.record_removal(model, dataset_id, removal)
            objects.put_object(f"{prefix}/{SUMMARY_NAME}", _pruned_summary(summary, removal, remaining))
        objects.delete_all_versions(f"{prefix}/{SUMMARY_NAME}", except_newest=True)
    return removed


def is_expired(entry: DatasetEntry, now: datetime) -> bool:
    """Whether an entry's time is up."""
    return entry.retain_until is not None and entry.retain_until <= now


def _prune_split(
    prefix: str, is_unfit: Callable[[DatasetEntry], bool], objects: ObjectStore
) -> tuple[DatasetEntry, ...]:
    """What a split held; afterwards it holds what is fit, and no older version of its manifest says more."""
    key = f"{prefix}/{MANIFEST_NAME}"
    if not objects.exists(key):
        return ()
    entries = parse_manifest(objects.get_object(key).decode())
    removed = [entry for entry in entries if is_unfit(entry)]
    for entry in removed:
        objects.delete_all_versions(f"{prefix}/{entry.key}")
    if removed:
        objects.put_object(key, format_manifest(entry for entry in entries if not is_unfit(entry)).encode())
    objects.delete_all_versions(key, except_newest=True)
    return entries


def _pruned_summary(
    summary: dict[str, Any], removal: RemovedTrainingData, remaining: list[DatasetEntry]
) -> bytes:
    pruned = {"at": removal.removed_at.isoformat(), "items": removal.removed_items}
    splits = {split: Counter(entry.label for entry in remaining if entry.split == split) for split in SPLITS}
    updated = summary | {
        "content": removal.remaining_dataset_id,
        "splits": splits,
        "pruned": [*summary["pruned"], pruned],
    }
    return json.dumps(updated, indent=1, sort_keys=True).encode()


# MERGED: Labelled drops become a published data set: what may be used, read once, divided, stored under its
#   id.


class InsufficientData(VigilError):
    """Nothing was labelled, or a label is missing from a split; the message says which."""


class ObjectReader(Protocol):
    """Where data sets are read. Raises Transient."""

    def get_object(self, key: str) -> bytes:
        """Read an object."""


@dataclass(frozen=True, slots=True)
class DatasetBuilder:
    """stock     where data sets are stored
    register  where it is asked what may be used
    each      maps a function over many things, several at once if it can
    """

    store: DatasetStore
    policy: TrainingPolicy
    map_parallel: Callable[[Callable[..., Any], Iterable[Any]], Iterable[Any]] = map


def publish_dataset(
    model: str, labels: Iterable[Label], split_policy: SplitPolicy, builder: DatasetBuilder, *, now: datetime
) -> Dataset:
    """Store the data set of what is labelled now; one that is there already is left as it is.

    Who is erased or withdraws while it is being stored is taken out of it again before anybody learns.
    Raises TooLittle, Transient.
    """
    dataset, images = _assemble(labels, split_policy, builder, now)
    if not dataset.entries or dataset.missing_labels:
        missing = (
            ", ".join(f"{label} in {split}" for split, label in dataset.missing_labels[:5])
            or "nothing is labelled"
        )
        exclusions = "".join(f"; {count} {reason}" for reason, count in dataset.excluded.items())
        raise InsufficientData(f"data set of {model}: {missing}{exclusions}")
    summary_key, objects = f"{dataset_prefix(model, dataset.id)}/{SUMMARY_NAME}", builder.store.objects
    if not objects.exists(summary_key):
        _store_images(model, dataset, images, builder)
        objects.put_object(summary_key, _new_summary(dataset, now))
    prune_dataset(model, dataset.id, partial(is_withdrawn, builder.policy), builder.store, now=now)
    return dataset


def is_withdrawn(policy: TrainingPolicy, entry: DatasetEntry) -> bool:
    """Whether somebody in an entry is erased or does not consent any more, or its source is closed."""
    closed = policy.source_policy(entry.slices.get("source", "")) == "never"
    return closed or not all(map(policy.has_consented, entry.people))


def read_test_set(
    model: str, dataset_id: str, objects: ObjectReader
) -> tuple[tuple[DatasetEntry, bytes], ...]:
    """The test split of a data set, with its files."""
    prefix = f"{dataset_prefix(model, dataset_id)}/test"
    entries = parse_manifest(objects.get_object(f"{prefix}/{MANIFEST_NAME}").decode())
    return tuple((entry, objects.get_object(f"{prefix}/{entry.key}")) for entry in entries)


def _assemble(
    labels: Iterable[Label], split_policy: SplitPolicy, builder: DatasetBuilder, now: datetime
) -> tuple[Dataset, Mapping[str, bytes]]:
    """The data set and its pictures; of what may not be used no picture is read."""
    missing: Counter[ExclusionReason] = Counter()
    examples: list[Example] = []
    images: dict[str, bytes] = {}
    erased: set[str] = set()
    for example, data in builder.map_parallel(partial(_build_example, builder.policy, now), labels):
        if example is None:
            missing["object-missing"] += 1
            continue
        examples.append(example)
        erased |= builder.policy.erased_people(example.people)
        if data is not None:
            images[example.key] = data
    dataset = assemble_dataset(examples, policy=split_policy, erased_ids=frozenset(erased), now=now)
    return replace(dataset, excluded={**dataset.excluded, **missing}), images


def _build_example(
    policy: TrainingPolicy, now: datetime, label: Label
) -> tuple[Example, bytes | None] | tuple[None, None]:
    drop = policy.find_drop(label.drop)
    if drop is None:
        return None, None
    example = example_metadata(label, drop, policy)
    if exclusion_reason(example, policy.erased_people(example.people), now) is not None:
        return example, None
    return with_image(example, label, drop, policy.fetch_object) or (None, None)


def _store_images(model: str, dataset: Dataset, images: Mapping[str, bytes], builder: DatasetBuilder) -> None:
    """Manifests before pictures: whatever is there, a manifest names it, also where storing broke off."""
    objects = builder.store.objects
    for split in SPLITS:
        prefix = f"{dataset_prefix(model, dataset.id)}/{split}"
        names: Sequence[str] = [entry.key for entry in dataset.split(split)]
        objects.put_object(f"{prefix}/{MANIFEST_NAME}", format_manifest(dataset.split(split)).encode())
        list(builder.map_parallel(partial(_put_image, objects, prefix, images), names))


def _put_image(objects: ObjectStore, prefix: str, images: Mapping[str, bytes], name: str) -> None:
    objects.put_object(f"{prefix}/{name}", images[name])


def _new_summary(dataset: Dataset, now: datetime) -> bytes:
    summary = {
        "id": dataset.id,
        "content": dataset.id,
        "made_at": now.isoformat(),
        "left": dict(dataset.excluded),
        "splits": {split: dict(dataset.label_counts(split)) for split in SPLITS},
        "pruned": [],
    }
    return json.dumps(summary, indent=1, sort_keys=True).encode()
