"""Examples that must not be torn apart: of one subject, or nearly the same picture."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

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
    """The name of each example's bundle: all that subject or likeness links, also through others.

    A bundle is called by the first of its subjects in order, so that it keeps its name as it grows with later
    subjects and its split with it.
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
    """A picture of two people ties both together."""
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


# MERGED: A data set's entries as JSON lines, and back: one entry a line, the same text for the same entries.

MANIFEST_VERSION = 2


class InvalidDatasetManifest(VigilError):
    """A line of a manifest is not an entry; the message says which and why."""


def format_manifest(entries: Iterable[DatasetEntry]) -> str:
    """The manifest's text."""
    return "".join(_format_line(entry) for entry in entries)


def parse_manifest(text: str) -> tuple[DatasetEntry, ...]:
    """The entries of a manifest's text. Raises BadManifest."""
    return tuple(
        _parse_line(line, number) for number, line in enumerate(text.splitlines(), 1) if line.strip()
    )


def _format_line(entry: DatasetEntry) -> str:
    fields = {
        "version": MANIFEST_VERSION,
        "object": entry.key,
        "sha256": entry.sha256,
        "label": entry.label,
        "split": entry.split,
        "group": entry.group,
        "labelled_by": entry.labelled_by,
        "labelled_at": entry.labelled_at.isoformat(),
        "people": list(entry.people),
        "retain_until": entry.retain_until.isoformat() if entry.retain_until else None,
        "slices": dict(sorted(entry.slices.items())),
    }
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")) + "\n"


def _parse_line(line: str, number: int) -> DatasetEntry:
    try:
        return _parse_entry(json.loads(line))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidDatasetManifest(f"line {number} of the manifest: {error!r}") from error


def _parse_entry(fields: dict[str, Any]) -> DatasetEntry:
    if fields["version"] != MANIFEST_VERSION or fields["split"] not in SPLITS:
        raise ValueError(f"version {fields['version']!r} or split {fields['split']!r} is unknown")
    return DatasetEntry(
        key=str(fields["object"]),
        sha256=str(fields["sha256"]),
        label=str(fields["label"]),
        split=fields["split"],
        group=str(fields["group"]),
        labelled_by=str(fields["labelled_by"]),
        labelled_at=datetime.fromisoformat(fields["labelled_at"]),
        people=tuple(map(str, fields["people"])),
        retain_until=datetime.fromisoformat(fields["retain_until"]) if fields["retain_until"] else None,
        slices={str(name): str(value) for name, value in fields["slices"].items()},
    )


# MERGED: Labelled examples become a versioned data set: only what we may use, and nobody in both train and
#   test. / examples ── erased? consented? still to be kept? seen before? ──> bundles ──> splits ──> id of
#   the content / A bundle's split is decided by its name alone. So who was once held out stays held out
#   when the set grows.

ExclusionReason = Literal[
    "object-missing", "erased", "no-consent", "retention-expired", "conflicting-labels", "duplicate"
]


@dataclass(frozen=True, slots=True)
class SplitPolicy:
    """How a data set is made.

    validation, test  shares of the bundles, 0 to 1; the rest trains
    max_hash_distance pictures whose perceptual hashes differ in at most so many of 64 bits are one. Likeness
                      chains: at 6 bits, 391 of 2,428 chest X-rays of one pose hang together, at 2 no three
    salt              another salt, another division: keep it for the life of a model
    """

    validation: float = 0.15
    test: float = 0.2
    max_hash_distance: int = 3
    salt: str = "vigil"


@dataclass(frozen=True, slots=True)
class Dataset:
    """What may be learned from, in the order of the objects' keys.

    id    sixteen hex digits of the content: the same entries are the same set, whenever it was made
    left  how many examples were left out, by reason
    """

    id: str
    entries: tuple[DatasetEntry, ...]
    excluded: Mapping[ExclusionReason, int]

    def split(self, name: Split) -> tuple[DatasetEntry, ...]:
        return tuple(entry for entry in self.entries if entry.split == name)

    @property
    def missing_labels(self) -> tuple[tuple[Split, str], ...]:
        """Labels that a split has none of: learned and not measured, or the other way round."""
        labels = sorted({entry.label for entry in self.entries})
        return tuple(
            (split, label) for split in SPLITS for label in labels if label not in self.label_counts(split)
        )

    def label_counts(self, name: Split) -> Mapping[str, int]:
        """Entries of a split by label."""
        return Counter(entry.label for entry in self.split(name))


def assemble_dataset(
    examples: Iterable[Example], *, policy: SplitPolicy, erased_ids: frozenset[str], now: datetime
) -> Dataset:
    """Make a data set of what may be used now; `erased` are people, or groups, that asked to be forgotten."""
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
    """Sixteen hex digits that change with any entry."""
    return hashlib.sha256(format_manifest(entries).encode()).hexdigest()[:16]


def exclusion_reason(example: Example, erased_ids: frozenset[str], now: datetime) -> ExclusionReason | None:
    """Why an example may not be used; None where it may."""
    if example.group in erased_ids or not erased_ids.isdisjoint(example.people):
        return "erased"
    if not example.has_consent:
        return "no-consent"
    if example.retain_until is not None and example.retain_until <= now:
        return "retention-expired"
    return None


def _deduplicated(examples: Sequence[Example], excluded: Counter[ExclusionReason]) -> list[Example]:
    """Each file once, by its latest label; where reviewers disagree at the same moment, not at all."""
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
    return DatasetEntry(
        key=example.key,
        sha256=example.sha256,
        label=example.label,
        split=split,
        group=example.group,
        labelled_by=example.labelled_by,
        labelled_at=example.labelled_at,
        people=example.people,
        retain_until=example.retain_until,
        slices=example.slices,
    )
