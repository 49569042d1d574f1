"""The part of an enrolment photograph that is kept: enough for a later release to embed it again."""

import io

import numpy as np
from PIL import Image

from vigil.seeing import Box, Portrait

AROUND = 0.6
"""Of the face's longer side, kept on each side of it: what a detector wants to see around a face."""

FACE_PX = 160
"""A larger face is reduced to this height: embedders take faces of about 90 pixels."""

QUALITY = 92


def cut(image: Image.Image, box: Box) -> Portrait:
    """The face at `box`, in pixels of the upright RGB picture, and little else: a JPEG of 20 to 40 KB."""
    left, top, right, bottom = box
    half = (0.5 + AROUND) * max(right - left, bottom - top)
    x, y = (left + right) / 2, (top + bottom) / 2
    edges = (
        max(0, int(x - half)),
        max(0, int(y - half)),
        min(image.width, int(np.ceil(x + half))),
        min(image.height, int(np.ceil(y + half))),
    )
    part = image.crop(edges)
    scale = min(1.0, FACE_PX / max(bottom - top, 1.0))
    if scale < 1:
        size = max(1, round(part.width * scale)), max(1, round(part.height * scale))
        part = part.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    out = io.BytesIO()
    part.save(out, "JPEG", quality=QUALITY)
    moved = (left - edges[0], top - edges[1], right - edges[0], bottom - edges[1])
    a, b, c, d = (round(side * scale, 1) for side in moved)
    return Portrait(out.getvalue(), (a, b, c, d))


def overlap(one: Box, other: Box) -> float:
    """Intersection over union, 0 to 1."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (_area(one) + _area(other) - shared)


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
