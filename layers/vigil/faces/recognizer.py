"""The `faces` model: a photograph's bytes in, everyone in it out, each known, unknown, ambiguous or unfit."""

from collections.abc import Callable, Mapping, Sequence

from PIL import Image

from vigil.faces.gallery import Gallery
from vigil.faces.matching import MatchDecision, MatchingConfig, match_faces
from vigil.faces.pipeline import (
    Face,
    FaceAnalysis,
    FacePipeline,
    open_face_pipeline,
)
from vigil.inference.card import InputLimits
from vigil.inference.images import decode_image
from vigil.inference.release import Release
from vigil.inference.repository import OpenPart
from vigil.inference.types import (
    Option,
    Prediction,
    Sighting,
    StageCallback,
)

GalleryProvider = Callable[[str], Gallery]
"""Embedding -> the gallery in force now; an empty one of that embedding where nobody is enrolled."""


class FaceRecognizer:
    """Port Model, over a detector, a landmarker, an embedder and whatever gallery is current."""

    def __init__(self, release: Release, pipeline: FacePipeline, gallery_for: GalleryProvider) -> None:
        self.name = release.name
        self.release = release.id
        self.matching_config = MatchingConfig.from_card(release.card)
        self._limits = InputLimits.from_card(release.card)
        self._pipeline = pipeline
        self._gallery_for = gallery_for

    @property
    def suffixes(self) -> frozenset[str]:
        return self._limits.suffixes

    @property
    def max_bytes(self) -> int:
        return self._limits.max_bytes

    @property
    def embedding_space(self) -> str:
        """Id of the vector space; a gallery for this model carries the same."""
        return self._pipeline.embedder.embedding_space

    def predict(self, data: bytes, options: Mapping[str, Option], on_stage: StageCallback) -> Prediction:
        """Who is in the photograph. Options: `detect` 320, 480, 640, "tiles"; `landmarks` "once", "twice"."""
        analysis = self.analyze(data, options, on_stage)
        on_stage("match")
        decisions = self.match(analysis.faces, self._gallery_for(self.embedding_space))
        sightings = [
            self._to_sighting(face, decision)
            for face, decision in zip(analysis.faces, decisions, strict=True)
        ]
        return Prediction(
            tuple(sightings), found=analysis.total_found, size_px=analysis.size_px, notes=analysis.notes
        )

    def analyze(
        self, data: bytes, options: Mapping[str, Option] | None = None, on_stage: StageCallback | None = None
    ) -> FaceAnalysis:
        """Every face in full detail, without comparing it with anybody."""
        return self._pipeline.analyze(data, options or {}, on_stage or ignore_stage)

    def decode_full_size(self, data: bytes) -> Image.Image:
        """The upright picture at full size."""
        return decode_image(data, self._limits).image

    def match(self, faces: Sequence[Face], gallery: Gallery) -> tuple[MatchDecision, ...]:
        """Who each face is. Raises OtherSpace where the templates are of another embedding."""
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
            same_subject_threshold=self.matching_config.same_subject_threshold,
            tags=decision.tags,
            quality_issues=face.quality_issues,
        )


def open_face_recognizer(
    gallery_for: GalleryProvider, release: Release, open_part: OpenPart
) -> FaceRecognizer:
    """A Pipeline once its first argument is bound: `partial(open_faces, galleries)`."""
    return FaceRecognizer(release, open_face_pipeline(release, open_part), gallery_for)


def ignore_stage(stage: str) -> None:
    """Nobody wants to know the stage."""
