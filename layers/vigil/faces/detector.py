"""The anchor boxes of an SSD-style detector for any input size, and boxes from offsets to them."""

from dataclasses import dataclass
from functools import lru_cache
from math import ceil

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vigil.inference.card import Preprocessing, TomlReader
from vigil.inference.preprocess import pad_to_tensor, resize_to_input
from vigil.inference.release import Release
from vigil.inference.session import Session, open_session


@dataclass(frozen=True, slots=True)
class AnchorConfig:
    """Per stride, the sides in pixels of the squares around every cell's centre."""

    strides: tuple[int, ...]
    min_sizes: tuple[tuple[float, ...], ...]
    centre_variance: float
    size_variance: float

    @classmethod
    def from_card(cls, card: TomlReader) -> "AnchorConfig":
        return cls(
            strides=tuple(int(stride) for stride in card.get_floats("anchors.strides")),
            min_sizes=card.get_float_rows("anchors.min_sizes"),
            centre_variance=card.get_float("output.centre_variance"),
            size_variance=card.get_float("output.size_variance"),
        )

    def grid(self, size: tuple[int, int]) -> NDArray[np.float32]:
        """All anchors of an input of `size` (width, height).

        returns  (N, 4) float32: centre x, centre y, width, height, each clipped to 0..1 of the input
        """
        layers = [
            _anchor_layer(size, stride, sides)
            for stride, sides in zip(self.strides, self.min_sizes, strict=True)
        ]
        return np.clip(np.concatenate(layers), 0, 1).astype(np.float32)


def decode_boxes(
    offsets: NDArray[np.float32], anchors: NDArray[np.float32], config: AnchorConfig
) -> NDArray[np.float32]:
    """Boxes from a network's offsets to anchors.

    offsets  (N, 4) float32: shift of the centre, log growth of the size, in anchor sizes over variance
    anchors  (N, 4) float32, as `grid` gives them
    returns  (N, 4) float32: left, top, right, bottom in 0..1 of the input, not clipped
    """
    centre = offsets[:, :2] * np.float32(config.centre_variance) * anchors[:, 2:] + anchors[:, :2]
    half = np.exp(offsets[:, 2:] * np.float32(config.size_variance)) * anchors[:, 2:] / np.float32(2)
    return np.concatenate([centre - half, centre + half], axis=1)


def _anchor_layer(size: tuple[int, int], stride: int, sides: tuple[float, ...]) -> NDArray[np.float64]:
    """(rows * columns * sides, 4): row by row, cell by cell, side by side."""
    columns, rows = ceil(size[0] / stride), ceil(size[1] / stride)
    y, x, side = np.meshgrid(
        (np.arange(rows) + 0.5) / rows, (np.arange(columns) + 0.5) / columns, np.asarray(sides), indexing="ij"
    )
    return np.stack([x, y, side / size[0], side / size[1]], axis=-1).reshape(-1, 4)


# MERGED: Of boxes that cover the same thing, keep the one that scores highest.


def non_max_suppression(
    boxes: NDArray[np.float32], scores: NDArray[np.float32], max_iou: float
) -> NDArray[np.int64]:
    """Places of the boxes kept, strongest first.

    boxes    (N, 4) float32, left, top, right, bottom, any unit
    scores   (N,) float32
    overlap  largest intersection over union, 0..1, of two boxes that both stay
    """
    remaining = np.argsort(-scores, kind="stable")
    areas = _box_areas(boxes)
    selected: list[int] = []
    while remaining.size:
        first, remaining = int(remaining[0]), remaining[1:]
        selected.append(first)
        intersection = _intersection_areas(boxes[first], boxes[remaining])
        remaining = remaining[intersection <= max_iou * (areas[first] + areas[remaining] - intersection)]
    return np.array(selected, np.int64)


def suppress_contained(
    boxes: NDArray[np.float32], scores: NDArray[np.float32], max_contained: float
) -> NDArray[np.int64]:
    """Drop boxes that lie mostly inside a larger one: a face cut by a tile's edge yields to the whole face.

    overlap  largest intersection over the smaller box, 0..1, of two boxes that both stay
    returns  places of the boxes kept, strongest first
    """
    areas = _box_areas(boxes)
    remaining = np.argsort(-areas, kind="stable")
    selected: list[int] = []
    while remaining.size:
        first, remaining = int(remaining[0]), remaining[1:]
        selected.append(first)
        remaining = remaining[
            _intersection_areas(boxes[first], boxes[remaining]) <= max_contained * areas[remaining]
        ]
    return np.array(sorted(selected, key=lambda index: -float(scores[index])), np.int64)


def _box_areas(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def _intersection_areas(box: NDArray[np.float32], boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Area that one box has in common with each of the others."""
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    return np.asarray(np.maximum(sides[:, 0], 0) * np.maximum(sides[:, 1], 0), np.float32)


# MERGED: Where the faces are in a picture, at the input size that is asked for.


@dataclass(frozen=True, slots=True)
class DetectorInput:
    """One input size of the detector.

    size   (width, height) for a wide picture; turned for a tall one
    score  the least score, 0..1, of a face at this size
    """

    size: tuple[int, int]
    min_score: float


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """Faces in one picture, strongest first.

    boxes   (n, 4) float32, left, top, right, bottom in pixels of the picture, perhaps beyond its edges
    scores  (n,) float32, 0..1
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Detector:
    """The network, and what its card says of its output."""

    session: Session
    preparation: Preprocessing
    anchor_config: AnchorConfig
    outputs: tuple[str, str]
    face_column: int
    max_iou: float

    def detect(self, image: Image.Image, detector_input: DetectorInput) -> Detections:
        """Every face that scores enough, one box for each."""
        size = detector_input.size if image.width >= image.height else detector_input.size[::-1]
        fitted = resize_to_input(image, self.preparation, size)
        scores, offsets = self.session.run(list(self.outputs), pad_to_tensor(fitted, self.preparation, size))
        likely = np.flatnonzero(scores[0, :, self.face_column] >= detector_input.min_score)
        relative_boxes = decode_boxes(
            offsets[0, likely], cached_anchor_grid(self.anchor_config, size)[likely], self.anchor_config
        )
        across, down = size[0] * image.width / fitted.width, size[1] * image.height / fitted.height
        boxes = relative_boxes * np.array([across, down, across, down], np.float32)
        strength = scores[0, likely, self.face_column]
        selected = non_max_suppression(boxes, strength, self.max_iou)
        selected = selected[_is_centred_in(image, boxes[selected])]
        return Detections(boxes[selected], strength[selected])


def open_detector(release: Release, max_iou: float) -> Detector:
    """overlap: largest intersection over union, 0..1, of two faces."""
    card = release.card
    return Detector(
        session=open_session(release),
        preparation=Preprocessing.from_card(card),
        anchor_config=AnchorConfig.from_card(card),
        outputs=(card.get_str("output.scores"), card.get_str("output.offsets")),
        face_column=card.get_int("output.face_column"),
        max_iou=max_iou,
    )


@lru_cache(maxsize=16)
def cached_anchor_grid(config: AnchorConfig, size: tuple[int, int]) -> NDArray[np.float32]:
    """`Anchors.grid`, made once for each size."""
    return config.grid(size)


def _is_centred_in(image: Image.Image, boxes: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which boxes have their middle in the picture, and not in the padding beside it."""
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    return np.asarray(((middle >= 0) & (middle < image.size)).all(axis=1))


# MERGED: Small faces in a wide scene: the detector looks at overlapping tiles, and once at the whole.

TileCorner = tuple[int, int]


@dataclass(frozen=True, slots=True)
class TileConfig:
    """How a scene is cut.

    size_px  (width, height) of a tile, in pixels of the full picture
    lap      share of a tile, 0..1, that its neighbour sees too
    inside   largest share of a box, 0..1, within a larger box, of two that both stay
    """

    size_px: tuple[int, int]
    overlap: float
    max_contained: float

    @classmethod
    def from_card(cls, card: TomlReader) -> "TileConfig":
        return cls(
            size_px=card.get_size("detection.tiles.size_px"),
            overlap=card.get_float("detection.tiles.lap"),
            max_contained=card.get_float("detection.tiles.inside"),
        )

    def corners(self, size: tuple[int, int]) -> list[TileCorner]:
        """The left top corner of every tile of a picture of `size` (width, height)."""
        across = tile_starts(size[0], self.size_px[0], self.overlap)
        down = tile_starts(size[1], self.size_px[1], self.overlap)
        return [(x, y) for y in down for x in across]


def detect_in_tiles(
    detector: Detector, image: Image.Image, detector_input: DetectorInput, config: TileConfig
) -> Detections:
    """Every face in the whole picture and in each tile of it, one box for each."""
    detections = [detector.detect(image, detector_input)]
    corners = config.corners(image.size)
    if len(corners) > 1:
        detections += [
            _detect_in_tile(detector, image, detector_input, config, corner=corner) for corner in corners
        ]
    boxes = np.concatenate([found.boxes for found in detections])
    scores = np.concatenate([found.scores for found in detections])
    selected = suppress_contained(boxes, scores, config.max_contained)
    return Detections(boxes[selected], scores[selected])


def tile_starts(length: int, tile: int, overlap: float) -> list[int]:
    """Where tiles begin along one side: evenly, the first at 0, the last ending at the end."""
    if length <= tile:
        return [0]
    steps = ceil((length - tile) / (tile * (1 - overlap)))
    return [round((length - tile) * step / steps) for step in range(steps + 1)]


def _detect_in_tile(
    detector: Detector,
    image: Image.Image,
    detector_input: DetectorInput,
    config: TileConfig,
    *,
    corner: TileCorner,
) -> Detections:
    """The faces that fit into the overlap and lie inside the tile.

    Such a face is whole in one tile at least; a larger one, or one cut by a tile's edge, is left
    to the look at the whole picture or to the neighbour.
    """
    left, top = corner
    right, bottom = min(left + config.size_px[0], image.width), min(top + config.size_px[1], image.height)
    found = detector.detect(image.crop((left, top, right, bottom)), detector_input)
    boxes = found.boxes + np.array([left, top, left, top], np.float32)
    uncut = _is_uncut(boxes, (left, top, right, bottom), image.size)
    fits = boxes[:, 3] - boxes[:, 1] <= config.overlap * config.size_px[1]
    return Detections(boxes[uncut & fits], found.scores[uncut & fits])


def _is_uncut(
    boxes: NDArray[np.float32], tile: tuple[int, int, int, int], size: tuple[int, int]
) -> NDArray[np.bool_]:
    """Which boxes touch none of the tile's edges that lie within the picture."""
    low = np.array([edge if edge > 0 else -np.inf for edge in tile[:2]])
    high = np.array([edge if edge < end else np.inf for edge, end in zip(tile[2:], size, strict=True)])
    return np.asarray((boxes[:, :2] > low).all(axis=1) & (boxes[:, 2:] < high).all(axis=1))
