"""Draws boxes, names and scores of faces onto a photograph."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from vigil.inference.card import InputLimits
from vigil.inference.images import decode_image
from vigil.inference.types import Box, Status

INPUT_LIMITS = InputLimits(
    suffixes=frozenset(),
    formats=("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "MPO"),
    max_bytes=20_000_000,
    max_pixels=50_000_000,
    background_grey=128,
)
LONGEST_PX = 1600
SUPERSAMPLING = 2
"""Drawing scale before the final reduction, for smooth lines."""

COLOURS = {
    "known": (22, 163, 74),
    "unknown": (217, 119, 6),
    "ambiguous": (124, 58, 237),
    "unfit": (100, 116, 139),
}


@dataclass(frozen=True, slots=True)
class FaceLabel:
    """The caption of one face; `box_px` is (left, top, right, bottom) in pixels of the upright photograph."""

    box_px: Box
    text: str
    status: Status
    score: float | None = None


def annotate(photo: bytes, labels: Sequence[FaceLabel]) -> bytes:
    """The photograph as an upright PNG, at most LONGEST_PX long, with a frame and a caption at each face.

    Raises what `decode_image` raises.
    """
    image = decode_image(photo, INPUT_LIMITS).image
    factor = min(1.0, LONGEST_PX / max(image.size))
    size = max(1, round(image.width * factor)), max(1, round(image.height * factor))
    canvas = image.resize((size[0] * SUPERSAMPLING, size[1] * SUPERSAMPLING), Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(canvas, "RGBA")
    for label in sorted(labels, key=lambda label: label.box_px[3]):
        _draw_label(draw, label, scale=factor * SUPERSAMPLING, canvas=canvas.size)
    out = io.BytesIO()
    canvas.resize(size, Image.Resampling.BOX).save(out, "PNG", compress_level=4)
    return out.getvalue()


def _draw_label(
    canvas_draw: ImageDraw.ImageDraw, label: FaceLabel, *, scale: float, canvas: tuple[int, int]
) -> None:
    """Four corner brackets over a thin frame, and the caption under it."""
    left, top, right, bottom = (edge * scale for edge in label.box_px)
    colour = COLOURS[label.status]
    line = max(3, round(max(canvas) / 300))
    radius = min(right - left, bottom - top) * 0.08
    canvas_draw.rounded_rectangle(
        (left, top, right, bottom), radius, outline=(*colour, 150), width=max(1, line // 3)
    )
    for corner in _brackets((left, top, right, bottom), radius):
        canvas_draw.line(corner, fill=(*colour, 255), width=line, joint="curve")
    _caption(canvas_draw, label, middle=(left + right) / 2, under=bottom + line * 2, canvas=canvas)


def _brackets(box: Box, radius: float) -> list[list[tuple[float, float]]]:
    """A line around each corner, as points along its arms and its arc."""
    left, top, right, bottom = box
    arm = min(right - left, bottom - top) * 0.22
    corners = [(left, top, 1, 1), (right, top, -1, 1), (right, bottom, -1, -1), (left, bottom, 1, -1)]
    lines = []
    for x, y, across, down in corners:
        turn = [math.radians(angle) for angle in range(0, 91, 10)]
        arc = [
            (x + across * radius * (1 - math.cos(angle)), y + down * radius * (1 - math.sin(angle)))
            for angle in turn
        ]
        lines.append([(x, y + down * arm), *arc, (x + across * arm, y)])
    return lines


def _caption(
    canvas_draw: ImageDraw.ImageDraw,
    label: FaceLabel,
    *,
    middle: float,
    under: float,
    canvas: tuple[int, int],
) -> None:
    """The name in white on the colour of its status, the score lighter; moved into the picture if needed."""
    points = max(canvas) / 62
    font = ImageFont.load_default(points)
    score = "" if label.score is None else f"  {label.score:.2f}"
    name_px, score_px = font.getlength(label.text), font.getlength(score)
    pad = points * 0.45
    wide, high = name_px + score_px + 2 * pad, points * 1.55
    left = min(max(middle - wide / 2, 0), max(canvas[0] - wide, 0))
    top = min(under, canvas[1] - high)
    canvas_draw.rounded_rectangle(
        (left, top, left + wide, top + high), high * 0.28, fill=(*COLOURS[label.status], 235)
    )
    baseline = (left + pad, top + high / 2)
    canvas_draw.text(baseline, label.text, font=font, fill=(255, 255, 255, 255), anchor="lm")
    canvas_draw.text(
        (baseline[0] + name_px, baseline[1]), score, font=font, fill=(255, 255, 255, 190), anchor="lm"
    )
