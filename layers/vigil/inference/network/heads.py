"""What the tensors of a network mean: labels, numbers or vectors for each item."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vigil.errors import Rejected
from vigil.inference.classifier import sigmoid, softmax
from vigil.inference.network.card import (
    AnomalyOutputSpec,
    BinaryOutputSpec,
    EmbeddingOutputSpec,
    ProbabilitiesOutputSpec,
    RegressionOutputSpec,
    SigmoidOutputSpec,
    SoftmaxOutputSpec,
)
from vigil.inference.network.prepared import PreparedInput
from vigil.inference.network.text_input import read_text
from vigil.inference.types import Sighting
from vigil.toml_file import InvalidToml

Scores = NDArray[np.float32]
Outputs = Mapping[str, NDArray[Any]]
"""The network's tensors by name; the first axis of each counts the items."""


class NetworkHead(Protocol):
    """Turns outputs into sightings."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the tensors that it needs."""

    def __call__(self, outputs: Outputs, prepared: PreparedInput) -> list[Sighting]:
        """The sightings of all items. Raises InvalidToml if the tensors are not as the card says."""


def read_labels(file: str, data: bytes) -> tuple[str, ...]:
    """The labels of a file with one a line. Raises InvalidToml."""
    if data.startswith(b"\xef\xbb\xbf"):
        raise InvalidToml(
            f"output.labels_file: {file} begins with a byte order mark; save it as UTF-8 without"
        )
    try:
        labels = read_text(data).removesuffix("\n").split("\n")
    except Rejected as error:
        raise InvalidToml(f"output.labels_file: {file}: {error}") from error
    return tuple(label.removesuffix("\r") for label in labels)


def require_width(values: NDArray[Any], width: int, what: str) -> Scores:
    """(items, width) float32. Raises InvalidToml if the network gives another number of values."""
    flat = values.reshape(len(values), -1)
    if flat.shape[1] != width:
        raise InvalidToml(f"the network gives {flat.shape[1]} values for the {width} {what} of its card")
    return flat.astype(np.float32, copy=False)


class ClassesHead:
    """Softmax, sigmoid and probabilities: the labels that reach the threshold, or "unknown"."""

    def __init__(
        self, spec: SoftmaxOutputSpec | SigmoidOutputSpec | ProbabilitiesOutputSpec, labels: Sequence[str]
    ) -> None:
        self._spec, self._labels = spec, labels
        self.outputs = (spec.name,)

    def __call__(self, outputs: Outputs, prepared: PreparedInput) -> list[Sighting]:
        scores = self._scores(require_width(outputs[self._spec.name], len(self._labels), "labels"))
        return [
            sighting
            for item, row in enumerate(scores)
            for sighting in self._item_sightings(row, prepared.origin(item))
        ]

    def _scores(self, values: Scores) -> Scores:
        """(items, labels) float32, 0 to 1."""
        spec = self._spec
        if isinstance(spec, ProbabilitiesOutputSpec):
            return np.clip(values, 0, 1)
        logits = values / np.float32(spec.temperature)
        return sigmoid(logits) if isinstance(spec, SigmoidOutputSpec) else softmax(logits)

    def _item_sightings(self, scores: Scores, origin: dict[str, Any]) -> list[Sighting]:
        threshold = self._spec.threshold
        best = np.argsort(-scores, kind="stable")[: self._spec.top_k]
        found = [
            Sighting(self._labels[index], "known", float(scores[index]), threshold, **origin)
            for index in best
            if scores[index] >= threshold
        ]
        return found or [Sighting("unknown", "unknown", float(scores[best[0]]), threshold, **origin)]


class BinaryHead:
    """One score for each item: the positive label, else the negative one or "unknown"."""

    def __init__(self, spec: BinaryOutputSpec) -> None:
        self._spec = spec
        self.outputs = (spec.name,)

    def __call__(self, outputs: Outputs, prepared: PreparedInput) -> list[Sighting]:
        values = outputs[self._spec.name]
        two = values.reshape(len(values), -1).shape[1] == 2
        column = require_width(values, 2 if two else 1, "values")[:, -1]
        scores = sigmoid(column) if self._spec.activation == "sigmoid" else np.clip(column, 0, 1)
        return [self._sighting(float(score), prepared.origin(item)) for item, score in enumerate(scores)]

    def _sighting(self, score: float, origin: dict[str, Any]) -> Sighting:
        spec = self._spec
        if score >= spec.threshold:
            return Sighting(spec.labels[-1], "known", score, spec.threshold, **origin)
        if len(spec.labels) == 1:
            return Sighting("unknown", "unknown", score, spec.threshold, **origin)
        return Sighting(spec.labels[0], "known", 1 - score, 1 - spec.threshold, **origin)


class RegressionHead:
    """Numbers for each item."""

    def __init__(self, spec: RegressionOutputSpec) -> None:
        self._spec = spec
        self.outputs = (spec.name,)

    def __call__(self, outputs: Outputs, prepared: PreparedInput) -> list[Sighting]:
        spec = self._spec
        values = require_width(outputs[spec.name], len(spec.labels), "labels") * spec.scale + spec.offset
        return [
            Sighting(label, "known", value=float(value), **prepared.origin(item))
            for item, row in enumerate(values)
            for label, value in zip(spec.labels, row, strict=True)
        ]


class AnomalyHead:
    """How far each item is from normal."""

    def __init__(self, spec: AnomalyOutputSpec) -> None:
        self._spec = spec
        self.outputs = (spec.name,)

    def __call__(self, outputs: Outputs, prepared: PreparedInput) -> list[Sighting]:
        spec = self._spec
        values = require_width(outputs[spec.name], 1, "values")[:, 0].astype(np.float64)
        scores = np.clip((values - spec.low) / (spec.high - spec.low), 0, 1)
        return [
            Sighting(
                "anomaly" if score >= spec.threshold else "normal",
                "known",
                float(score),
                spec.threshold,
                value=float(value),
                **prepared.origin(item),
            )
            for item, (value, score) in enumerate(zip(values, scores, strict=True))
        ]


class EmbeddingHead:
    """A unit vector for each item, and the labels of the nearest known vectors."""

    def __init__(self, spec: EmbeddingOutputSpec, neighbours: bytes | None) -> None:
        """Raises InvalidToml if the neighbours cannot be used."""
        self._spec = spec
        self.outputs = (spec.name,)
        self._vectors: Scores | None = None
        self._labels: tuple[str, ...] = ()
        if neighbours is not None:
            self._vectors, self._labels = _read_neighbours(spec, neighbours)

    def __call__(self, outputs: Outputs, prepared: PreparedInput) -> list[Sighting]:
        raw = outputs[self._spec.name]
        vectors = unit_rows(raw.reshape(len(raw), -1).astype(np.float32))
        return [
            sighting
            for item, vector in enumerate(vectors)
            for sighting in self._item_sightings(vector, prepared.origin(item))
        ]

    def _item_sightings(self, vector: Scores, origin: dict[str, Any]) -> list[Sighting]:
        spec = self._spec
        origin = {**origin, "vector": vector, "embedding_space": spec.space}
        if self._vectors is None:
            return [Sighting("embedding", "known", **origin)]
        if self._vectors.shape[1] != len(vector):
            raise InvalidToml(
                f"the network gives {len(vector)} values; the vectors of output.neighbours_file have "
                f"{self._vectors.shape[1]}"
            )
        cosines = self._vectors @ vector
        nearest = np.argsort(-cosines, kind="stable")[: spec.top_k]
        found = [
            Sighting(self._labels[index], "known", float(cosines[index]), spec.threshold, **origin)
            for index in nearest
            if cosines[index] >= spec.threshold
        ]
        return found or [Sighting("unknown", "unknown", float(cosines[nearest[0]]), spec.threshold, **origin)]


def unit_rows(vectors: Scores) -> Scores:
    """(N, D) float32: each row divided by its length."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)


def _read_neighbours(spec: EmbeddingOutputSpec, data: bytes) -> tuple[Scores, tuple[str, ...]]:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as stored:
            vectors, labels = stored["embeddings"], stored["labels"]
    except (ValueError, OSError, KeyError, zipfile.BadZipFile) as error:
        raise InvalidToml(
            f"output.neighbours_file: {spec.neighbours_file} is no .npz with embeddings and labels: {error}"
        ) from error
    if vectors.ndim != 2 or not len(vectors) or labels.shape != (len(vectors),):
        raise InvalidToml(
            f"output.neighbours_file: vectors {vectors.shape} and labels {labels.shape} must be (N, D), (N,)"
        )
    return unit_rows(vectors.astype(np.float32)), tuple(map(str, labels))
