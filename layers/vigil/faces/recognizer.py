"""The model of kind "faces": all faces of a photo, each known, unknown, ambiguous or unfit."""

from collections.abc import Callable, Mapping, Sequence

from PIL import Image

from vigil.errors import BrokenRelease
from vigil.faces.gallery import Gallery
from vigil.faces.matching import MatchDecision, MatchingConfig, best_decisions, match_faces
from vigil.faces.pipeline import Face, FaceAnalysis, FacePipeline, FacePipelineCard, open_face_pipeline
from vigil.inference.images import decode_image
from vigil.inference.release import Release
from vigil.inference.repository import OpenPart
from vigil.inference.types import (
    DEFAULT_GALLERY,
    GALLERIES_OPTION,
    Model,
    Option,
    Prediction,
    Sighting,
    StageCallback,
    ignore_stage,
)

GalleryProvider = Callable[[str, str], Gallery]
"""(name, embedding space) -> the current gallery; an empty one if nobody is enrolled."""


class FacesCard(FacePipelineCard, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The card of a model of kind "faces"."""

    matching: MatchingConfig


class FaceRecognizer:
    """Port Model: the face pipeline, and matching with the current gallery."""

    def __init__(self, release: Release, pipeline: FacePipeline, gallery_for: GalleryProvider) -> None:
        self.name = release.name
        self.release = release.id
        self.matching_config = release.convert_card(FacesCard).matching
        self._same_subject_threshold = self.matching_config.same_subject_threshold
        self._limits = pipeline.card.accepts
        self._pipeline = pipeline
        self._gallery_for = gallery_for

    @property
    def max_bytes(self) -> int:
        return self._limits.max_bytes

    @property
    def embedding_space(self) -> str:
        """Id of the space of the vectors, and of the galleries that they are compared with."""
        return self._pipeline.embedder.embedding_space

    def gallery(self, name: str) -> Gallery:
        """The current gallery of this name in the model's embedding space."""
        return self._gallery_for(name, self.embedding_space)

    def predict(self, data: bytes, options: Mapping[str, Option], on_stage: StageCallback) -> Prediction:
        """Find and match all faces of a photo. Raises Rejected for unreadable input.

        options  `detect`: "auto", "320", "480", "640" or "tiles";
                 `galleries`: names of the galleries that faces are compared with, separated by spaces
        """
        analysis = self.analyze(data, options, on_stage)
        on_stage("match")
        names = str(options.get(GALLERIES_OPTION, DEFAULT_GALLERY)).split()
        galleries = [self.gallery(name) for name in names]
        decisions = best_decisions([self.match(analysis.faces, gallery) for gallery in galleries])
        sightings = tuple(map(self._to_sighting, analysis.faces, decisions))
        return Prediction(sightings, analysis.total_found, analysis.size_px, analysis.notes)

    def analyze(
        self, data: bytes, options: Mapping[str, Option] | None = None, on_stage: StageCallback = ignore_stage
    ) -> FaceAnalysis:
        """All faces of a photo, without matching. Raises Rejected for unreadable input."""
        return self._pipeline.analyze(data, options or {}, on_stage)

    def decode_full_size(self, data: bytes) -> Image.Image:
        """The upright RGB picture at full size. Raises what `decode_image` raises."""
        return decode_image(data, self._limits).image

    def match(self, faces: Sequence[Face], gallery: Gallery) -> tuple[MatchDecision, ...]:
        """One decision for each face, in order. Raises EmbeddingSpaceMismatch."""
        return match_faces(faces, gallery, self.matching_config)

    def _to_sighting(self, face: Face, decision: MatchDecision) -> Sighting:
        return Sighting(
            label=decision.label,
            status=decision.status,
            score=decision.score,
            threshold=decision.threshold,
            box_px=face.box_px,
            quality=face.quality,
            vector=face.vector,
            embedding_space=face.embedding_space,
            same_subject_threshold=self._same_subject_threshold,
            tags=decision.tags,
            quality_issues=face.quality_issues,
        )


def open_face_recognizer(
    gallery_for: GalleryProvider, release: Release, open_part: OpenPart
) -> FaceRecognizer:
    """A ModelFactory when its first argument is bound: `partial(open_face_recognizer, gallery_for)`.

    Raises BrokenRelease if the card's calibration is of another embedding space, and InvalidToml.
    """
    model = FaceRecognizer(release, open_face_pipeline(release, open_part), gallery_for)
    calibrated_space = model.matching_config.calibration.embedding_space
    if calibrated_space != model.embedding_space:
        raise BrokenRelease(
            f"{release.name} {release.id}: [matching.calibration] was made with embedding space "
            f"{calibrated_space}, the embedder's is {model.embedding_space}"
        )
    return model


def as_face_recognizer(model: Model) -> FaceRecognizer:
    if not isinstance(model, FaceRecognizer):
        raise TypeError("the card of models/faces must name the pipeline faces")
    return model
