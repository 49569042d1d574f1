"""The 68 points of a face, found in a square around its box."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vigil.inference.card import Preprocessing
from vigil.inference.preprocess import to_tensor
from vigil.inference.release import Release
from vigil.inference.session import Session, open_session

REDUCING_GAP = 2.0
"""Resampling first shrinks by whole factors, down to twice the size that is wanted."""


@dataclass(frozen=True, slots=True)
class Landmarker:
    """The network, and the square that it wants to see.

    side_of_height   the square's side, in box heights
    second_below_px  faces of fewer pixels in the picture get a second look, at the points' own box
    """

    session: Session
    preparation: Preprocessing
    output: str
    count: int
    side_in_box_heights: float
    second_pass_below_px: float

    def locate(self, image: Image.Image, box: NDArray[np.float32]) -> NDArray[np.float32]:
        """A small face is looked at once more, at the points' own box.

        image    RGB
        box      (4,) float32, left, top, right, bottom in pixels of `image`
        returns  (count, 2) float32, x and y in pixels of `image`
        """
        points = self.locate_single_pass(image, box)
        if box[3] - box[1] >= self.second_pass_below_px:
            return points
        return self.locate_single_pass(image, np.concatenate([points.min(axis=0), points.max(axis=0)]))

    def locate_single_pass(self, image: Image.Image, box: NDArray[np.float32]) -> NDArray[np.float32]:
        """As `locate`, at one look: quicker, and less sure of small faces."""
        side = max(1.0, float(box[3] - box[1]) * self.side_in_box_heights)
        left, top = float(box[0] + box[2] - side) / 2, float(box[1] + box[3] - side) / 2
        crop = crop_square(image, (left, top, left + side, top + side), self.preparation.size or image.size)
        output = self.session.run([self.output], to_tensor(crop, self.preparation))[0]
        corner = np.array([left, top], np.float32)
        return output.reshape(self.count, 2) * np.float32(side) + corner


def open_landmarker(release: Release, second_pass_below_px: float) -> Landmarker:
    card = release.card
    return Landmarker(
        session=open_session(release),
        preparation=Preprocessing.from_card(card),
        output=card.get_str("output.points"),
        count=card.get_int("output.count"),
        side_in_box_heights=card.get_float("crop.side_of_height"),
        second_pass_below_px=second_pass_below_px,
    )


def crop_square(
    image: Image.Image, box: tuple[float, float, float, float], size: tuple[int, int]
) -> Image.Image:
    """Part of a picture at `size`; what lies beyond the edge is black."""
    left, top, right, bottom = box
    if left < 0 or top < 0 or right > image.width or bottom > image.height:
        bounds = (int(np.floor(left)), int(np.floor(top)), int(np.ceil(right)), int(np.ceil(bottom)))
        image = image.crop(bounds)
        box = (left - bounds[0], top - bounds[1], right - bounds[0], bottom - bounds[1])
    return image.resize(size, Image.Resampling.BILINEAR, box=box, reducing_gap=REDUCING_GAP)
