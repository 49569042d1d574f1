"""A model that a card describes completely: bytes become tensors, run, and become sightings."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigil.inference.card import CardRule, Network
from vigil.inference.network.card import (
    AnomalyOutputSpec,
    AudioInputSpec,
    AutoregressiveOutputSpec,
    BinaryOutputSpec,
    BytesInputSpec,
    CtcOutputSpec,
    DetectionOutputSpec,
    EmbeddingOutputSpec,
    ImageInputSpec,
    NetworkModelCard,
    RegressionOutputSpec,
    SegmentsOutputSpec,
    TableInputSpec,
    TextInputSpec,
    card_files,
)
from vigil.inference.network.graph import NetworkGraph
from vigil.inference.network.heads import (
    AnomalyHead,
    BinaryHead,
    ClassesHead,
    EmbeddingHead,
    NetworkHead,
    RegressionHead,
    read_labels,
)
from vigil.inference.network.prepared import NoFiniteOutput, PreparedInput
from vigil.inference.release import Release
from vigil.inference.repository import OpenPart
from vigil.inference.session import open_graph
from vigil.inference.types import (
    Option,
    Prediction,
    Sighting,
    StageCallback,
    ignore_stage,
    is_rule_fulfilled,
)

MAX_SIGHTINGS = 40
"""Sightings of one drop, which are stored in one transaction; `found` counts all."""

InputPreparer = Callable[[bytes], Iterator[PreparedInput]]
"""Turns a file into the inputs of runs. Raises Rejected."""


class NetworkModel:
    """Port Model for cards of kind "network"."""

    def __init__(self, release: Release, card: NetworkModelCard) -> None:
        """Raises InvalidToml or BrokenRelease if the card, its files and its graph do not fit together."""
        self.name, self.release, self.card = release.name, release.id, card
        for key, file in card_files(self.card).items():
            if file not in release.digests:
                raise release.card_file.invalid(key, f"the file {file} is not beside the card")
        self._head = _open_head(self.card, release)
        self._graph = NetworkGraph(release, self.card, self._head.outputs)
        self._prepare = _open_preparer(self.card, self._graph, release)

    @property
    def max_bytes(self) -> int:
        return self.card.accepts.max_bytes

    def predict(self, data: bytes, options: Mapping[str, Option], on_stage: StageCallback) -> Prediction:  # noqa: ARG002 - a network has no options
        """The sightings; those that the card's rules describe and those with high scores first."""
        return to_prediction(*self.find_all(data, on_stage), self.card.rules)

    def find_all(
        self, data: bytes, on_stage: StageCallback = ignore_stage
    ) -> tuple[list[Sighting], tuple[int, int] | None]:
        """All sightings in the order of the input, and the size of the picture if it is one."""
        on_stage("decode")
        sightings: list[Sighting] = []
        size_px = None
        for prepared in self._prepare(data):
            on_stage("run")
            sightings += self._sightings(prepared)
            size_px = prepared.placement.size_px if prepared.placement else None
        return sightings, size_px

    def _sightings(self, prepared: PreparedInput) -> list[Sighting]:
        outputs = self._graph.run(prepared.feeds, prepared.items)
        if not all(_is_finite(one) for one in outputs.values()):
            raise NoFiniteOutput("the network answers with values that are no finite numbers for this input")
        if prepared.averaged and prepared.items > 1:
            outputs = {name: one.mean(axis=0, keepdims=True) for name, one in outputs.items()}
            prepared = replace(prepared, items=1)
        return self._head(outputs, prepared)


def to_prediction(
    found: Sequence[Sighting], size_px: tuple[int, int] | None, rules: tuple[CardRule, ...]
) -> Prediction:
    """The sightings; those that the card's rules describe and those with high scores first."""

    def rank(sighting: Sighting) -> tuple[bool, bool, float]:
        is_alert = any(is_rule_fulfilled(rule, sighting) for rule in rules)
        return not is_alert, sighting.status != "known", -(sighting.score or 0.0)

    chosen = sorted(found, key=rank)[:MAX_SIGHTINGS]
    return Prediction(tuple(chosen), found=len(found), size_px=size_px, rules=rules)


def open_network(release: Release, open_part: OpenPart) -> NetworkModel:  # noqa: ARG001 - a ModelFactory; no parts
    """The ModelFactory of kind "network"."""
    return NetworkModel(release, release.convert_card(NetworkModelCard))


def _is_finite(values: NDArray[Any]) -> bool:
    return values.dtype.kind != "f" or bool(np.isfinite(values).all())


def _open_preparer(card: NetworkModelCard, graph: NetworkGraph, release: Release) -> InputPreparer:
    """What prepares the card's kind of input; only its module is loaded."""
    spec = card.input
    if isinstance(spec, ImageInputSpec):
        from vigil.inference.network.image_input import ImagePreparer  # noqa: PLC0415

        return ImagePreparer(spec, card.accepts)
    if isinstance(spec, TextInputSpec):
        from vigil.inference.network.text_input import TextPreparer  # noqa: PLC0415

        return TextPreparer(spec, release.read_file(spec.tokenizer), graph.dtype(spec.name))
    if isinstance(spec, AudioInputSpec):
        from vigil.inference.network.audio_input import AudioPreparer  # noqa: PLC0415

        return AudioPreparer(spec)
    if isinstance(spec, TableInputSpec):
        from vigil.inference.network.table_input import TablePreparer  # noqa: PLC0415

        return TablePreparer(spec, graph.dtype(spec.name))
    from vigil.inference.network import tensor_input  # noqa: PLC0415

    dtype = graph.dtype(spec.name)
    if isinstance(spec, BytesInputSpec):
        return tensor_input.BytesPreparer(spec, dtype)
    return tensor_input.TensorPreparer(spec, dtype)


def _open_head(card: NetworkModelCard, release: Release) -> NetworkHead:
    """What reads the card's kind of output."""
    spec = card.output
    if isinstance(spec, BinaryOutputSpec):
        return BinaryHead(spec)
    if isinstance(spec, RegressionOutputSpec):
        return RegressionHead(spec)
    if isinstance(spec, AnomalyOutputSpec):
        return AnomalyHead(spec)
    if isinstance(spec, EmbeddingOutputSpec):
        return EmbeddingHead(spec, release.read_file(spec.neighbours_file) if spec.neighbours_file else None)
    if isinstance(spec, SegmentsOutputSpec):
        from vigil.inference.network.sequences import SegmentsHead  # noqa: PLC0415

        return SegmentsHead(spec)
    labels = _labels(spec.labels, spec.labels_file, release)
    if isinstance(spec, DetectionOutputSpec):
        from vigil.inference.network.detection import DetectionHead  # noqa: PLC0415

        return DetectionHead(spec, labels)
    if isinstance(spec, AutoregressiveOutputSpec):
        from vigil.inference.network.autoregressive import AutoregressiveHead  # noqa: PLC0415

        decoder = open_graph(release, Network(spec.decoder_file, card.network.threads))
        return AutoregressiveHead(spec, labels, decoder)
    if isinstance(spec, CtcOutputSpec):
        from vigil.inference.network.sequences import CtcHead  # noqa: PLC0415

        return CtcHead(spec, labels)
    return ClassesHead(spec, labels)


def _labels(labels: Sequence[str], file: str, release: Release) -> Sequence[str]:
    """The labels of the card or of its file. Raises InvalidToml."""
    found = labels or read_labels(file, release.read_file(file))
    if repeated := [one for one, count in Counter(found).items() if count > 1]:
        raise release.card_file.invalid("output.labels", f"{repeated[0]!r} stands there twice")
    return found
