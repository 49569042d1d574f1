"""What a classifier's raw output means: one probability for each label."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vigil.inference.card import InputLimits, Preprocessing, TomlReader
from vigil.inference.images import decode_image
from vigil.inference.preprocess import to_tensor
from vigil.inference.release import Release
from vigil.inference.repository import OpenPart
from vigil.inference.session import Session, open_session
from vigil.inference.types import (
    Option,
    Prediction,
    Sighting,
    StageCallback,
)
from vigil.toml_file import InvalidToml

Scores = NDArray[np.float32]


def softmax(raw: Scores) -> Scores:
    """(L,) logits to probabilities that add up to 1."""
    exponentials = np.exp(raw - raw.max())
    return np.asarray(exponentials / exponentials.sum(), np.float32)


def sigmoid(raw: Scores) -> Scores:
    """(L,) logits to probabilities that are independent of one another."""
    return np.float32(1) / (np.float32(1) + np.exp(-np.clip(raw, -80, 80)))


def probabilities(raw: Scores) -> Scores:
    """(L,) already probabilities; only rounding is taken off."""
    return np.clip(raw, 0, 1)


ACTIVATIONS: Mapping[str, Callable[[Scores], Scores]] = {
    "softmax": softmax,
    "sigmoid": sigmoid,
    "probabilities": probabilities,
}


@dataclass(frozen=True, slots=True)
class OutputHead:
    """How a card wants its classifier's output read.

    threshold  the least probability, 0..1, at which a label is said
    keep       the most labels said of one picture
    """

    output: str
    kind: str
    labels: tuple[str, ...]
    threshold: float
    max_labels: int

    @classmethod
    def from_card(cls, card: TomlReader) -> "OutputHead":
        return cls(
            output=card.get_str("output.name"),
            kind=card.get_choice("output.head", tuple(ACTIVATIONS)),
            labels=card.get_strs("output.labels"),
            threshold=card.get_float("output.threshold"),
            max_labels=card.get_int("output.keep"),
        )

    def scores(self, raw: Scores) -> Scores:
        """
        raw      the network's output for one picture, with L values
        returns  (L,) float32, 0..1, in the order of `labels`
        """
        if raw.size != len(self.labels):
            raise InvalidToml(
                f"the network gives {raw.size} values for the {len(self.labels)} labels of its card"
            )
        return ACTIVATIONS[self.kind](raw.reshape(-1)).astype(np.float32, copy=False)


# MERGED: An image classifier that is a card and a graph: no line of code of its own.


class Classifier:
    """Port Model: every label that reaches the card's threshold, or "unknown" with the best score."""

    def __init__(self, release: Release, session: Session) -> None:
        self.name = release.name
        self.release = release.id
        self._session = session
        self._limits = InputLimits.from_card(release.card)
        self._preprocessing = Preprocessing.from_card(release.card)
        self._head = OutputHead.from_card(release.card)
        if self._preprocessing.size is None:
            raise InvalidToml(f"{release.card.file}: input.size is missing")
        self._decode_side_px = 2 * max(self._preprocessing.size)

    @property
    def suffixes(self) -> frozenset[str]:
        return self._limits.suffixes

    @property
    def max_bytes(self) -> int:
        return self._limits.max_bytes

    @property
    def labels(self) -> tuple[str, ...]:
        return self._head.labels

    @property
    def threshold(self) -> float:
        return self._head.threshold

    def scores(self, data: bytes) -> NDArray[np.float32]:
        """(L,) float32, 0..1, in the order of `labels`."""
        picture = decode_image(data, self._limits, side_px=self._decode_side_px)
        raw = self._session.run([self._head.output], to_tensor(picture.image, self._preprocessing))[0]
        return self._head.scores(raw)

    def predict(self, data: bytes, options: Mapping[str, Option], on_stage: StageCallback) -> Prediction:  # noqa: ARG002 - none yet
        """What is in the picture. A classifier has no options."""
        on_stage("decode")
        picture = decode_image(data, self._limits, side_px=self._decode_side_px)
        on_stage("classify")
        raw = self._session.run([self._head.output], to_tensor(picture.image, self._preprocessing))[0]
        sightings = self._to_sightings(self._head.scores(raw))
        return Prediction(sightings[: self._head.max_labels], found=len(sightings), size_px=picture.size_px)

    def _to_sightings(self, scores: NDArray[np.float32]) -> tuple[Sighting, ...]:
        """
        scores  (L,) float32, 0..1
        """
        head = self._head
        order = np.argsort(-scores, kind="stable")
        above_threshold = [index for index in order if scores[index] >= head.threshold]
        if not above_threshold:
            return (Sighting("unknown", "unknown", float(scores[order[0]]), head.threshold),)
        return tuple(
            Sighting(head.labels[place], "known", float(scores[place]), head.threshold)
            for place in above_threshold
        )


def open_classifier(release: Release, open_part: OpenPart) -> Classifier:  # noqa: ARG001 - a Pipeline; this one has no parts
    """The Pipeline of cards whose kind is "classifier"."""
    return Classifier(release, open_session(release))
