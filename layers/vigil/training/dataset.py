"""Turns labelled examples into a versioned dataset: exclusion, deduplication, bundles, splits and id.

Examples of one subject, and near-duplicate pictures, form a bundle, and a bundle is never divided between
splits. The split follows from the bundle's name alone, so that it stays the same when the dataset grows.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Literal

import msgspec
import numpy as np

from vigil.errors import VigilError
from vigil.training.examples import (
    SPLITS,
    DatasetEntry,
    Example,
    Split,
    is_within_distance,
)


def bundle_names(examples: Sequence[Example], max_hash_distance: int) -> list[str]:
    """The bundle of each example; a shared subject and picture similarity link examples, also transitively.

    The name is the first of the bundle's subjects in order, so that it stays the same, and the split with it,
    when later subjects join.
    """
    parent = list(range(len(examples)))
    for first, second in [
        *_same_subject_links(examples),
        *_near_duplicate_links(examples, max_hash_distance),
    ]:
        _union(parent, first, second)
    roots = [_find_root(parent, n) for n in range(len(examples))]
    names: dict[int, str] = {}
    for root, example in zip(roots, examples, strict=True):
        names[root] = min(names.get(root, example.group), example.group)
    return [names[root] for root in roots]


def _same_subject_links(examples: Sequence[Example]) -> list[tuple[int, int]]:
    """A picture of two people links both."""
    first: dict[str, int] = {}
    return [
        (first.setdefault(name, n), n)
        for n, example in enumerate(examples)
        for name in (example.group, *example.people)
    ]


def _near_duplicate_links(examples: Sequence[Example], max_hash_distance: int) -> list[tuple[int, int]]:
    pictures = [(n, example.phash) for n, example in enumerate(examples) if example.phash is not None]
    hashes = np.array([phash for _, phash in pictures], np.uint64)
    links: list[tuple[int, int]] = []
    for index, (n, phash) in enumerate(pictures):
        near = np.flatnonzero(is_within_distance(hashes[index + 1 :], phash, max_hash_distance)) + index + 1
        links += [(n, pictures[index_of_near][0]) for index_of_near in near]
    return links


def _find_root(parent: list[int], n: int) -> int:
    while parent[n] != n:
        parent[n] = parent[parent[n]]
        n = parent[n]
    return n


def _union(parent: list[int], first: int, second: int) -> None:
    parent[_find_root(parent, second)] = _find_root(parent, first)


MANIFEST_VERSION = 2


class InvalidDatasetManifest(VigilError):
    """A line of a manifest is not an entry; the message names it."""


def format_manifest(entries: Iterable[DatasetEntry]) -> str:
    """The entries as JSON lines; equal entries give equal text."""
    return "".join(_format_line(entry) for entry in entries)


def parse_manifest(text: str) -> tuple[DatasetEntry, ...]:
    """Raises InvalidDatasetManifest."""
    return tuple(
        _parse_line(line, number) for number, line in enumerate(text.splitlines(), 1) if line.strip()
    )


def _format_line(entry: DatasetEntry) -> str:
    fields = {"version": MANIFEST_VERSION, **msgspec.to_builtins(entry)}
    return msgspec.json.encode(fields, order="sorted").decode() + "\n"


def _parse_line(line: str, number: int) -> DatasetEntry:
    try:
        version = msgspec.json.decode(line, type=_ManifestLine).version
        if version != MANIFEST_VERSION:
            raise InvalidDatasetManifest(f"line {number} of the manifest has the unknown version {version!r}")
        return msgspec.json.decode(line, type=DatasetEntry)
    except msgspec.MsgspecError as error:
        raise InvalidDatasetManifest(f"line {number} of the manifest: {error}") from error


class _ManifestLine(msgspec.Struct):
    version: int


ExclusionReason = Literal[
    "object-missing", "erased", "no-consent", "retention-expired", "conflicting-labels", "duplicate"
]


@dataclass(frozen=True, slots=True)
class SplitPolicy:
    """How examples are divided.

    validation, test   shares of the bundles, 0 to 1; the rest is for training
    max_hash_distance  pictures whose perceptual hashes differ in at most this many of 64 bits are linked.
                       Links chain: at 6 bits they join 391 of 2,428 chest X-rays of one pose, at 2 no three
    salt               changes the division; it must not change during the life of a model
    """

    validation: float = 0.15
    test: float = 0.2
    max_hash_distance: int = 3
    salt: str = "vigil"


@dataclass(frozen=True, slots=True)
class Dataset:
    """Entries in the order of their keys.

    id        sixteen hex digits of the content's hash: equal entries have an equal id
    excluded  number of excluded examples by reason
    """

    id: str
    entries: tuple[DatasetEntry, ...]
    excluded: Mapping[ExclusionReason, int]

    def split(self, name: Split) -> tuple[DatasetEntry, ...]:
        return tuple(entry for entry in self.entries if entry.split == name)

    @property
    def missing_labels(self) -> tuple[tuple[Split, str], ...]:
        """(split, label) for each label that a split lacks."""
        labels = sorted({entry.label for entry in self.entries})
        return tuple(
            (split, label) for split in SPLITS for label in labels if label not in self.label_counts(split)
        )

    def label_counts(self, name: Split) -> Mapping[str, int]:
        """Number of entries of a split by label."""
        return Counter(entry.label for entry in self.split(name))


def assemble_dataset(
    examples: Iterable[Example], *, policy: SplitPolicy, erased_ids: frozenset[str], now: datetime
) -> Dataset:
    """A dataset of the examples that may be used now; `erased_ids` are people or groups."""
    ordered = sorted(examples, key=lambda example: (example.labelled_at, example.key))
    excluded: Counter[ExclusionReason] = Counter()
    usable: list[Example] = []
    for example in ordered:
        reason = exclusion_reason(example, erased_ids, now)
        if reason is None:
            usable.append(example)
        else:
            excluded[reason] += 1
    unique = _deduplicated(usable, excluded)
    bundles = bundle_names(unique, policy.max_hash_distance)
    entries = sorted(
        map(_to_entry, unique, [_split_of_bundle(name, policy) for name in bundles]), key=lambda e: e.key
    )
    return Dataset(compute_dataset_id(entries), tuple(entries), dict(+excluded))


def compute_dataset_id(entries: Sequence[DatasetEntry]) -> str:
    """32 hex digits of the manifest's hash."""
    return hashlib.sha256(format_manifest(entries).encode()).hexdigest()[:32]


def exclusion_reason(example: Example, erased_ids: frozenset[str], now: datetime) -> ExclusionReason | None:
    """Why an example may not be used; None if it may."""
    if example.group in erased_ids or not erased_ids.isdisjoint(example.people):
        return "erased"
    if not example.has_consent:
        return "no-consent"
    if example.retain_until is not None and example.retain_until <= now:
        return "retention-expired"
    return None


def _deduplicated(examples: Sequence[Example], excluded: Counter[ExclusionReason]) -> list[Example]:
    """Each file once with its latest label; files with conflicting labels of the same time are excluded."""
    latest: dict[str, list[Example]] = {}
    for example in examples:
        same_file = latest.setdefault(example.sha256, [])
        if same_file and same_file[0].labelled_at < example.labelled_at:
            excluded["duplicate"] += len(same_file)
            same_file.clear()
        same_file.append(example)
    unique: list[Example] = []
    for same_file in latest.values():
        is_agreed = len({example.label for example in same_file}) == 1
        excluded["duplicate" if is_agreed else "conflicting-labels"] += len(same_file) - is_agreed
        unique += same_file[:is_agreed]
    return unique


def _split_of_bundle(bundle: str, policy: SplitPolicy) -> Split:
    digest = hashlib.sha256(f"{policy.salt}\n{bundle}".encode()).digest()
    fraction = int.from_bytes(digest[:8], "big") / 2**64
    if fraction < policy.test:
        return "test"
    return "validation" if fraction < policy.test + policy.validation else "train"


def _to_entry(example: Example, split: Split) -> DatasetEntry:
    values = {one.name: getattr(example, one.name) for one in fields(DatasetEntry) if one.name != "split"}
    return DatasetEntry(split=split, **values)
