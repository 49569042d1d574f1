"""From a face's two best candidates to a verdict: known, unknown, ambiguous or unfit."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vigil.errors import Transient
from vigil.faces.calibration import Calibration
from vigil.faces.gallery import Candidate, Gallery
from vigil.faces.pipeline import Face
from vigil.inference.card import TomlReader
from vigil.inference.types import Status


class EmbeddingSpaceMismatch(Transient):
    """The gallery is of another embedding space than the faces, until the lane reads the next one."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail, dependency="people", operation="compare faces")


@dataclass(frozen=True, slots=True)
class MatchingConfig:
    """How a card wants faces judged.

    wanted_fpir    probability, 0..1, that a stranger is taken for somebody in the whole gallery
    margin         a second person within this cosine of the first makes a match ambiguous
    same_as        cosine at which two sightings are of one person
    poor_quality   faces of lower quality, 0..1, must score `poor_margin` more to match
    enrol_quality  the least quality, 0..1, of an enrolled face
    enrol_alike    cosine from which on two enrolment photos may be of one person
    """

    calibration: Calibration
    target_fpir: float
    ambiguity_margin: float
    same_subject_threshold: float
    low_quality_below: float
    low_quality_margin: float
    min_enrolment_quality: float
    enrolment_consistency_threshold: float

    @classmethod
    def from_card(cls, card: TomlReader) -> "MatchingConfig":
        return cls(
            calibration=Calibration.from_card(card),
            target_fpir=card.get_float("matching.wanted_fpir"),
            ambiguity_margin=card.get_float("matching.margin"),
            same_subject_threshold=card.get_float("matching.same_as"),
            low_quality_below=card.get_float("matching.poor_quality"),
            low_quality_margin=card.get_float("matching.poor_margin"),
            min_enrolment_quality=card.get_float("matching.enrol_quality"),
            enrolment_consistency_threshold=card.get_float("matching.enrol_alike"),
        )


@dataclass(frozen=True, slots=True)
class MatchDecision:
    """What a gallery says of one face.

    label      the person's id where known, else the status
    score      cosine to the best candidate; None with nobody to compare with, or where unfit
    threshold  what it had to reach, None with nobody to compare with
    fmr        how often two different people score at least `score`
    """

    label: str
    status: Status
    score: float | None = None
    threshold: float | None = None
    fmr: float | None = None
    tags: frozenset[str] = frozenset()


def match_faces(faces: Sequence[Face], gallery: Gallery, config: MatchingConfig) -> tuple[MatchDecision, ...]:
    """One verdict for each face, in order; all are compared at once. Raises OtherSpace."""
    mismatched = {face.embedding_space for face in faces} - {gallery.embedding_space}
    if mismatched:
        raise EmbeddingSpaceMismatch(
            f"gallery version {gallery.version} is of {gallery.embedding_space}, faces of {min(mismatched)}"
        )
    if not len(gallery) or not faces:
        return tuple(_decide_without_candidate(face) for face in faces)
    threshold = config.calibration.threshold(len(gallery), config.target_fpir).cosine
    candidates = gallery.identify(np.stack([face.vector for face in faces]))
    return tuple(
        _decide(face, candidate, gallery, config=config, threshold=threshold)
        for face, candidate in zip(faces, candidates, strict=True)
    )


def _decide_without_candidate(face: Face) -> MatchDecision:
    return MatchDecision("unfit", "unfit") if face.quality_issues else MatchDecision("unknown", "unknown")


def _decide(
    face: Face, candidate: Candidate, gallery: Gallery, *, config: MatchingConfig, threshold: float
) -> MatchDecision:
    required_score = threshold + (
        config.low_quality_margin if face.quality < config.low_quality_below else 0.0
    )
    if face.quality_issues:
        return MatchDecision("unfit", "unfit", threshold=required_score)
    fmr = config.calibration.threshold_at_score(candidate.score).fmr
    if candidate.score < required_score:
        return MatchDecision("unknown", "unknown", candidate.score, required_score, fmr)
    if candidate.score - candidate.runner_up < config.ambiguity_margin:
        return MatchDecision("ambiguous", "ambiguous", candidate.score, required_score, fmr)
    person = gallery.people[candidate.index]
    return MatchDecision(person.id, "known", candidate.score, required_score, fmr, person.tags)
