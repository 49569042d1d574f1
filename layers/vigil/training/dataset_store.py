"""Publishes datasets from labelled drops, and removes from stored ones what may no longer be used.

A dataset keeps its id, by which jobs and releases refer to it, when entries are removed. Its manifests are
rewritten and their older versions deleted; its summary records what was removed and the id of the rest.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Protocol

from vigil.errors import VigilError
from vigil.releases.manifest import RemovedTrainingData
from vigil.training.dataset import (
    Dataset,
    ExclusionReason,
    InvalidDatasetManifest,
    SplitPolicy,
    assemble_dataset,
    compute_dataset_id,
    exclusion_reason,
)
from vigil.training.examples import (
    SPLITS,
    DatasetEntry,
    Example,
    Split,
    TrainingPolicy,
    example_metadata,
    with_image,
)
from vigil.training.labels import Label


class InsufficientData(VigilError):
    """There are no labels, or a split lacks a label; the message names it."""


@dataclass(frozen=True, slots=True)
class DatasetCounts:
    """The content of a stored dataset in numbers; written last, so that a dataset with a summary is complete.

    content_id    the id of the present content; differs from `id` after a removal
    excluded      examples that were not used, by reason
    label_counts  entries by split and label
    """

    id: str
    content_id: str
    created_at: datetime
    excluded: Mapping[ExclusionReason, int]
    label_counts: Mapping[Split, Mapping[str, int]]
    removals: tuple[RemovedTrainingData, ...] = ()

    @property
    def items(self) -> int:
        return sum(count for counts in self.label_counts.values() for count in counts.values())


class DatasetRepository(Protocol):
    """Stores datasets by (model, dataset id), their files by split and name. Raises Transient."""

    def list_datasets(self) -> Iterable[tuple[str, str]]:
        """Every dataset, including incomplete ones."""

    def folder(self, model: str, dataset_id: str) -> str:
        """The key of the dataset's folder in the object store, for training jobs."""

    def read_entries(self, model: str, dataset_id: str, split: Split) -> tuple[DatasetEntry, ...]:
        """The entries of a split; empty if it is not stored."""

    def save_entries(
        self, model: str, dataset_id: str, split: Split, entries: Sequence[DatasetEntry]
    ) -> None: ...
    def delete_old_entries(self, model: str, dataset_id: str, split: Split) -> None:
        """Delete every version of the entries except the newest."""

    def put_file(self, model: str, dataset_id: str, split: Split, name: str, data: bytes) -> None: ...
    def get_file(self, model: str, dataset_id: str, split: Split, name: str) -> bytes: ...
    def delete_file(self, model: str, dataset_id: str, split: Split, name: str) -> None:
        """Delete every version of a file."""

    def read_summary(self, model: str, dataset_id: str) -> DatasetCounts | None: ...
    def save_summary(self, model: str, dataset_id: str, summary: DatasetCounts) -> None: ...
    def delete_old_summaries(self, model: str, dataset_id: str) -> None:
        """Delete every version of the summary except the newest."""


@dataclass(frozen=True, slots=True)
class DatasetStore:
    """`record_removal` records a removal in every release that was trained on (model, dataset id)."""

    repository: DatasetRepository
    record_removal: Callable[[str, str, RemovedTrainingData], None]

    def remove_person(self, person: str, now: datetime) -> tuple[int, tuple[str, ...]]:
        """Remove the entries of a person from every dataset; their number. Raises Transient.

        A dataset that cannot be read stops no other one; they are returned as model/dataset.
        """
        removed, unreadable = 0, []
        for model, dataset_id in self.repository.list_datasets():
            try:
                removed += prune_dataset(
                    model, dataset_id, lambda entry: person in entry.people, self, now=now
                )
            except InvalidDatasetManifest:
                unreadable.append(f"{model}/{dataset_id}")
        return removed, tuple(unreadable)


@dataclass(frozen=True, slots=True)
class DatasetBuilder:
    """`map_parallel` maps a function over items, several at a time if it can."""

    store: DatasetStore
    policy: TrainingPolicy
    map_parallel: Callable[[Callable[..., Any], Iterable[Any]], Iterable[Any]] = map


def publish_dataset(
    model: str, labels: Iterable[Label], split_policy: SplitPolicy, builder: DatasetBuilder, *, now: datetime
) -> Dataset:
    """Store the dataset of the present labels, unless it is stored already.

    Entries of people who are erased or withdraw while it is being stored are removed before it is used.
    Raises InsufficientData, Transient.
    """
    dataset, images = _assemble(labels, split_policy, builder, now)
    if not dataset.entries or dataset.missing_labels:
        missing = ", ".join(f"no {label} in {split}" for split, label in dataset.missing_labels[:5])
        exclusions = "".join(f"; {count} {reason}" for reason, count in dataset.excluded.items())
        raise InsufficientData(f"dataset of {model}: {missing or 'there are no labels'}{exclusions}")
    repository = builder.store.repository
    if repository.read_summary(model, dataset.id) is None:
        _store_files(model, dataset, images, builder)
        counts = {split: dict(dataset.label_counts(split)) for split in SPLITS}
        summary = DatasetCounts(dataset.id, dataset.id, now, dataset.excluded, counts)
        repository.save_summary(model, dataset.id, summary)
    prune_dataset(model, dataset.id, partial(is_withdrawn, builder.policy), builder.store, now=now)
    return dataset


def prune_dataset(
    model: str,
    dataset_id: str,
    is_unfit: Callable[[DatasetEntry], bool],
    store: DatasetStore,
    *,
    now: datetime,
) -> int:
    """Remove unfit entries; returns their number. After a failure it can be repeated and completes.

    The summary is written last: until then, a repetition records the removal in the releases again.
    """
    repository = store.repository
    entries = [
        entry for split in SPLITS for entry in _prune_split(model, dataset_id, split, is_unfit, repository)
    ]
    remaining = sorted((entry for entry in entries if not is_unfit(entry)), key=lambda entry: entry.key)
    summary, content_id = repository.read_summary(model, dataset_id), compute_dataset_id(remaining)
    if summary is not None:
        if content_id != summary.content_id:
            removal = RemovedTrainingData(content_id, summary.items - len(remaining), now)
            store.record_removal(model, dataset_id, removal)
            counts = {
                split: Counter(one.label for one in remaining if one.split == split) for split in SPLITS
            }
            removals = (*summary.removals, removal)
            updated = replace(summary, content_id=content_id, label_counts=counts, removals=removals)
            repository.save_summary(model, dataset_id, updated)
        repository.delete_old_summaries(model, dataset_id)
    return len(entries) - len(remaining)


def is_expired(entry: DatasetEntry, now: datetime) -> bool:
    return entry.retain_until is not None and entry.retain_until <= now


def is_withdrawn(policy: TrainingPolicy, entry: DatasetEntry) -> bool:
    """Whether a person in an entry is erased or has withdrawn consent, or its source permits no training."""
    is_closed = policy.source_policy(entry.slices.get("source", "")) == "never"
    return is_closed or not all(map(policy.has_consented, entry.people))


def read_test_set(
    model: str, dataset_id: str, repository: DatasetRepository
) -> tuple[tuple[DatasetEntry, bytes], ...]:
    """The test split of a dataset with its files."""
    return tuple(
        (entry, repository.get_file(model, dataset_id, "test", entry.key))
        for entry in repository.read_entries(model, dataset_id, "test")
    )


def _prune_split(
    model: str,
    dataset_id: str,
    split: Split,
    is_unfit: Callable[[DatasetEntry], bool],
    repository: DatasetRepository,
) -> tuple[DatasetEntry, ...]:
    """Delete files before the entries that name them; returns the entries as they were."""
    entries = repository.read_entries(model, dataset_id, split)
    removed = [entry for entry in entries if is_unfit(entry)]
    for entry in removed:
        repository.delete_file(model, dataset_id, split, entry.key)
    if removed:
        repository.save_entries(model, dataset_id, split, [one for one in entries if not is_unfit(one)])
    repository.delete_old_entries(model, dataset_id, split)
    return entries


def _assemble(
    labels: Iterable[Label], split_policy: SplitPolicy, builder: DatasetBuilder, now: datetime
) -> tuple[Dataset, Mapping[str, bytes]]:
    """The dataset and its files; the file of an example that may not be used is never read."""
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


def _store_files(model: str, dataset: Dataset, images: Mapping[str, bytes], builder: DatasetBuilder) -> None:
    """Entries before files: every stored file is named by an entry, also after a failure."""
    repository = builder.store.repository
    for split in SPLITS:
        entries = dataset.split(split)
        repository.save_entries(model, dataset.id, split, entries)

        def put_file(name: str, split: Split = split) -> None:
            repository.put_file(model, dataset.id, split, name, images[name])

        list(builder.map_parallel(put_file, [entry.key for entry in entries]))
