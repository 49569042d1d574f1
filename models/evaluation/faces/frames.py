"""Frames of a camera, composed of photographs: faces found by their height, and what is no face."""

import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.evaluation.faces.photos import AnalyzedPhoto
from vigil.errors import Rejected
from vigil.faces.recognizer import FaceRecognizer
from vigil.inference.evaluation import bootstrap
from vigil.inference.types import Box, iou
from vigil.statistics import Interval

HEIGHTS_PX = (30, 40, 60, 80, 120)
"""Of the faces in a frame; of a box that the model reports for the whole photograph."""

FRAME_PX, GRID = (1920, 1080), (4, 3)
"""A frame, and the columns and rows of its places, of which each shows one face."""

FACES_PER_HEIGHT = 240

MARGIN = 0.4
"""Of the photograph around its face that is shown, in sides of the face."""

MIN_IOU = 0.4
"""Of a box with the face, for the face to be found."""


def recall_by_height(model: FaceRecognizer, photos: Sequence[AnalyzedPhoto]) -> dict[str, Interval]:
    """For each height the share of faces in composed frames that are found, and further faces a frame."""
    single = [photo for photo in photos if len(photo.faces) == 1]
    shown = single[:: max(1, len(single) // FACES_PER_HEIGHT)][:FACES_PER_HEIGHT]
    figures: dict[str, Interval] = {}
    surplus: list[float] = []
    for height in HEIGHTS_PX:
        found: list[float] = []
        for first in range(0, len(shown), GRID[0] * GRID[1]):
            some = shown[first : first + GRID[0] * GRID[1]]
            frame, truth = compose_frame(model, some, height, np.random.default_rng(first))
            boxes = [face.box_px for face in model.analyze(frame).faces]
            hits = [max((iou(box, place) for box in boxes), default=0.0) >= MIN_IOU for place in truth]
            found += hits
            surplus.append(len(boxes) - sum(hits))
        figures[f"recall_{height}px"] = _mean(found)
    return {**figures, "false_faces_per_frame": _mean(surplus)}


def false_faces(model: FaceRecognizer, pictures: Sequence[Path]) -> Mapping[str, Interval]:
    """Faces that the model reports for each picture without people; nothing without pictures."""
    counts = list(_count_faces(model, pictures))
    return {"false_faces_per_picture": _mean(counts)} if counts else {}


def _count_faces(model: FaceRecognizer, pictures: Sequence[Path]) -> Iterator[int]:
    for picture in pictures:
        try:
            yield len(model.analyze(picture.read_bytes()).faces)
        except Rejected:
            continue


def compose_frame(
    model: FaceRecognizer, photos: Sequence[AnalyzedPhoto], height_px: int, random: np.random.Generator
) -> tuple[bytes, list[Box]]:
    """A JPEG with the face of each photograph at a height, each somewhere in its place, and their boxes."""
    frame = _background(random)
    width, height = FRAME_PX[0] // GRID[0], FRAME_PX[1] // GRID[1]
    boxes: list[Box] = []
    for number, photo in enumerate(photos):
        face, inside = _reduced_face(model, photo, height_px)
        row, column = divmod(number, GRID[0])
        left = column * width + int(random.integers(max(1, width - face.width)))
        top = row * height + int(random.integers(max(1, height - face.height)))
        frame.paste(face, (left, top))
        boxes.append((inside[0] + left, inside[1] + top, inside[2] + left, inside[3] + top))
    out = io.BytesIO()
    frame.save(out, "JPEG", quality=90)
    return out.getvalue(), boxes


def _background(random: np.random.Generator) -> Image.Image:
    """Soft patches of colour, which resemble no face."""
    colours = random.integers(40, 200, (9, 16, 3)).astype(np.uint8)
    return Image.fromarray(colours).resize(FRAME_PX, Image.Resampling.BICUBIC)


def _reduced_face(model: FaceRecognizer, photo: AnalyzedPhoto, height_px: int) -> tuple[Image.Image, Box]:
    """The face with its surroundings, reduced to a height, and its box in that picture."""
    box: NDArray[np.float64] = np.array(photo.faces[0].box_px)
    image = model.decode_full_size(photo.path.read_bytes())
    sides = np.tile(box[2:] - box[:2], 2)
    around = np.clip(box + MARGIN * sides * (-1, -1, 1, 1), 0, [*image.size, *image.size]).astype(int)
    scale = height_px / (box[3] - box[1])
    width, height = (max(1, round(side * scale)) for side in (around[2:] - around[:2]).tolist())
    reduced = image.crop(tuple(around.tolist())).resize((width, height), Image.Resampling.LANCZOS)
    left, top, right, bottom = ((box - np.tile(around[:2], 2)) * scale).tolist()
    return reduced, (left, top, right, bottom)


def _mean(values: Sequence[float]) -> Interval:
    numbers = np.array(values, np.float64)
    return bootstrap(lambda items: float(numbers[items].mean()) if len(items) else float("nan"), len(numbers))
