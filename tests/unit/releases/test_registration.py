"""What a job left is unpacked only as far as it is a release's plain files."""

import io
import tarfile
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.fakes.memory import NOON
from vigil.releases.registration import (
    InvalidModelArchive,
    build_manifest,
    compare_with_active,
    read_model_archive,
    score_test_set,
)
from vigil.toml_file import InvalidToml
from vigil.training.examples import DatasetEntry


def packed(**files: bytes) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return made.getvalue()


def test_the_files_of_an_archive_are_read_by_name():
    parcel = packed(**{"digits/card.toml": b"[model]", "digits/model.onnx": b"graph", "other/x": b""})

    assert read_model_archive(parcel, "digits") == {"card.toml": b"[model]", "model.onnx": b"graph"}


def test_a_manifest_repeats_the_licence_and_the_numbers_of_the_card():
    card = b'[model]\nname = "x"\n[licence]\nspdx = "MIT"\n[quality]\naccuracy = 1\nsplit = "test"'
    card += b"\nchecked = true"

    manifest = build_manifest("digits", {"card.toml": card}, parent=None, data="d", recipe=None)

    assert (manifest.licence, manifest.quality, manifest.card) == ("MIT", {"accuracy": 1.0}, card.decode())


@pytest.mark.parametrize("card", [b"[licence", b"\xff", b"[model]", b"[licence]\nspdx = 3"])
def test_a_card_that_cannot_be_read_is_the_releases_fault(card: bytes):
    with pytest.raises(InvalidToml, match=r"digits/card\.toml"):
        build_manifest("digits", {"card.toml": card}, parent=None, data=None, recipe=None)


@pytest.mark.parametrize(
    "archive", [b"no archive", packed(**{"digits/a/card.toml": b""}), packed(**{"digits/model.onnx": b""})]
)
def test_other_archives_are_rejected(archive: bytes):
    with pytest.raises(InvalidModelArchive):
        read_model_archive(archive, "digits")


def test_a_link_in_an_archive_is_rejected():
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        member = tarfile.TarInfo("digits/card.toml")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(member)

    with pytest.raises(InvalidModelArchive):
        read_model_archive(made.getvalue(), "digits")


# MERGED: A classifier is examined on held-out items by what it would serve.


@dataclass(frozen=True)
class FixedScorer:
    """Says what the data say, or the opposite."""

    labels: tuple[str, ...] = ("a", "b")
    threshold: float = 0.5
    wrong: bool = False

    def scores(self, data: bytes) -> NDArray[np.float32]:
        said = [float(data.decode() == label) for label in self.labels]
        return np.array(said[::-1] if self.wrong else said, np.float32)


ITEMS = tuple(
    (DatasetEntry(f"{n}.png", "", label, "test", f"g{n}", "reviewer", NOON), label.encode())
    for n, label in enumerate("ab" * 50)
)


def test_a_candidate_and_the_active_release_are_evaluated_on_the_same_items():
    metric, gain = compare_with_active(FixedScorer(), FixedScorer(wrong=True), ITEMS)

    assert gain is not None
    assert (metric.value, metric.items, gain.value) == (1.0, 100, 1.0)


def test_the_first_release_of_a_model_has_no_gain():
    assert compare_with_active(FixedScorer(wrong=True), None, ITEMS)[1] is None


def test_a_label_that_a_release_does_not_know_counts_as_wrong():
    scored = score_test_set(FixedScorer(labels=("a", "c")), ITEMS)

    assert (scored.predicted == scored.truth).mean() == pytest.approx(0.5)


def test_a_release_with_one_label_predicts_that_label_or_its_complement():
    scored = score_test_set(FixedScorer(labels=("b",)), ITEMS)

    assert scored.labels == ("a", "b")
    assert (scored.predicted == scored.truth).all()
