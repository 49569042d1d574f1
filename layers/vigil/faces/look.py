"""A photograph's bytes become every face in it in full detail, compared with nobody yet."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vigil.faces.align import align, anchor_points
from vigil.faces.denoise import clear
from vigil.faces.detect import Detector, Found, open_detector
from vigil.faces.embed import Embedder, open_embedder
from vigil.faces.landmarks import Landmarker, open_landmarker
from vigil.faces.quality import sharpness_of, turn_of
from vigil.faces.sight import LANDMARKS, TILES, Sight
from vigil.faces.tiles import find_in_tiles
from vigil.predict.decode import Picture, decode
from vigil.predict.release import Release
from vigil.predict.shelf import Part
from vigil.seeing import Box, Mark, Option

Locate = Callable[[Image.Image, NDArray[np.float32]], NDArray[np.float32]]
"""`Landmarker.locate`, or `locate_once`."""


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face.

    box_px     left, top, right, bottom in pixels of the upright picture, within it
    score      of the detector, 0 to 1
    landmarks  (68, 2) float32, x and y in pixels of the upright picture
    vector     (D,) float32, unit length
    space      id of the space that `vector` lies in
    quality    0 to 1
    faults     what makes it unfit to be matched
    """

    box_px: Box
    score: float
    landmarks: NDArray[np.float32]
    vector: NDArray[np.float32]
    space: str
    quality: float
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """All faces of one picture, strongest first; `found` counts those beyond the card's cap too."""

    faces: tuple[Face, ...]
    found: int
    size_px: tuple[int, int]
    notes: Mapping[str, Option]


@dataclass(frozen=True, slots=True, eq=False)
class Aligned:
    """A face on the way: in pixels of the unpacked picture, and turned upright.

    box        (4,) float32
    landmarks  (68, 2) float32
    crop       RGB, of the embedder's input size
    """

    box: NDArray[np.float32]
    score: float
    landmarks: NDArray[np.float32]
    crop: Image.Image


@dataclass(frozen=True, slots=True)
class Eyes:
    """The three networks, and how the card wants them used."""

    detector: Detector
    landmarker: Landmarker
    embedder: Embedder
    sight: Sight

    def look(self, data: bytes, options: Mapping[str, Option], mark: Mark) -> Look:
        """Raises what decoding raises, and UnknownOption."""
        way, looks = self.sight.way(options), self.sight.looks(options)
        mark("decode")
        picture = decode(data, self.sight.accepts, side_px=self.sight.unpack_px(way))
        mark("detect")
        found = self._find(picture.image, way)
        mark("align")
        picture, boxes = self._detailed(data, picture, found.boxes[: self.sight.keep])
        locate = self.landmarker.locate if looks == "twice" else self.landmarker.locate_once
        aligned = [self._align(picture, *each, locate) for each in zip(boxes, found.scores, strict=False)]
        mark("embed")
        vectors = self.embedder.embed([each.crop for each in aligned])
        faces = [self._face(picture, *each) for each in zip(aligned, vectors, strict=True)]
        return Look(tuple(faces), found=len(found.scores), size_px=picture.size_px, notes=_notes(way, looks))

    def _find(self, image: Image.Image, way: str) -> Found:
        canvas = self.sight.canvases[way]
        if way == TILES:
            return find_in_tiles(self.detector, image, canvas, self.sight.tiles)
        return self.detector.find(image, canvas)

    def _detailed(
        self, data: bytes, picture: Picture, boxes: NDArray[np.float32]
    ) -> tuple[Picture, NDArray[np.float32]]:
        """The picture at full size, and its boxes, where a face is too small in the one at hand.

        boxes  (n, 4) float32, pixels of `picture.image`; those returned, of the returned one
        """
        across, down = picture.shrink
        small = boxes[:, 3] - boxes[:, 1] < self.sight.detail_below_px
        if across <= 1 or not small.any():
            return picture, boxes
        return decode(data, self.sight.accepts), boxes * np.array([across, down, across, down], np.float32)

    def _align(
        self, picture: Picture, box: NDArray[np.float32], score: np.float32, locate: Locate
    ) -> Aligned:
        part = clear(picture.image, box, self.sight.denoising)
        landmarks = locate(part.image, part.inward(box.reshape(2, 2)).ravel())
        crop = align(part.image, landmarks, self.embedder.alignment, self.embedder.size)
        return Aligned(box, float(score), part.outward(landmarks), crop)

    def _face(self, picture: Picture, aligned: Aligned, vector: NDArray[np.float32]) -> Face:
        scale = np.array(picture.shrink, np.float32)
        box = aligned.box * np.tile(scale, 2)
        quality, faults = self.sight.quality.judge(
            height_px=float(box[3] - box[1]),
            sharpness=sharpness_of(aligned.crop),
            turn=turn_of(anchor_points(aligned.landmarks, self.embedder.alignment)),
        )
        return Face(
            box_px=_within(box, picture.size_px),
            score=aligned.score,
            landmarks=aligned.landmarks * scale,
            vector=vector,
            space=self.embedder.space,
            quality=quality,
            faults=faults,
        )


def open_eyes(release: Release, part: Part) -> Eyes:
    """The networks that a `faces` card names."""
    card = release.card
    names = {role: card.text(f"pipeline.parts.{role}") for role in ("detect", "landmarks", "embed")}
    return Eyes(
        detector=open_detector(part(names["detect"]), card.number("detection.overlap")),
        landmarker=open_landmarker(part(names["landmarks"]), card.number("landmarks.second_below_px")),
        embedder=open_embedder(part(names["embed"])),
        sight=Sight.read(card),
    )


def _notes(way: str, looks: str) -> Mapping[str, Option]:
    """How the picture was looked at, as far as that is not always so."""
    return {"detect": way} if looks == LANDMARKS[0] else {"detect": way, "landmarks": looks}


def _within(box: NDArray[np.float32], size_px: tuple[int, int]) -> Box:
    """The part of a box that lies in the picture, in tenths of a pixel."""
    limits = np.array([*size_px, *size_px], np.float64)
    left, top, right, bottom = np.clip(box, 0, limits).round(1).tolist()
    return left, top, right, bottom
