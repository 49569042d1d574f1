"""Small faces in a wide scene: the detector looks at overlapping tiles, and once at the whole."""

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vigil.faces.detect import Canvas, Detector, Found
from vigil.faces.nms import suppress_parts
from vigil.predict.table import Table

Corner = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Tiles:
    """How a scene is cut.

    size_px  (width, height) of a tile, in pixels of the full picture
    lap      share of a tile, 0..1, that its neighbour sees too
    inside   largest share of a box, 0..1, within a larger box, of two that both stay
    """

    size_px: tuple[int, int]
    lap: float
    inside: float

    @classmethod
    def read(cls, card: Table) -> "Tiles":
        return cls(
            size_px=card.size("detection.tiles.size_px"),
            lap=card.number("detection.tiles.lap"),
            inside=card.number("detection.tiles.inside"),
        )

    def corners(self, size: tuple[int, int]) -> list[Corner]:
        """The left top corner of every tile of a picture of `size` (width, height)."""
        across = starts(size[0], self.size_px[0], self.lap)
        down = starts(size[1], self.size_px[1], self.lap)
        return [(x, y) for y in down for x in across]


def find_in_tiles(detector: Detector, image: Image.Image, canvas: Canvas, tiles: Tiles) -> Found:
    """Every face in the whole picture and in each tile of it, one box for each."""
    seen = [detector.find(image, canvas)]
    corners = tiles.corners(image.size)
    if len(corners) > 1:
        seen += [_find_in_tile(detector, image, canvas, tiles, corner=corner) for corner in corners]
    boxes = np.concatenate([found.boxes for found in seen])
    scores = np.concatenate([found.scores for found in seen])
    kept = suppress_parts(boxes, scores, tiles.inside)
    return Found(boxes[kept], scores[kept])


def starts(length: int, tile: int, lap: float) -> list[int]:
    """Where tiles begin along one side: evenly, the first at 0, the last ending at the end."""
    if length <= tile:
        return [0]
    steps = ceil((length - tile) / (tile * (1 - lap)))
    return [round((length - tile) * step / steps) for step in range(steps + 1)]


def _find_in_tile(
    detector: Detector, image: Image.Image, canvas: Canvas, tiles: Tiles, *, corner: Corner
) -> Found:
    """The faces that fit into the overlap and lie inside the tile.

    Such a face is whole in one tile at least; a larger one, or one cut by a tile's edge, is left
    to the look at the whole picture or to the neighbour.
    """
    left, top = corner
    right, bottom = min(left + tiles.size_px[0], image.width), min(top + tiles.size_px[1], image.height)
    found = detector.find(image.crop((left, top, right, bottom)), canvas)
    boxes = found.boxes + np.array([left, top, left, top], np.float32)
    whole = _not_cut(boxes, (left, top, right, bottom), image.size)
    fits = boxes[:, 3] - boxes[:, 1] <= tiles.lap * tiles.size_px[1]
    return Found(boxes[whole & fits], found.scores[whole & fits])


def _not_cut(
    boxes: NDArray[np.float32], tile: tuple[int, int, int, int], size: tuple[int, int]
) -> NDArray[np.bool_]:
    """Which boxes touch none of the tile's edges that lie within the picture."""
    low = np.array([edge if edge > 0 else -np.inf for edge in tile[:2]])
    high = np.array([edge if edge < end else np.inf for edge, end in zip(tile[2:], size, strict=True)])
    return np.asarray((boxes[:, :2] > low).all(axis=1) & (boxes[:, 2:] < high).all(axis=1))
