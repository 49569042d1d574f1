"""How a card wants photographs looked at, and which way of looking a source's options ask for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vigil.errors import Rejected
from vigil.faces.alignment import align_face, mean_landmarks
from vigil.faces.denoise import DenoisingConfig, denoise_face
from vigil.faces.detector import (
    Detections,
    Detector,
    DetectorInput,
    TileConfig,
    detect_in_tiles,
    open_detector,
)
from vigil.faces.embedder import Embedder, open_embedder
from vigil.faces.landmarks import Landmarker, open_landmarker
from vigil.faces.quality import QualityGate, measure_sharpness, measure_turn
from vigil.inference.card import InputLimits, TomlReader
from vigil.inference.images import DecodedImage, decode_image
from vigil.inference.release import Release
from vigil.inference.repository import OpenPart
from vigil.inference.types import Box, Option, StageCallback

TILES = "tiles"

LANDMARK_PASSES = ("twice", "once")
"""How often a small face is looked at for its points; twice unless an option says so."""


class UnknownOption(Rejected):
    """A source or a message asks for something that the model's card does not offer."""

    reason = "unknown-option"


@dataclass(frozen=True, slots=True)
class PipelineConfig:
    """The card's settings.

    canvases         the detector's input sizes, by the name that an option gives
    default          the name used where no option says another
    keep             the most faces of one picture
    side_px          a JPEG's longer side keeps this many pixels when it is unpacked smaller
    detail_below_px  smaller faces than this, in the unpacked picture, are cut from the full one
    """

    limits: InputLimits
    detector_inputs: Mapping[str, DetectorInput]
    default_input: str
    tiles: TileConfig
    max_faces: int
    side_px: int
    detail_below_px: float
    quality: QualityGate
    denoising: DenoisingConfig

    @classmethod
    def from_card(cls, card: TomlReader) -> "PipelineConfig":
        keys = {name: f"detection.sizes.{name}" for name in card.get_keys("detection.sizes")}
        return cls(
            limits=InputLimits.from_card(card),
            detector_inputs={
                name: _read_detector_input(card, at)
                for name, at in {**keys, TILES: "detection.tiles"}.items()
            },
            default_input=card.get_str("detection.default"),
            tiles=TileConfig.from_card(card),
            max_faces=card.get_int("detection.keep"),
            side_px=card.get_int("decoding.side_px"),
            detail_below_px=card.get_float("decoding.detail_below_px"),
            quality=QualityGate.from_card(card),
            denoising=DenoisingConfig.from_card(card),
        )

    def detector_input(self, options: Mapping[str, Option]) -> str:
        """Which canvas these options ask for. Raises UnknownOption."""
        requested = str(options.get("detect", self.default_input))
        if requested not in self.detector_inputs:
            raise UnknownOption(f"detect = {requested!r}; there are: {', '.join(self.detector_inputs)}")
        return requested

    def landmark_passes(self, options: Mapping[str, Option]) -> str:
        """How often landmarks are looked for. Raises UnknownOption."""
        requested = str(options.get("landmarks", LANDMARK_PASSES[0]))
        if requested not in LANDMARK_PASSES:
            raise UnknownOption(f"landmarks = {requested!r}; there are: {', '.join(LANDMARK_PASSES)}")
        return requested

    def decode_side_px(self, input_name: str) -> int | None:
        """How long a JPEG's longer side must stay for looking this way; None: as it is."""
        return None if input_name == TILES else max(self.side_px, *self.detector_inputs[input_name].size)


def _read_detector_input(card: TomlReader, at: str) -> DetectorInput:
    return DetectorInput(card.get_size(f"{at}.canvas"), card.get_float(f"{at}.score"))


# MERGED: A photograph's bytes become every face in it in full detail, compared with nobody yet.

LocateLandmarks = Callable[[Image.Image, NDArray[np.float32]], NDArray[np.float32]]
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
    detector_score: float
    landmarks: NDArray[np.float32]
    vector: NDArray[np.float32]
    embedding_space: str
    quality: float
    quality_issues: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class FaceAnalysis:
    """All faces of one picture, strongest first; `found` counts those beyond the card's cap too."""

    faces: tuple[Face, ...]
    total_found: int
    size_px: tuple[int, int]
    notes: Mapping[str, Option]


@dataclass(frozen=True, slots=True, eq=False)
class AlignedFace:
    """A face on the way: in pixels of the unpacked picture, and turned upright.

    box        (4,) float32
    landmarks  (68, 2) float32
    crop       RGB, of the embedder's input size
    """

    box: NDArray[np.float32]
    detector_score: float
    landmarks: NDArray[np.float32]
    crop: Image.Image


@dataclass(frozen=True, slots=True)
class FacePipeline:
    """The three networks, and how the card wants them used."""

    detector: Detector
    landmarker: Landmarker
    embedder: Embedder
    config: PipelineConfig

    def analyze(self, data: bytes, options: Mapping[str, Option], on_stage: StageCallback) -> FaceAnalysis:
        """Raises what decoding raises, and UnknownOption."""
        input_name, passes = self.config.detector_input(options), self.config.landmark_passes(options)
        on_stage("decode")
        picture = decode_image(data, self.config.limits, side_px=self.config.decode_side_px(input_name))
        on_stage("detect")
        found = self._detect(picture.image, input_name)
        on_stage("align")
        picture, boxes = self._ensure_resolution(data, picture, found.boxes[: self.config.max_faces])
        locate = self.landmarker.locate if passes == "twice" else self.landmarker.locate_single_pass
        aligned = [self._align(picture, *each, locate) for each in zip(boxes, found.scores, strict=False)]
        on_stage("embed")
        vectors = self.embedder.embed([each.crop for each in aligned])
        faces = [self._build_face(picture, *each) for each in zip(aligned, vectors, strict=True)]
        return FaceAnalysis(
            tuple(faces),
            total_found=len(found.scores),
            size_px=picture.size_px,
            notes=_inference_notes(input_name, passes),
        )

    def _detect(self, image: Image.Image, input_name: str) -> Detections:
        detector_input = self.config.detector_inputs[input_name]
        if input_name == TILES:
            return detect_in_tiles(self.detector, image, detector_input, self.config.tiles)
        return self.detector.detect(image, detector_input)

    def _ensure_resolution(
        self, data: bytes, picture: DecodedImage, boxes: NDArray[np.float32]
    ) -> tuple[DecodedImage, NDArray[np.float32]]:
        """The picture at full size, and its boxes, where a face is too small in the one at hand.

        boxes  (n, 4) float32, pixels of `picture.image`; those returned, of the returned one
        """
        across, down = picture.scale
        small = boxes[:, 3] - boxes[:, 1] < self.config.detail_below_px
        if across <= 1 or not small.any():
            return picture, boxes
        return decode_image(data, self.config.limits), boxes * np.array(
            [across, down, across, down], np.float32
        )

    def _align(
        self,
        picture: DecodedImage,
        box: NDArray[np.float32],
        detector_score: np.float32,
        locate: LocateLandmarks,
    ) -> AlignedFace:
        patch = denoise_face(picture.image, box, self.config.denoising)
        landmarks = locate(patch.image, patch.to_patch(box.reshape(2, 2)).ravel())
        crop = align_face(patch.image, landmarks, self.embedder.alignment, self.embedder.size)
        return AlignedFace(box, float(detector_score), patch.to_image(landmarks), crop)

    def _build_face(self, picture: DecodedImage, aligned: AlignedFace, vector: NDArray[np.float32]) -> Face:
        scale = np.array(picture.scale, np.float32)
        box = aligned.box * np.tile(scale, 2)
        quality, quality_issues = self.config.quality.assess(
            height_px=float(box[3] - box[1]),
            sharpness=measure_sharpness(aligned.crop),
            turn=measure_turn(mean_landmarks(aligned.landmarks, self.embedder.alignment)),
        )
        return Face(
            box_px=_clip_box(box, picture.size_px),
            detector_score=aligned.detector_score,
            landmarks=aligned.landmarks * scale,
            vector=vector,
            embedding_space=self.embedder.embedding_space,
            quality=quality,
            quality_issues=quality_issues,
        )


def open_face_pipeline(release: Release, open_part: OpenPart) -> FacePipeline:
    """The networks that a `faces` card names."""
    card = release.card
    names = {role: card.get_str(f"pipeline.parts.{role}") for role in ("detect", "landmarks", "embed")}
    return FacePipeline(
        detector=open_detector(open_part(names["detect"]), card.get_float("detection.overlap")),
        landmarker=open_landmarker(
            open_part(names["landmarks"]), card.get_float("landmarks.second_below_px")
        ),
        embedder=open_embedder(open_part(names["embed"])),
        config=PipelineConfig.from_card(card),
    )


def _inference_notes(input_name: str, passes: str) -> Mapping[str, Option]:
    """How the picture was looked at, as far as that is not always so."""
    return (
        {"detect": input_name}
        if passes == LANDMARK_PASSES[0]
        else {"detect": input_name, "landmarks": passes}
    )


def _clip_box(box: NDArray[np.float32], size_px: tuple[int, int]) -> Box:
    """The part of a box that lies in the picture, in tenths of a pixel."""
    limits = np.array([*size_px, *size_px], np.float64)
    left, top, right, bottom = np.clip(box, 0, limits).round(1).tolist()
    return left, top, right, bottom
