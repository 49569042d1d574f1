"""A data set holds only what may be used, nobody twice, and is the same whenever it is made of the same."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.memory import NOON
from vigil.learn.dataset import Terms, assemble
from vigil.learn.example import Example
from vigil.learn.manifest import BadManifest, read, written
from vigil.learn.phash import perceptual_hash

TERMS = Terms()


def example(n: int, **changes: Any) -> Example:
    plain = Example(f"{n:04}.png", f"{n:064x}", f"label-{n % 2}", f"person-{n % 40}", "reviewer", NOON, True)
    return replace(plain, **changes)


def make(examples: list[Example], erased: frozenset[str] = frozenset(), terms: Terms = TERMS) -> Any:
    return assemble(examples, terms=terms, erased=erased, now=NOON)


def test_nobody_is_in_two_splits():
    found = make([example(n) for n in range(400)])

    where: dict[str, set[str]] = {}
    for entry in found.entries:
        where.setdefault(entry.group, set()).add(entry.split)
    assert {len(splits) for splits in where.values()} == {1}
    assert {entry.split for entry in found.entries} == {"train", "validation", "test"}


def test_who_was_held_out_stays_held_out_as_the_set_grows():
    small, large = make([example(n) for n in range(40)]), make([example(n) for n in range(400)])

    held = {entry.group: entry.split for entry in large.entries}
    assert all(held[entry.group] == entry.split for entry in small.entries)


def test_the_same_examples_in_another_order_are_the_same_set():
    examples = [example(n) for n in range(50)]

    assert make(examples) == make(examples[::-1])


def test_another_label_is_another_set():
    examples = [example(n) for n in range(50)]

    assert make(examples).id != make([*examples[:-1], replace(examples[-1], label="other")]).id


def test_nearly_the_same_picture_of_two_people_lies_in_one_split():
    examples = [example(n, group=f"g{n}", phash=(n * 0x9E3779B97F4A7C15) % 2**64) for n in range(200)]
    twins = [
        replace(one, object=f"t{one.object}", sha256=f"t{one.sha256}", group=f"z{one.group}")
        for one in examples
    ]
    twins = [replace(one, phash=(one.phash or 0) ^ 0b101) for one in twins]

    found = {entry.group: entry.split for entry in make(examples + twins).entries}

    assert all(found[f"g{n}"] == found[f"zg{n}"] for n in range(200))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"group": "gone"}, "erased"),
        ({"consented": False}, "no-consent"),
        ({"keep_until": NOON}, "out-of-time"),
    ],
)
def test_what_may_not_be_used_is_left_out_and_counted(changes: Mapping[str, Any], reason: str):
    found = make([example(0), example(1, **changes)], frozenset({"gone"}))

    assert [entry.object for entry in found.entries] == ["0000.png"]
    assert found.left == {reason: 1}


def test_a_label_that_a_split_lacks_is_told():
    few, many = make([example(0), example(1)]), make([example(n, group=f"g{n}") for n in range(200)])

    assert ("test", "label-0") in few.gaps or ("train", "label-0") in few.gaps
    assert many.gaps == ()


def test_a_later_label_corrects_an_earlier_one():
    later = replace(example(0), label="corrected", labelled_at=NOON + timedelta(hours=1))

    found = make([later, example(0)])

    assert [entry.label for entry in found.entries] == ["corrected"]
    assert found.left == {"repeated": 1}


def test_reviewers_who_disagree_at_the_same_moment_teach_nothing():
    found = make([example(0), replace(example(0), label="other", object="b.png")])

    assert found.entries == ()
    assert found.left == {"contradicted": 2}


def test_a_manifest_reads_back_as_it_was_written():
    entries = make([example(n, slices={"source": "door"}) for n in range(9)]).entries

    assert read(written(entries)) == entries


@pytest.mark.parametrize("line", ["{", "[]", "{}", '{"version": 9, "split": "train"}'])
def test_a_damaged_line_is_named(line: str):
    with pytest.raises(BadManifest, match="line 2"):
        read("\n" + line)


def photograph(seed: int) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 255, (6, 6, 3), np.uint8)
    return Image.fromarray(coarse).resize((200, 160), Image.Resampling.BICUBIC)


def apart(one: Image.Image, other: Image.Image) -> int:
    return (perceptual_hash(one) ^ perceptual_hash(other)).bit_count()


def test_a_smaller_and_brighter_copy_has_nearly_the_same_hash():
    original = photograph(1)

    assert (
        apart(original, original.resize((90, 72)).point(lambda value: min(255, value + 20)))
        <= TERMS.near_bits
    )


def test_other_pictures_have_other_hashes():
    distances = [apart(photograph(1), photograph(n)) for n in range(2, 30)]

    assert min(distances) > 2 * TERMS.near_bits
