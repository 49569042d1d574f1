"""Labelled examples become a versioned data set: only what we may use, and nobody in both train and test.

    examples ── erased? consented? still to be kept? seen before? ──> bundles ──> splits ──> id of the content

A bundle's split is decided by its name alone. So who was once held out stays held out when the set grows.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from vigil.learn.example import SPLITS, Entry, Example, Split
from vigil.learn.grouping import grouped
from vigil.learn.manifest import written

Left = Literal["gone", "erased", "no-consent", "out-of-time", "contradicted", "repeated"]


@dataclass(frozen=True, slots=True)
class Terms:
    """How a data set is made.

    validation, test  shares of the bundles, 0 to 1; the rest trains
    near_bits         pictures whose perceptual hashes differ in at most so many of 64 bits are one. Likeness
                      chains: at 6 bits, 391 of 2,428 chest X-rays of one pose hang together, at 2 no three
    salt              another salt, another division: keep it for the life of a model
    """

    validation: float = 0.15
    test: float = 0.2
    near_bits: int = 3
    salt: str = "vigil"


@dataclass(frozen=True, slots=True)
class DataSet:
    """What may be learned from, in the order of the objects' keys.

    id    sixteen hex digits of the content: the same entries are the same set, whenever it was made
    left  how many examples were left out, by reason
    """

    id: str
    entries: tuple[Entry, ...]
    left: Mapping[Left, int]

    def split(self, name: Split) -> tuple[Entry, ...]:
        return tuple(entry for entry in self.entries if entry.split == name)

    @property
    def gaps(self) -> tuple[tuple[Split, str], ...]:
        """Labels that a split has none of: learned and not measured, or the other way round."""
        labels = sorted({entry.label for entry in self.entries})
        return tuple((split, label) for split in SPLITS for label in labels if label not in self.count(split))

    def count(self, name: Split) -> Mapping[str, int]:
        """Entries of a split by label."""
        return Counter(entry.label for entry in self.split(name))


def assemble(examples: Iterable[Example], *, terms: Terms, erased: frozenset[str], now: datetime) -> DataSet:
    """Make a data set of what may be used now; `erased` are people, or groups, that asked to be forgotten."""
    ordered = sorted(examples, key=lambda example: (example.labelled_at, example.object))
    left: Counter[Left] = Counter()
    kept: list[Example] = []
    for example in ordered:
        reason = refusal(example, erased, now)
        if reason is None:
            kept.append(example)
        else:
            left[reason] += 1
    final = _once(kept, left)
    bundles = grouped(final, terms.near_bits)
    entries = sorted(map(_entry, final, [_split(name, terms) for name in bundles]), key=lambda e: e.object)
    return DataSet(data_set_id(entries), tuple(entries), dict(+left))


def data_set_id(entries: Sequence[Entry]) -> str:
    """Sixteen hex digits that change with any entry."""
    return hashlib.sha256(written(entries).encode()).hexdigest()[:16]


def refusal(example: Example, erased: frozenset[str], now: datetime) -> Left | None:
    """Why an example may not be used; None where it may."""
    if example.group in erased or not erased.isdisjoint(example.people):
        return "erased"
    if not example.consented:
        return "no-consent"
    if example.keep_until is not None and example.keep_until <= now:
        return "out-of-time"
    return None


def _once(examples: Sequence[Example], left: Counter[Left]) -> list[Example]:
    """Each file once, by its latest label; where reviewers disagree at the same moment, not at all."""
    latest: dict[str, list[Example]] = {}
    for example in examples:
        held = latest.setdefault(example.sha256, [])
        if held and held[0].labelled_at < example.labelled_at:
            left["repeated"] += len(held)
            held.clear()
        held.append(example)
    kept: list[Example] = []
    for held in latest.values():
        agreed = len({example.label for example in held}) == 1
        left["repeated" if agreed else "contradicted"] += len(held) - agreed
        kept += held[:agreed]
    return kept


def _split(bundle: str, terms: Terms) -> Split:
    digest = hashlib.sha256(f"{terms.salt}\n{bundle}".encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    if place < terms.test:
        return "test"
    return "validation" if place < terms.test + terms.validation else "train"


def _entry(example: Example, split: Split) -> Entry:
    return Entry(
        object=example.object,
        sha256=example.sha256,
        label=example.label,
        split=split,
        group=example.group,
        labelled_by=example.labelled_by,
        labelled_at=example.labelled_at,
        people=example.people,
        keep_until=example.keep_until,
        slices=example.slices,
    )
