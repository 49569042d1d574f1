"""Objects in pictures: boxes with labels from the tensors of a detector."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigil.inference.classifier import sigmoid, softmax
from vigil.inference.detection import (
    cached_anchor_grid,
    decode_distributions,
    decode_offsets,
    non_max_suppression,
)
from vigil.inference.network.card import (
    AnchorsDecoder,
    BoxesDecoder,
    DetectionOutputSpec,
    DistributionDecoder,
)
from vigil.inference.network.heads import Outputs, Scores
from vigil.inference.network.prepared import PreparedInput
from vigil.inference.types import Sighting
from vigil.toml_file import InvalidToml

Tensors = Sequence[NDArray[Any]]
Decoder = Callable[[Tensors, Tensors, tuple[int, int], Any], tuple[NDArray[np.float32], NDArray[np.float32]]]
"""(scores, boxes, (width, height) of the input, spec) → (N, 4) boxes as left, top, right, bottom in pixels of
the input, and (N, C) scores before the activation."""

MAX_CANDIDATES = 1000
"""The best boxes of one label that are compared with each other."""


def decode_boxes(
    scores: Tensors, boxes: Tensors, size: tuple[int, int], spec: BoxesDecoder
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Boxes that the graph has decoded, (..., N, 4), and their scores, (..., N, C) or (..., N)."""
    found: NDArray[np.float32] = np.concatenate([one.reshape(-1, 4) for one in boxes]).astype(np.float32)
    first, second = found[:, :2], found[:, 2:]
    if spec.format == "tlbr":
        first, second = first[:, ::-1], second[:, ::-1]
    elif spec.format == "cxcywh":
        first, second = first - second / np.float32(2), first + second / np.float32(2)
    elif spec.format == "ltwh":
        second = first + second
    edges = np.concatenate([first, second], axis=1)
    if spec.normalized:
        edges *= np.array([*size, *size], np.float32)
    return edges, _join_scores(scores, len(edges))


def decode_anchors(
    scores: Tensors, boxes: Tensors, size: tuple[int, int], spec: AnchorsDecoder
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Offsets to the anchors of all strides, (..., N, 4), and their scores."""
    offsets = np.concatenate([one.reshape(-1, 4) for one in boxes]).astype(np.float32)
    found = decode_offsets(offsets, cached_anchor_grid(spec, size, size), spec)
    return found * np.array([*size, *size], np.float32), _join_scores(scores, len(found))


def decode_sides(
    scores: Tensors, boxes: Tensors, size: tuple[int, int], spec: DistributionDecoder
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Distributions of the distances to the four sides, one tensor for each stride, and their scores."""
    found = decode_distributions(boxes, size, spec.strides)
    return found, _join_scores(scores, len(found))


def _join_scores(scores: Tensors, boxes: int) -> NDArray[np.float32]:
    """(boxes, C) float32 from the tensors of all scales."""
    columns = sum(one.size for one in scores) // max(1, boxes)
    return np.concatenate([one.reshape(-1, columns) for one in scores]).astype(np.float32)


DECODERS: Mapping[type, Decoder] = {
    BoxesDecoder: decode_boxes,
    AnchorsDecoder: decode_anchors,
    DistributionDecoder: decode_sides,
}


def _best_boxes(boxes: NDArray[np.float32], scores: Scores, max_iou: float) -> NDArray[np.int64]:
    """Indices of the boxes to report, among the best MAX_CANDIDATES."""
    best = np.argsort(-scores, kind="stable")[:MAX_CANDIDATES]
    return best[non_max_suppression(boxes[best], scores[best], max_iou)]


class DetectionHead:
    """Boxes whose best label reaches the threshold, without those that overlap a better one."""

    def __init__(self, spec: DetectionOutputSpec, labels: Sequence[str]) -> None:
        self._spec, self._labels = spec, labels
        self._decode = DECODERS[type(spec.decoder)]
        self.outputs = (*spec.scores, *spec.boxes)

    def __call__(self, outputs: Outputs, prepared: PreparedInput) -> list[Sighting]:
        placement, spec = prepared.placement, self._spec
        if placement is None:
            raise InvalidToml('output.kind "detection" needs input.kind "image"')
        boxes, scores = self._decoded(outputs, placement.input_size)
        found = [
            (float(scores[index, label]), label, boxes[index])
            for label, index in self._selected(boxes, scores)
        ]
        found.sort(key=lambda one: -one[0])
        return [
            Sighting(
                self._labels[label],
                "known",
                score,
                spec.threshold,
                box_px=placement.to_picture((float(box[0]), float(box[1]), float(box[2]), float(box[3]))),
            )
            for score, label, box in found[: spec.top_k]
        ]

    def _decoded(
        self, outputs: Mapping[str, NDArray[Any]], size: tuple[int, int]
    ) -> tuple[NDArray[np.float32], Scores]:
        """(N, 4) boxes in pixels of the input, (N, labels) scores from 0 to 1. Raises InvalidToml."""
        spec = self._spec
        score_tensors = [outputs[name] for name in spec.scores]
        try:
            boxes, values = self._decode(
                score_tensors, [outputs[name] for name in spec.boxes], size, spec.decoder
            )
        except ValueError as error:
            shapes = ", ".join(f"{name} {list(outputs[name].shape)}" for name in self.outputs)
            raise InvalidToml(f"output.decoder does not fit the tensors {shapes}: {error}") from error
        if len(boxes) != len(values):
            raise InvalidToml(f"the network gives {len(boxes)} boxes and scores of {len(values)}")
        scores = self._activate(values)
        if spec.background is not None and spec.background < scores.shape[1]:
            scores = np.delete(scores, spec.background, axis=1)
        if scores.shape[1] != len(self._labels):
            raise InvalidToml(
                f"the network gives {scores.shape[1]} scores a box; the card has {len(self._labels)} labels"
            )
        return boxes, scores

    def _activate(self, values: Scores) -> Scores:
        if self._spec.activation == "sigmoid":
            return sigmoid(values)
        if self._spec.activation == "softmax":
            return softmax(values)
        return np.clip(values, 0, 1)

    def _selected(self, boxes: NDArray[np.float32], scores: Scores) -> list[tuple[int, int]]:
        """(label, index of the box) of what is reported; each box has its best label only."""
        spec = self._spec
        best = scores.argmax(axis=1) if len(scores) else np.zeros(0, np.int64)
        best_scores = scores[np.arange(len(scores)), best]
        candidates = np.flatnonzero(best_scores >= spec.threshold)
        groups = [candidates[best[candidates] == label] for label in np.unique(best[candidates])]
        if not spec.class_wise:
            groups = [candidates]
        return [
            (int(best[group[index]]), int(group[index]))
            for group in groups
            for index in _best_boxes(boxes[group], best_scores[group], spec.max_iou)
        ]
