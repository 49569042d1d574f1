"""A face turned, scaled and moved so that its eyes, nose and mouth lie where the embedder expects them."""

from dataclasses import dataclass
from math import floor

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vigil.inference.card import TomlReader


@dataclass(frozen=True, slots=True)
class Alignment:
    """Which landmarks are averaged into each anchor point, and where each belongs.

    points    for each anchor point the landmarks of which it is the mean
    template  (x, y) of each in the aligned face, in pixels
    """

    landmark_groups: tuple[tuple[int, ...], ...]
    target_points: tuple[tuple[float, ...], ...]

    @classmethod
    def from_card(cls, card: TomlReader) -> "Alignment":
        points = tuple(
            tuple(int(landmark) for landmark in row) for row in card.get_float_rows("alignment.points")
        )
        return cls(points, card.get_float_rows("alignment.template"))


def align_face(
    image: Image.Image, landmarks: NDArray[np.float32], alignment: Alignment, size: tuple[int, int]
) -> Image.Image:
    """The aligned face.

    image      RGB
    landmarks  (68, 2) float32, pixels of `image`
    size       (width, height) of the result; what lies beyond the picture's edge is black
    """
    to_aligned = estimate_similarity(mean_landmarks(landmarks, alignment), np.array(alignment.target_points))
    to_image = np.linalg.inv(np.vstack([to_aligned, [0, 0, 1]]))[:2]
    factor = floor(float(np.hypot(to_image[0, 0], to_image[1, 0])))
    if factor >= 2:
        image, to_image = _downscale_region(image, to_image, size, factor)
    return image.transform(size, Image.Transform.AFFINE, tuple(to_image.ravel()), Image.Resampling.BILINEAR)


def mean_landmarks(landmarks: NDArray[np.float32], alignment: Alignment) -> NDArray[np.float32]:
    """(n, 2): the means of landmarks that the template speaks of."""
    return np.stack([landmarks[list(group)].mean(axis=0) for group in alignment.landmark_groups])


def estimate_similarity(source: NDArray[np.float32], target: NDArray[np.float64]) -> NDArray[np.float64]:
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
    rotation = np.array([[along, -across], [across, along]])
    return np.column_stack([rotation, middle_b - rotation @ middle_a])


def _downscale_region(
    image: Image.Image, to_image: NDArray[np.float64], size: tuple[int, int], factor: int
) -> tuple[Image.Image, NDArray[np.float64]]:
    """The part of the picture that the face needs, averaged over factor² pixels, and the map to it."""
    corners = np.array([[0, 0, 1], [size[0], 0, 1], [0, size[1], 1], [size[0], size[1], 1]]) @ to_image.T
    left, top = np.maximum(np.floor(corners.min(axis=0)).astype(int) - factor, 0)
    right, bottom = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + factor, image.size)
    if right - left < factor or bottom - top < factor:
        return image, to_image
    small = image.reduce(factor, (int(left), int(top), int(right), int(bottom)))
    shifted = to_image.copy()
    shifted[:, 2] -= (left, top)
    return small, shifted / factor
