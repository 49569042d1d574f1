"""A data set holds only what may be used, nobody twice, and is the same whenever it is made of the same."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.fakes.memory import NOON
from vigil.training.dataset import (
    InvalidDatasetManifest,
    SplitPolicy,
    assemble_dataset,
    format_manifest,
    parse_manifest,
)
from vigil.training.examples import Example, perceptual_hash

TERMS = SplitPolicy()


def example(n: int, **changes: Any) -> Example:
    plain = Example(f"{n:04}.png", f"{n:064x}", f"label-{n % 2}", f"person-{n % 40}", "reviewer", NOON, True)
    return replace(plain, **changes)


def make(examples: list[Example], erased: frozenset[str] = frozenset(), terms: SplitPolicy = TERMS) -> Any:
    return assemble_dataset(examples, policy=terms, erased_ids=erased, now=NOON)


def test_no_subject_is_in_two_splits():
    found = make([example(n) for n in range(400)])

    where: dict[str, set[str]] = {}
    for entry in found.entries:
        where.setdefault(entry.group, set()).add(entry.split)
    assert {len(splits) for splits in where.values()} == {1}
    assert {entry.split for entry in found.entries} == {"train", "validation", "test"}


def test_subjects_of_the_test_split_stay_in_it_as_the_dataset_grows():
    small, large = make([example(n) for n in range(40)]), make([example(n) for n in range(400)])

    held = {entry.group: entry.split for entry in large.entries}
    assert all(held[entry.group] == entry.split for entry in small.entries)


def test_the_order_of_examples_does_not_change_the_dataset():
    examples = [example(n) for n in range(50)]

    assert make(examples) == make(examples[::-1])


def test_another_label_makes_another_dataset():
    examples = [example(n) for n in range(50)]

    assert make(examples).id != make([*examples[:-1], replace(examples[-1], label="other")]).id


def test_near_duplicate_pictures_are_in_one_split():
    examples = [example(n, group=f"g{n}", phash=(n * 0x9E3779B97F4A7C15) % 2**64) for n in range(200)]
    twins = [
        replace(one, key=f"t{one.key}", sha256=f"t{one.sha256}", group=f"z{one.group}") for one in examples
    ]
    twins = [replace(one, phash=(one.phash or 0) ^ 0b101) for one in twins]

    found = {entry.group: entry.split for entry in make(examples + twins).entries}

    assert all(found[f"g{n}"] == found[f"zg{n}"] for n in range(200))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"group": "gone"}, "erased"),
        ({"has_consent": False}, "no-consent"),
        ({"retain_until": NOON}, "retention-expired"),
    ],
)
def test_examples_that_may_not_be_used_are_excluded_and_counted(changes: Mapping[str, Any], reason: str):
    found = make([example(0), example(1, **changes)], frozenset({"gone"}))

    assert [entry.key for entry in found.entries] == ["0000.png"]
    assert found.excluded == {reason: 1}


def test_a_label_missing_from_a_split_is_reported():
    few, many = make([example(0), example(1)]), make([example(n, group=f"g{n}") for n in range(200)])

    assert ("test", "label-0") in few.missing_labels or ("train", "label-0") in few.missing_labels
    assert many.missing_labels == ()


def test_a_later_label_corrects_an_earlier_one():
    later = replace(example(0), label="corrected", labelled_at=NOON + timedelta(hours=1))

    found = make([later, example(0)])

    assert [entry.label for entry in found.entries] == ["corrected"]
    assert found.excluded == {"duplicate": 1}


def test_conflicting_labels_of_the_same_moment_are_excluded():
    found = make([example(0), replace(example(0), label="other", key="b.png")])

    assert found.entries == ()
    assert found.excluded == {"conflicting-labels": 2}


def test_a_manifest_round_trips():
    entries = make([example(n, slices={"source": "door"}) for n in range(9)]).entries

    assert parse_manifest(format_manifest(entries)) == entries


@pytest.mark.parametrize("line", ["{", "[]", "{}", '{"version": 9, "split": "train"}'])
def test_an_invalid_line_is_named(line: str):
    with pytest.raises(InvalidDatasetManifest, match="line 2"):
        parse_manifest("\n" + line)


def photograph(seed: int) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 255, (6, 6, 3), np.uint8)
    return Image.fromarray(coarse).resize((200, 160), Image.Resampling.BICUBIC)


def hash_distance(one: Image.Image, other: Image.Image) -> int:
    return (perceptual_hash(one) ^ perceptual_hash(other)).bit_count()


def test_a_smaller_and_brighter_copy_has_nearly_the_same_hash():
    original = photograph(1)

    assert (
        hash_distance(original, original.resize((90, 72)).point(lambda value: min(255, value + 20)))
        <= TERMS.max_hash_distance
    )


def test_other_pictures_have_other_hashes():
    distances = [hash_distance(photograph(1), photograph(n)) for n in range(2, 30)]

    assert min(distances) > 2 * TERMS.max_hash_distance
