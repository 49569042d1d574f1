"""The face pipeline: from a photo's bytes to all its faces with landmarks, quality and vectors, unmatched."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vigil.errors import NoDependencyFailed
from vigil.faces.alignment import align_face, mean_landmarks
from vigil.faces.denoise import DenoisingConfig, denoise_face
from vigil.faces.detector import (
    Detections,
    Detector,
    DetectorInput,
    ScalesConfig,
    TileConfig,
    detect_at_all_scales,
    detect_in_tiles,
    open_detector,
)
from vigil.faces.embedder import Embedder, open_embedder
from vigil.faces.landmarks import Landmarker, Landmarks, open_landmarker
from vigil.faces.quality import (
    FaceMeasures,
    QualityGate,
    measure_brightness,
    measure_roll,
    measure_sharpness,
    measure_turn,
)
from vigil.inference.card import Fraction, InputLimits, ModelCard, PositiveInt
from vigil.inference.images import DecodedImage, decode_image
from vigil.inference.release import Release
from vigil.inference.repository import OpenPart
from vigil.inference.types import AUTO, TILES, Box, Option, StageCallback, detect_values
from vigil.toml_file import TomlTable


class UnknownOption(NoDependencyFailed):
    """An option of a source has a value that the model's card does not offer.

    The configuration is at fault and no input: the drop is processed again until the rules are corrected.
    """


class FaceParts(TomlTable, frozen=True):
    """Table [pipeline.parts]: the models of the three networks."""

    detector: str
    landmarker: str
    embedder: str


class FacePipelineInfo(TomlTable, frozen=True):
    """Table [pipeline] of the faces card."""

    kind: Literal["faces"]
    parts: FaceParts


class DecodingConfig(TomlTable, frozen=True):
    """Table [decoding]: how far a JPEG is reduced while it is decoded.

    side_px          smallest longer side after the reduction
    detail_below_px  smaller faces, by height in the reduced picture, are cut from the full-size picture
    """

    side_px: PositiveInt
    detail_below_px: float


class DetectionConfig(TomlTable, frozen=True):
    """Table [detection].

    default_input  "auto", "tiles" or the name of an input size: what is used without the option `detect`
    max_faces      highest number of faces reported for one picture
    max_iou        largest intersection over union of two faces
    max_contained  largest share of a face's box within a larger box
    inputs         input sizes by name
    """

    default_input: str
    max_faces: PositiveInt
    max_iou: Fraction
    max_contained: Fraction
    inputs: dict[str, DetectorInput]
    auto: ScalesConfig
    tiles: TileConfig

    def __post_init__(self) -> None:
        if self.default_input not in self.names:
            raise ValueError(f"default_input must be one of {', '.join(self.names)}")

    @property
    def names(self) -> tuple[str, ...]:
        """The values of the option `detect`."""
        return detect_values(self.inputs)

    def select_input(self, options: Mapping[str, Option]) -> str:
        """The value of the option `detect`, or the default. Raises UnknownOption."""
        requested = str(options.get("detect", self.default_input))
        if requested not in self.names:
            raise UnknownOption(f"detect = {requested!r}; there are: {', '.join(self.names)}")
        return requested


class LandmarksConfig(TomlTable, frozen=True):
    """Table [landmarks]: what the movement of the points in the last pass says.

    turned_above   the face is located again at each quarter turn
    no_face_above  it is no face, if this is the least movement of all turns
    """

    turned_above: Fraction
    no_face_above: Fraction


class FacePipelineCard(ModelCard, frozen=True, kw_only=True):
    """The tables of the faces card that the pipeline uses."""

    pipeline: FacePipelineInfo  # type: ignore[assignment] # parts by name instead of a dictionary
    accepts: InputLimits
    decoding: DecodingConfig
    detection: DetectionConfig
    denoising: DenoisingConfig
    landmarks: LandmarksConfig
    face_quality: QualityGate


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face.

    box_px           left, top, right, bottom in pixels of the upright picture, within it
    detector_score   0 to 1
    landmarks        (68, 2) float32, x and y in pixels of the upright picture
    vector           (D,) float32, unit length
    embedding_space  id of the space of `vector`
    quality          0 to 1
    quality_issues   why the face is unfit to be matched: "small", "blurred", "turned", "rotated"
    sharpness        0 to 1, by the card's ramp
    brightness       mean grey level of the aligned face, 0 to 1
    """

    box_px: Box
    detector_score: float
    landmarks: NDArray[np.float32]
    vector: NDArray[np.float32]
    embedding_space: str
    measures: FaceMeasures
    quality: float
    quality_issues: tuple[str, ...]
    sharpness: float
    brightness: float


@dataclass(frozen=True, slots=True, eq=False)
class FaceAnalysis:
    """The faces of one picture, highest detector score first, up to the card's limit.

    total_found  number of faces before the limit
    size_px      (width, height) of the upright picture
    """

    faces: tuple[Face, ...]
    total_found: int
    size_px: tuple[int, int]
    notes: Mapping[str, Option]


@dataclass(frozen=True, slots=True, eq=False)
class AlignedFace:
    """A face before it is embedded.

    box        (4,) float32, left, top, right, bottom in pixels of the decoded picture
    landmarks  in pixels of the decoded picture
    crop       RGB, aligned, of the embedder's input size
    """

    box: NDArray[np.float32]
    detector_score: float
    landmarks: Landmarks
    crop: Image.Image


@dataclass(frozen=True, slots=True)
class FacePipeline:
    """The three networks and the card that says how they are used."""

    detector: Detector
    landmarker: Landmarker
    embedder: Embedder
    card: FacePipelineCard

    def analyze(self, data: bytes, options: Mapping[str, Option], on_stage: StageCallback) -> FaceAnalysis:
        """All faces of a photo. Raises UnknownOption and what `decode_image` raises."""
        detection = self.card.detection
        input_name = detection.select_input(options)
        on_stage("decode")
        picture = decode_image(data, self.card.accepts, side_px=self.decode_side_px(input_name))
        on_stage("detect")
        found = self._detect(picture.image, input_name)
        on_stage("align")
        picture, boxes = self._ensure_resolution(data, picture, found.boxes[: detection.max_faces])
        placed = [self._align(picture, *each) for each in zip(boxes, found.scores, strict=False)]
        aligned = [each for each in placed if each is not None]
        on_stage("embed")
        vectors = self.embedder.embed([each.crop for each in aligned])
        faces = [self._build_face(picture, *each) for each in zip(aligned, vectors, strict=True)]
        total_found = len(found.scores) - len(placed) + len(faces)
        return FaceAnalysis(tuple(faces), total_found, picture.size_px, {"detect": input_name})

    def decode_side_px(self, input_name: str) -> int | None:
        """Smallest longer side of the decoded JPEG for an input size; None for full size."""
        detection = self.card.detection
        if input_name == TILES:
            return None
        largest = detection.auto.fine if input_name == AUTO else detection.inputs[input_name]
        return max(self.card.decoding.side_px, *largest.size)

    def _detect(self, image: Image.Image, input_name: str) -> Detections:
        detection = self.card.detection
        if input_name == AUTO:
            found = detect_at_all_scales(self.detector, image, detection.auto)
            if found.scores.size:
                return found
            from vigil.faces.turned import detect_turned  # noqa: PLC0415 - most pictures are upright

            return detect_turned(self.detector, image, detection.auto.coarse)
        if input_name == TILES:
            return detect_in_tiles(self.detector, image, detection.tiles)
        return self.detector.detect(image, detection.inputs[input_name])

    def _ensure_resolution(
        self, data: bytes, picture: DecodedImage, boxes: NDArray[np.float32]
    ) -> tuple[DecodedImage, NDArray[np.float32]]:
        """Decode the picture at full size if a face is too small in the reduced one.

        boxes    (n, 4) float32, left, top, right, bottom in pixels of `picture.image`
        returns  the picture, and the boxes in its pixels
        """
        across, down = picture.scale
        small = boxes[:, 3] - boxes[:, 1] < self.card.decoding.detail_below_px
        if across <= 1 or not small.any():
            return picture, boxes
        scale = np.array([across, down, across, down], np.float32)
        return decode_image(data, self.card.accepts), boxes * scale

    def _align(
        self, picture: DecodedImage, box: NDArray[np.float32], detector_score: np.float32
    ) -> AlignedFace | None:
        """The aligned face; None if the box holds no face.

        box  (4,) float32, left, top, right, bottom in pixels of `picture.image`
        """
        patch = denoise_face(picture.image, box, self.card.denoising)
        landmarks = self._locate(patch.image, patch.to_patch(box.reshape(2, 2)).ravel())
        if landmarks is None:
            return None
        crop = align_face(
            patch.image, landmarks.points, self.embedder.card.alignment, self.embedder.card.input.size
        )
        in_picture = Landmarks(patch.to_image(landmarks.points), landmarks.movement)
        return AlignedFace(box, float(detector_score), in_picture, crop)

    def _locate(self, image: Image.Image, box: NDArray[np.float32]) -> Landmarks | None:
        """The landmarks; if they do not fit, those at the quarter turn at which they fit best, if any does.

        box  (4,) float32, left, top, right, bottom in pixels of `image`
        """
        limits = self.card.landmarks
        upright = self.landmarker.locate(image, box)
        if upright.movement <= limits.turned_above:
            return upright
        from vigil.faces.turned import locate_turned  # noqa: PLC0415 - most faces are upright

        coarse = self.card.detection.auto.coarse
        best = locate_turned(self.detector, self.landmarker, image, box, coarse)
        return best if best is not None and best.movement <= limits.no_face_above else None

    def _build_face(self, picture: DecodedImage, aligned: AlignedFace, vector: NDArray[np.float32]) -> Face:
        """
        vector  (D,) float32, unit length
        """
        scale = np.array(picture.scale, np.float32)
        box = aligned.box * np.tile(scale, 2)
        anchor_points = mean_landmarks(aligned.landmarks.points, self.embedder.card.alignment)
        measures = FaceMeasures(
            height_px=float(box[3] - box[1]),
            sharpness=measure_sharpness(aligned.crop),
            turn=measure_turn(anchor_points),
            movement=aligned.landmarks.movement,
            roll=measure_roll(anchor_points),
        )
        quality, quality_issues = self.card.face_quality.assess(measures)
        return Face(
            box_px=_clip_box(box, picture.size_px),
            detector_score=aligned.detector_score,
            landmarks=aligned.landmarks.points * scale,
            vector=vector,
            embedding_space=self.embedder.embedding_space,
            measures=measures,
            quality=quality,
            quality_issues=quality_issues,
            sharpness=self.card.face_quality.sharpness(measures.sharpness),
            brightness=measure_brightness(aligned.crop),
        )


def open_face_pipeline(release: Release, open_part: OpenPart) -> FacePipeline:
    """Open the networks that a faces card names. Raises InvalidToml or BrokenRelease."""
    card = release.convert_card(FacePipelineCard)
    parts = card.pipeline.parts
    return FacePipeline(
        detector=open_detector(
            open_part(parts.detector),
            max_iou=card.detection.max_iou,
            max_contained=card.detection.max_contained,
        ),
        landmarker=open_landmarker(open_part(parts.landmarker)),
        embedder=open_embedder(open_part(parts.embedder)),
        card=card,
    )


def _clip_box(box: NDArray[np.float32], size_px: tuple[int, int]) -> Box:
    """The part of a (4,) box that lies in the picture, in tenths of a pixel."""
    limits = np.array([*size_px, *size_px], np.float64)
    left, top, right, bottom = np.clip(box, 0, limits).round(1).tolist()
    return left, top, right, bottom
