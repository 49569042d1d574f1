"""The detector: an SSD-style network finds the boxes of faces at one scale, at all scales, or in tiles.

Anchors are computed for any input size; overlapping boxes of one face are reduced to one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from vigil.inference.card import Fraction, NetworkCard, Size
from vigil.inference.detection import (
    AnchorConfig,
    box_areas,
    cached_anchor_grid,
    decode_offsets,
    non_max_suppression,
    suppress_contained,
)
from vigil.inference.preprocess import pad_to_tensor, resize_to_input
from vigil.inference.release import Release
from vigil.inference.session import Session, open_session
from vigil.toml_file import TomlTable

USED_STEP_PX = 16
"""The part of an input that is used is a multiple of this: cells have the same size in every picture."""


class DetectorInput(TomlTable, frozen=True):
    """Table [detection.inputs.NAME]: one input size of the detector.

    size       (width, height) in pixels for a wide picture; swapped for a tall one
    min_score  lowest score of a face at this size
    """

    size: Size
    min_score: Fraction


class TileConfig(DetectorInput, frozen=True):
    """Table [detection.tiles]: how a large picture is cut into tiles.

    tile_px  (width, height) of a tile, in pixels of the full picture
    overlap  share of a tile that its neighbour also covers
    """

    tile_px: Size
    overlap: Fraction


class ScalesConfig(TomlTable, frozen=True):
    """Table [detection.auto]: a face is boxed at the scale at which the anchors fit it.

    coarse          input at which every picture is processed
    large_above_px  a face higher than this in the coarse input is boxed with the picture at half that scale
    fine            largest input for small faces; the picture fills it, or is not enlarged
    small_below_px  a face lower than this in the coarse input is boxed in the fine one
    tolerance       share by which a box may miss these limits, as it differs between scales
    lone_above      a lone face above this share of a picture that is not wide makes it a portrait,
                    which is not searched for small faces
    """

    coarse: DetectorInput
    large_above_px: float
    fine: DetectorInput
    small_below_px: float
    tolerance: Fraction
    lone_above: Fraction = 1.0


class DetectorOutput(TomlTable, frozen=True):
    """Table [output]: names of the two output tensors, and the column of the scores that means a face."""

    scores: str
    offsets: str
    face_column: int


class DetectorCard(NetworkCard, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The card of the part that detects faces."""

    output: DetectorOutput
    anchors: AnchorConfig


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """Faces in one picture, highest score first.

    boxes   (n, 4) float32, left, top, right, bottom in pixels of the picture; may exceed its edges
    scores  (n,) float32, 0..1
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Detector:
    """The network with its card.

    max_iou        largest intersection over union, 0..1, of two faces
    max_contained  largest share of a face's box within a larger box, 0..1
    """

    session: Session
    card: DetectorCard
    max_iou: float
    max_contained: float

    def detect(self, image: Image.Image, detector_input: DetectorInput) -> Detections:
        """Every face with the score of the input size or more, in an RGB picture."""
        size = _orient(detector_input.size, image)
        fitted = resize_to_input(image, self.card.input, size)
        return self._run(image, fitted, size, detector_input.min_score)

    def detect_large(self, image: Image.Image, detector_input: DetectorInput) -> Detections:
        """As `detect` with the picture at half the scale, amid padding: for faces that fill the picture."""
        size = _orient(detector_input.size, image)
        fitted = resize_to_input(image, self.card.input, (size[0] // 2, size[1] // 2))
        margins = fitted.width // 2, fitted.height // 2
        padded = ImageOps.expand(fitted, margins, (self.card.input.fill,) * 3)
        scale = image.width / fitted.width, image.height / fitted.height
        found = self._run(padded, padded, size, detector_input.min_score)
        boxes = (found.boxes - np.array(margins * 2, np.float32)) * np.array(scale * 2, np.float32)
        inside = _is_centred_in(image, boxes)
        return Detections(boxes[inside], found.scores[inside])

    def detect_small(self, image: Image.Image, detector_input: DetectorInput) -> Detections:
        """As `detect` without enlarging the picture."""
        size = _orient(detector_input.size, image)
        limits = min(size[0], image.width), min(size[1], image.height)
        fitted = resize_to_input(image, self.card.input, limits)
        return self._run(image, fitted, size, detector_input.min_score)

    def remove_contained(self, found: Detections) -> Detections:
        """Without boxes that lie mostly inside a larger one: one face at another scale, or a part of it."""
        selected = suppress_contained(found.boxes, found.scores, self.max_contained)
        return Detections(found.boxes[selected], found.scores[selected])

    def _run(
        self, image: Image.Image, fitted: Image.Image, size: tuple[int, int], min_score: float
    ) -> Detections:
        """The network runs on the part of the input that shows something.

        fitted  `image` in the scale of the input
        size    (width, height) of the input, of which `fitted` covers the top left corner
        """
        output = self.card.output
        used = min(size[0], _round_up(fitted.width)), min(size[1], _round_up(fitted.height))
        scores, offsets = self.session.run(
            [output.scores, output.offsets], pad_to_tensor(fitted, self.card.input, used)
        )
        likely = np.flatnonzero(scores[0, :, output.face_column] >= min_score)
        anchors = cached_anchor_grid(self.card.anchors, size, used)[likely]
        relative_boxes = decode_offsets(offsets[0, likely], anchors, self.card.anchors)
        across, down = size[0] * image.width / fitted.width, size[1] * image.height / fitted.height
        boxes = relative_boxes * np.array([across, down, across, down], np.float32)
        face_scores = scores[0, likely, output.face_column]
        selected = non_max_suppression(boxes, face_scores, self.max_iou)
        selected = selected[_is_centred_in(image, boxes[selected])]
        return self.remove_contained(Detections(boxes[selected], face_scores[selected]))


def open_detector(release: Release, *, max_iou: float, max_contained: float) -> Detector:
    """Raises InvalidToml or BrokenRelease."""
    return Detector(open_session(release), release.convert_card(DetectorCard), max_iou, max_contained)


def _round_up(length: int) -> int:
    """A length of whole cells of the first two layers, at least."""
    return ceil(length / USED_STEP_PX) * USED_STEP_PX


def _is_centred_in(image: Image.Image, boxes: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(n,) bool: which boxes have their centre in the picture rather than in the padding."""
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    return np.asarray(((middle >= 0) & (middle < image.size)).all(axis=1))


def _orient(size: tuple[int, int], image: Image.Image) -> tuple[int, int]:
    """The size of an input for this picture: (width, height) for a wide one, swapped for a tall one."""
    return size if image.width >= image.height else size[::-1]


def detect_at_all_scales(detector: Detector, image: Image.Image, config: ScalesConfig) -> Detections:
    """Every face in an RGB picture, each boxed at the scale at which it fits the anchors.

    Only a picture with more pixels than the coarse input, which is no portrait, is processed at the fine
    scale, and only one that shows a large face, or none, at the scale for large ones.
    """
    coarse_size = _orient(config.coarse.size, image)
    coarse_px = max(image.width / coarse_size[0], image.height / coarse_size[1])
    small_px, large_px = config.small_below_px * coarse_px, config.large_above_px * coarse_px
    found = [detector.detect(image, config.coarse)]
    if coarse_px > 1 + config.tolerance and not _shows_lone_face(image, found[0], config):
        fine = detector.detect_small(image, config.fine)
        found = [
            _within(found[0], small_px * (1 - config.tolerance), np.inf),
            _within(fine, 0, small_px * (1 + config.tolerance)),
        ]
    heights = np.concatenate([_heights(one) for one in found])
    if not heights.size or heights.max() > large_px:
        large = detector.detect_large(image, config.coarse)
        lowest_px = large_px * (1 - config.tolerance) if heights.size else 0
        found = [_within(one, 0, large_px * (1 + config.tolerance)) for one in found]
        found.append(_within(large, lowest_px, np.inf))
    return detector.remove_contained(_join(found))


def _shows_lone_face(image: Image.Image, found: Detections, config: ScalesConfig) -> bool:
    """Whether a picture that is not wider than high, as frames of cameras are, shows one large face only."""
    least_area = config.lone_above * image.width * image.height
    return image.width <= image.height and len(found.boxes) == 1 and box_areas(found.boxes)[0] > least_area


def _heights(found: Detections) -> NDArray[np.float32]:
    """(n,) float32, in pixels of the picture."""
    return np.asarray(found.boxes[:, 3] - found.boxes[:, 1], np.float32)


def _within(found: Detections, low_px: float, high_px: float) -> Detections:
    """The faces whose height is between two limits."""
    heights = _heights(found)
    selected = (heights >= low_px) & (heights <= high_px)
    return Detections(found.boxes[selected], found.scores[selected])


def _join(found: Sequence[Detections]) -> Detections:
    return Detections(
        np.concatenate([one.boxes for one in found]), np.concatenate([one.scores for one in found])
    )


def detect_in_tiles(detector: Detector, image: Image.Image, config: TileConfig) -> Detections:
    """Every face in the whole RGB picture and in each of its tiles, with one box for each face."""
    detections = [detector.detect(image, config)]
    lefts, tops = (
        tile_starts(length, tile, config.overlap)
        for length, tile in zip(image.size, config.tile_px, strict=True)
    )
    if len(lefts) * len(tops) > 1:
        detections += [
            _detect_in_tile(detector, image, config, left=left, top=top) for top in tops for left in lefts
        ]
    return detector.remove_contained(_join(detections))


def tile_starts(length: int, tile: int, overlap: float) -> list[int]:
    """Where tiles begin along one side, in pixels: evenly, the first at 0, the last ending at `length`."""
    if length <= tile:
        return [0]
    steps = ceil((length - tile) / (tile * (1 - overlap)))
    return [round((length - tile) * step / steps) for step in range(steps + 1)]


def _detect_in_tile(
    detector: Detector, image: Image.Image, config: TileConfig, *, left: int, top: int
) -> Detections:
    """Faces that are no higher than the overlap and not cut by the tile's edge.

    Each such face is whole in at least one tile; larger faces are found in the whole picture, and cut
    ones in a neighbouring tile.
    """
    right, bottom = min(left + config.tile_px[0], image.width), min(top + config.tile_px[1], image.height)
    found = detector.detect(image.crop((left, top, right, bottom)), config)
    boxes = found.boxes + np.array([left, top, left, top], np.float32)
    uncut = _is_uncut(boxes, (left, top, right, bottom), image.size)
    fits = boxes[:, 3] - boxes[:, 1] <= config.overlap * config.tile_px[1]
    return Detections(boxes[uncut & fits], found.scores[uncut & fits])


def _is_uncut(
    boxes: NDArray[np.float32], tile: tuple[int, int, int, int], size: tuple[int, int]
) -> NDArray[np.bool_]:
    """(n,) bool: which boxes do not touch an edge of the tile that lies within the picture."""
    low = np.array([edge if edge > 0 else -np.inf for edge in tile[:2]])
    high = np.array([edge if edge < end else np.inf for edge, end in zip(tile[2:], size, strict=True)])
    return np.asarray((boxes[:, :2] > low).all(axis=1) & (boxes[:, 2:] < high).all(axis=1))
