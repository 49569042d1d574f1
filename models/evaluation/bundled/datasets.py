"""The public data of the bundled models: files, and the split of each into training and held-out items.

The data is not part of this repository. docs/models.md names each file, its source and its licence.
"""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SEED = 0
HELD_OUT = 0.2
"""Share of the sentences."""

SPEAKER_FILE = "spoken-digits-4-speakers.zip"


class MissingData(Exception):
    """A data file is not in the folder; the message is a sentence for the user."""


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Items of any kind with their labels; those of `held_out` are not used for training or selection.

    held_out  (N,) bool
    """

    items: Any
    labels: NDArray[np.int64]
    held_out: NDArray[np.bool_]


def data_file(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.is_file():
        raise MissingData(f"{path} is missing: give the folder that has it.")
    return path


def transactions(folder: Path) -> tuple[tuple[str, ...], Split]:
    """The names of the features, and (N, F) float32 in the order of time: the last quarter is held out."""
    with np.load(data_file(folder, "card-transactions.npz"), allow_pickle=False) as data:
        features, labels, names = data["features"], data["label"].astype(np.int64), data["names"]
    held_out = np.arange(len(labels)) >= len(labels) * 3 // 4
    return tuple(map(str, names)), Split(features.astype(np.float32), labels, held_out)


def sentences(folder: Path) -> Split:
    """The sentences, negative (0) and positive (1): a fifth of each label is held out."""
    texts: list[str] = []
    labels: list[int] = []
    with zipfile.ZipFile(data_file(folder, "sentence_polarity.zip")) as archive:
        for label, suffix in enumerate(("neg", "pos")):
            lines = archive.read(f"sentence_polarity/rt-polarity.{suffix}").decode("latin-1").splitlines()
            found = [line.strip() for line in lines if line.strip()]
            texts += found
            labels += [label] * len(found)
    truth = np.array(labels, np.int64)
    return Split(texts, truth, _stratified(truth))


def _stratified(labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """A random share of each label."""
    held_out = np.zeros(len(labels), np.bool_)
    draw = np.random.default_rng(SEED)
    for label in np.unique(labels):
        places = draw.permutation(np.flatnonzero(labels == label))
        held_out[places[: round(HELD_OUT * len(places))]] = True
    return held_out


@dataclass(frozen=True, slots=True)
class SpokenDigit:
    sound: bytes
    digit: int
    speaker: str


def spoken_digits(folder: Path) -> Iterator[SpokenDigit]:
    """Each recording; figures are for speakers whose recordings were not used."""
    with zipfile.ZipFile(data_file(folder, SPEAKER_FILE)) as archive:
        for name in sorted(archive.namelist()):
            if name.endswith(".wav"):
                digit, speaker, _ = name.rsplit("/", maxsplit=1)[-1].split("_")
                yield SpokenDigit(archive.read(name), int(digit), speaker)
