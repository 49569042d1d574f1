"""The landmarker: a network that finds the 68 points of a face in a square around its box."""

from dataclasses import dataclass
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vigil.inference.card import FixedSizePreprocessing, NetworkCard, PositiveInt
from vigil.inference.preprocess import to_tensor
from vigil.inference.release import Release
from vigil.inference.session import Session, open_session
from vigil.toml_file import TomlTable

REDUCING_GAP = 2.0
"""Pillow shrinks by a whole factor to about twice the target size first, then resamples."""

CROP_MARGIN_PX = 8
"""Around a square that is resized, for the pixels beyond its edge that resampling reads."""


class LandmarkOutput(TomlTable, frozen=True):
    """Table [output]: name of the output tensor, and how many points it holds."""

    points: str
    count: PositiveInt


class CropConfig(TomlTable, frozen=True):
    """Table [crop]: the side of the square around a box's centre that the network reads."""

    side_in_box_heights: float


class LandmarkerCard(NetworkCard, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The card of the part that finds landmarks."""

    input: FixedSizePreprocessing
    output: LandmarkOutput
    crop: CropConfig


@dataclass(frozen=True, slots=True, eq=False)
class Landmarks:
    """The points of one face.

    points    (count, 2) float32, x and y in pixels of the picture
    movement  mean distance by which the last pass moved a point along an axis, as a share of the face: above
              0.03 the points do not fit, as the face is turned by a quarter or more, or is no face
    """

    points: NDArray[np.float32]
    movement: float


@dataclass(frozen=True, slots=True)
class Landmarker:
    """The network with its card."""

    session: Session
    card: LandmarkerCard

    def locate(self, image: Image.Image, box: NDArray[np.float32], *, passes: int = 2) -> Landmarks:
        """The landmarks, located again in the bounding box of the points of the pass before.

        image   RGB
        box     (4,) float32, left, top, right, bottom in pixels of `image`
        passes  at least 2
        """
        before = points = self._locate_once(image, box)
        for _ in range(passes - 1):
            before = points
            points = self._locate_once(image, np.concatenate([before.min(axis=0), before.max(axis=0)]))
        side = max(1.0, float(np.ptp(before, axis=0).max()))
        return Landmarks(points, float(np.abs(points - before).mean()) / side)

    def _locate_once(self, image: Image.Image, box: NDArray[np.float32]) -> NDArray[np.float32]:
        """(count, 2) float32, in pixels of `image`."""
        side = max(1.0, float(box[3] - box[1]) * self.card.crop.side_in_box_heights)
        left, top = float(box[0] + box[2] - side) / 2, float(box[1] + box[3] - side) / 2
        crop = crop_square(image, (left, top, left + side, top + side), self.card.input)
        output = self.session.run([self.card.output.points], to_tensor(crop, self.card.input))[0]
        corner = np.array([left, top], np.float32)
        return output.reshape(self.card.output.count, 2) * np.float32(side) + corner


def open_landmarker(release: Release) -> Landmarker:
    """Raises InvalidToml or BrokenRelease."""
    return Landmarker(open_session(release), release.convert_card(LandmarkerCard))


def crop_square(
    image: Image.Image, box: tuple[float, float, float, float], preprocessing: FixedSizePreprocessing
) -> Image.Image:
    """The part at `box`, in pixels of `image`, as large and as coloured as the input, black beyond the edge.

    Grey is resized in a quarter of the time of RGB.
    """
    left, top = floor(box[0]) - CROP_MARGIN_PX, floor(box[1]) - CROP_MARGIN_PX
    crop = image.crop((left, top, ceil(box[2]) + CROP_MARGIN_PX, ceil(box[3]) + CROP_MARGIN_PX))
    if preprocessing.channels == "grey":
        crop = crop.convert("L")
    in_crop = (box[0] - left, box[1] - top, box[2] - left, box[3] - top)
    return crop.resize(preprocessing.size, Image.Resampling.BILINEAR, box=in_crop, reducing_gap=REDUCING_GAP)
