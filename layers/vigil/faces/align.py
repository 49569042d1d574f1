"""A face turned, scaled and moved so that its eyes, nose and mouth lie where the embedder expects them."""

from dataclasses import dataclass
from math import floor

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vigil.predict.table import Table


@dataclass(frozen=True, slots=True)
class Alignment:
    """Which landmarks are averaged into each anchor point, and where each belongs.

    points    for each anchor point the landmarks of which it is the mean
    template  (x, y) of each in the aligned face, in pixels
    """

    points: tuple[tuple[int, ...], ...]
    template: tuple[tuple[float, ...], ...]

    @classmethod
    def read(cls, card: Table) -> "Alignment":
        points = tuple(tuple(int(place) for place in row) for row in card.rows("alignment.points"))
        return cls(points, card.rows("alignment.template"))


def align(
    image: Image.Image, landmarks: NDArray[np.float32], alignment: Alignment, size: tuple[int, int]
) -> Image.Image:
    """The aligned face.

    image      RGB
    landmarks  (68, 2) float32, pixels of `image`
    size       (width, height) of the result; what lies beyond the picture's edge is black
    """
    to_face = similarity(anchor_points(landmarks, alignment), np.array(alignment.template))
    back = np.linalg.inv(np.vstack([to_face, [0, 0, 1]]))[:2]
    shrink = floor(float(np.hypot(back[0, 0], back[1, 0])))
    if shrink >= 2:
        image, back = _reduced(image, back, size, shrink)
    return image.transform(size, Image.Transform.AFFINE, tuple(back.ravel()), Image.Resampling.BILINEAR)


def anchor_points(landmarks: NDArray[np.float32], alignment: Alignment) -> NDArray[np.float32]:
    """(n, 2): the means of landmarks that the template speaks of."""
    return np.stack([landmarks[list(places)].mean(axis=0) for places in alignment.points])


def similarity(source: NDArray[np.float32], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """The turn, scale and shift that brings `source` nearest to `target` (Umeyama, least squares).

    source, target  (n, 2)
    returns         (2, 3): x' = m[0,0] x + m[0,1] y + m[0,2], and y' alike
    """
    a, b = source.astype(np.float64), target
    middle_a, middle_b = a.mean(axis=0), b.mean(axis=0)
    a, b = a - middle_a, b - middle_b
    spread = max(float((a**2).sum()), 1e-12)
    along = float((a * b).sum()) / spread
    across = float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / spread
    turn = np.array([[along, -across], [across, along]])
    return np.column_stack([turn, middle_b - turn @ middle_a])


def _reduced(
    image: Image.Image, back: NDArray[np.float64], size: tuple[int, int], factor: int
) -> tuple[Image.Image, NDArray[np.float64]]:
    """The part of the picture that the face needs, averaged over factor² pixels, and the map to it."""
    corners = np.array([[0, 0, 1], [size[0], 0, 1], [0, size[1], 1], [size[0], size[1], 1]]) @ back.T
    left, top = np.maximum(np.floor(corners.min(axis=0)).astype(int) - factor, 0)
    right, bottom = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + factor, image.size)
    if right - left < factor or bottom - top < factor:
        return image, back
    small = image.reduce(factor, (int(left), int(top), int(right), int(bottom)))
    moved = back.copy()
    moved[:, 2] -= (left, top)
    return small, moved / factor
