"""Alignment: a face is rotated, scaled and moved until its landmarks lie where the embedder expects them."""

from math import floor

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vigil.toml_file import TomlTable


class Alignment(TomlTable, frozen=True):
    """Table [alignment] of an embedder's card: anchor points, and their positions in the aligned face.

    landmark_groups  for each anchor point, the indices of the landmarks of which it is the mean
    target_points    for each anchor point, (x, y) in pixels of the aligned face
    """

    landmark_groups: tuple[tuple[int, ...], ...]
    target_points: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        if len(self.landmark_groups) != len(self.target_points):
            raise ValueError("landmark_groups and target_points must have the same length")


def align_face(
    image: Image.Image, landmarks: NDArray[np.float32], alignment: Alignment, size: tuple[int, int]
) -> Image.Image:
    """The aligned face, RGB; pixels beyond the edge of `image` are black.

    image      RGB
    landmarks  (68, 2) float32, x and y in pixels of `image`
    size       (width, height) of the result in pixels
    """
    to_aligned = estimate_similarity(mean_landmarks(landmarks, alignment), np.array(alignment.target_points))
    to_image = np.linalg.inv(np.vstack([to_aligned, [0, 0, 1]]))[:2]
    factor = floor(float(np.hypot(to_image[0, 0], to_image[1, 0])))
    if factor >= 2:
        image, to_image = _downscale_region(image, to_image, size, factor)
    return image.transform(size, Image.Transform.AFFINE, tuple(to_image.ravel()), Image.Resampling.BILINEAR)


def mean_landmarks(landmarks: NDArray[np.float32], alignment: Alignment) -> NDArray[np.float32]:
    """The anchor points.

    landmarks  (68, 2) float32, x and y in pixels
    returns    (n, 2) float32, one row for each landmark group
    """
    groups = alignment.landmark_groups
    starts = np.cumsum([0, *map(len, groups[:-1])])
    sums = np.add.reduceat(landmarks[[index for group in groups for index in group]], starts, axis=0)
    return np.asarray(sums / np.array([[len(group)] for group in groups], np.float32), np.float32)


def estimate_similarity(source: NDArray[np.float32], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rotation, scale and shift that maps `source` closest to `target` (Umeyama 1991, least squares).

    source   (n, 2) float32, x and y in pixels
    target   (n, 2) float64, x and y in pixels
    returns  (2, 3) float64, m: x' = m[0, 0] x + m[0, 1] y + m[0, 2], and y' from m[1] alike
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
    """The region of the face, averaged over factor² pixels, and the map to it.

    to_image  (2, 3) float64, from pixels of the aligned face to pixels of `image`
    """
    corners = np.array([[0, 0, 1], [size[0], 0, 1], [0, size[1], 1], [size[0], size[1], 1]]) @ to_image.T
    left, top = np.maximum(np.floor(corners.min(axis=0)).astype(int) - factor, 0)
    right, bottom = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + factor, image.size)
    if right - left < factor or bottom - top < factor:
        return image, to_image
    small = image.reduce(factor, (int(left), int(top), int(right), int(bottom)))
    shifted = to_image.copy()
    shifted[:, 2] -= (left, top)
    return small, shifted / factor
