"""An image classifier that needs no code of its own: a card, a graph and its labels."""

from collections.abc import Callable, Mapping
from typing import Annotated, Literal

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from vigil.inference.card import FixedSizePreprocessing, Fraction, InputLimits, NetworkCard, PositiveInt
from vigil.inference.images import DecodedImage, decode_image
from vigil.inference.preprocess import to_tensor
from vigil.inference.release import Release
from vigil.inference.repository import OpenPart
from vigil.inference.session import Session, open_session
from vigil.inference.types import Option, Prediction, Sighting, StageCallback
from vigil.toml_file import InvalidToml, TomlTable

Scores = NDArray[np.float32]


def softmax(raw: Scores) -> Scores:
    """(..., L) float32 logits to probabilities that add up to 1 along the last axis."""
    exponentials = np.exp(raw - raw.max(axis=-1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True), np.float32)


def sigmoid(raw: Scores) -> Scores:
    """float32 logits to independent probabilities."""
    return np.float32(1) / (np.float32(1) + np.exp(-np.clip(raw, -80, 80)))


def probabilities(raw: Scores) -> Scores:
    """(L,) float32 probabilities, clipped to 0..1 against rounding."""
    return np.clip(raw, 0, 1)


ACTIVATIONS: Mapping[str, Callable[[Scores], Scores]] = {
    "softmax": softmax,
    "sigmoid": sigmoid,
    "probabilities": probabilities,
}


class OutputHead(TomlTable, frozen=True):
    """Table [output]: how the network's output becomes labels.

    name        of the output tensor
    threshold   lowest probability of a reported label
    max_labels  highest number of labels reported for one picture
    """

    name: str
    head: Literal["softmax", "sigmoid", "probabilities"]
    labels: Annotated[tuple[str, ...], Meta(min_length=1)]
    threshold: Fraction
    max_labels: PositiveInt

    def scores(self, raw: Scores) -> Scores:
        """The probability of each label.

        raw      float32, the network's output for one picture, L values in any shape
        returns  (L,) float32, 0..1, in the order of `labels`
        """
        if raw.size != len(self.labels):
            raise InvalidToml(
                f"the network gives {raw.size} values for the {len(self.labels)} labels of its card"
            )
        return ACTIVATIONS[self.head](raw.reshape(-1)).astype(np.float32, copy=False)


class ClassifierCard(NetworkCard, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The card of a model of kind "classifier"."""

    accepts: InputLimits
    input: FixedSizePreprocessing
    output: OutputHead


class Classifier:
    """Port Model: all labels that reach the card's threshold, or "unknown" with the best score."""

    def __init__(self, release: Release, session: Session) -> None:
        self.name = release.name
        self.release = release.id
        self._session = session
        self._card = release.convert_card(ClassifierCard)

    @property
    def max_bytes(self) -> int:
        return self._card.accepts.max_bytes

    @property
    def labels(self) -> tuple[str, ...]:
        return self._card.output.labels

    @property
    def threshold(self) -> float:
        return self._card.output.threshold

    def scores(self, data: bytes) -> NDArray[np.float32]:
        """(L,) float32, 0..1, in the order of `labels`. Raises what `decode_image` raises."""
        return self._classify(self._decode(data))

    def predict(self, data: bytes, options: Mapping[str, Option], on_stage: StageCallback) -> Prediction:  # noqa: ARG002 - a classifier has no options
        """The labels of the picture, highest score first."""
        on_stage("decode")
        picture = self._decode(data)
        on_stage("classify")
        sightings = self._to_sightings(self._classify(picture))
        max_labels = self._card.output.max_labels
        return Prediction(sightings[:max_labels], found=len(sightings), size_px=picture.size_px)

    def _decode(self, data: bytes) -> DecodedImage:
        return decode_image(data, self._card.accepts, side_px=2 * max(self._card.input.size))

    def _classify(self, picture: DecodedImage) -> Scores:
        output = self._card.output
        return output.scores(self._session.run([output.name], to_tensor(picture.image, self._card.input))[0])

    def _to_sightings(self, scores: Scores) -> tuple[Sighting, ...]:
        """
        scores  (L,) float32, 0..1
        """
        output = self._card.output
        order = np.argsort(-scores, kind="stable")
        above_threshold = [index for index in order if scores[index] >= output.threshold]
        if not above_threshold:
            return (Sighting("unknown", "unknown", float(scores[order[0]]), output.threshold),)
        return tuple(
            Sighting(output.labels[index], "known", float(scores[index]), output.threshold)
            for index in above_threshold
        )


def open_classifier(release: Release, open_part: OpenPart) -> Classifier:  # noqa: ARG001 - a ModelFactory; no parts
    """The ModelFactory of kind "classifier"."""
    return Classifier(release, open_session(release))
