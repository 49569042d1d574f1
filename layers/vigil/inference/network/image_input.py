"""A picture as the input of a network."""

from collections.abc import Iterator

from vigil.inference.card import InputLimits
from vigil.inference.images import DecodedImage, decode_image
from vigil.inference.network.card import ImageInputSpec
from vigil.inference.network.prepared import ImagePlacement, PreparedInput
from vigil.inference.preprocess import cropped_box, pad_to_tensor, padding_px, resize_to_input

DECODED_SIDES = 2
"""A JPEG is decoded at no less than this many times the longer side of the input."""


class ImagePreparer:
    """Decodes a picture and resizes it to the network's input."""

    def __init__(self, spec: ImageInputSpec, limits: InputLimits) -> None:
        self._spec, self._limits = spec, limits

    def __call__(self, data: bytes) -> Iterator[PreparedInput]:
        """Raises what `decode_image` raises."""
        spec = self._spec
        longest = max(spec.size) if spec.size else spec.max_side_px
        picture = decode_image(data, self._limits, side_px=DECODED_SIDES * longest)
        target = spec.size or self._own_size(picture)
        resized = resize_to_input(picture.image, spec, target)
        tensor = pad_to_tensor(resized, spec, target)
        yield PreparedInput({spec.name: tensor}, 1, placement=_placement(picture, resized.size, spec, target))

    def _own_size(self, picture: DecodedImage) -> tuple[int, int]:
        """(width, height) of the input for a network of several sizes."""
        spec = self._spec
        factor = min(1.0, spec.max_side_px / max(picture.size_px))
        width, height = (max(1, round(side * factor)) for side in picture.size_px)
        return _rounded_up(width, spec.multiple), _rounded_up(height, spec.multiple)


def _rounded_up(side: int, multiple: int) -> int:
    return -(-side // multiple) * multiple


def _placement(
    picture: DecodedImage, resized: tuple[int, int], spec: ImageInputSpec, target: tuple[int, int]
) -> ImagePlacement:
    """
    resized  (width, height) of the picture within the input
    """
    full = picture.size_px
    if spec.fit == "crop":
        left, top, right, bottom = cropped_box(full, spec, target)
        scale = ((right - left) / target[0], (bottom - top) / target[1])
        return ImagePlacement(target, scale, (left, top), full)
    scale = (full[0] / resized[0], full[1] / resized[1])
    left_px, top_px = padding_px(resized, target, spec)
    return ImagePlacement(target, scale, (-left_px * scale[0], -top_px * scale[1]), full)
