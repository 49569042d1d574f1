"""Matching of faces with a gallery: each face is known, unknown, ambiguous or unfit."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vigil.errors import Transient
from vigil.faces.calibration import Calibration
from vigil.faces.gallery import Candidate, Gallery
from vigil.faces.pipeline import Face
from vigil.inference.card import Fraction
from vigil.inference.types import Status
from vigil.toml_file import TomlTable


class EmbeddingSpaceMismatch(Transient):
    """The gallery is of another embedding space than the faces, until the lane reads the next one."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail, dependency="people", operation="compare faces")


class MatchingConfig(TomlTable, frozen=True):
    """Table [matching]: how faces are matched.

    target_fpir                false positive identification rate of the whole gallery
    ambiguity_margin           smallest difference in cosine to the second person of a match
    same_subject_fmr           false match rate at which two sightings are of one person
    low_quality_below          faces of lower quality need a score higher by `low_quality_margin`
    min_enrolment_quality      lowest quality of an enrolled face
    enrolment_consistency_fmr  false match rate at which two enrolment photos may be of one person
    """

    target_fpir: Fraction
    ambiguity_margin: float
    same_subject_fmr: Fraction
    low_quality_below: Fraction
    low_quality_margin: float
    min_enrolment_quality: Fraction
    enrolment_consistency_fmr: Fraction
    calibration: Calibration

    def gallery_threshold(self, people: int) -> float:
        """Cosine from which on a face is somebody of a gallery of so many people."""
        return self.calibration.threshold(people, self.target_fpir).cosine

    @property
    def same_subject_threshold(self) -> float:
        """Cosine from which on two sightings are of one person."""
        return self.calibration.threshold(1, self.same_subject_fmr).cosine

    @property
    def enrolment_consistency_threshold(self) -> float:
        """Cosine from which on two enrolment photos may be of one person."""
        return self.calibration.threshold(1, self.enrolment_consistency_fmr).cosine


@dataclass(frozen=True, slots=True)
class MatchDecision:
    """The result of one face.

    label      the person's id if known, else the status
    score      cosine to the best candidate, -1 to 1; None for an empty gallery or an unfit face
    threshold  the required score; None for an empty gallery
    fmr        false match rate at `score`, 0 to 1
    tags       of the person; if ambiguous, of both candidates
    """

    label: str
    status: Status
    score: float | None = None
    threshold: float | None = None
    fmr: float | None = None
    tags: frozenset[str] = frozenset()


def match_faces(faces: Sequence[Face], gallery: Gallery, config: MatchingConfig) -> tuple[MatchDecision, ...]:
    """One decision for each face, in order. Raises EmbeddingSpaceMismatch."""
    mismatched = {face.embedding_space for face in faces} - {gallery.embedding_space}
    if mismatched:
        raise EmbeddingSpaceMismatch(
            f"the gallery is of embedding space {gallery.embedding_space}, the faces are of {min(mismatched)}"
        )
    if not len(gallery) or not faces:
        return tuple(_decide_without_candidate(face) for face in faces)
    threshold = config.gallery_threshold(len(gallery))
    candidates = gallery.identify(np.stack([face.vector for face in faces]))
    return tuple(
        _decide(face, candidate, gallery, config=config, threshold=threshold)
        for face, candidate in zip(faces, candidates, strict=True)
    )


def best_decisions(by_gallery: Sequence[Sequence[MatchDecision]]) -> tuple[MatchDecision, ...]:
    """One decision for each face from the decisions of one or more galleries.

    A gallery in which the face reaches the threshold precedes one in which it does not, then the higher score
    decides. Candidates of two galleries never make a face ambiguous: somebody may be enrolled in both.
    """
    return tuple(max(decisions, key=_precedence) for decisions in zip(*by_gallery, strict=True))


def _precedence(decision: MatchDecision) -> tuple[bool, float]:
    return decision.status in ("known", "ambiguous"), -1.0 if decision.score is None else decision.score


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
    person = gallery.person_at(candidate.index)
    if candidate.score - candidate.runner_up < config.ambiguity_margin:
        tags = person.tags | gallery.person_at(candidate.runner_up_index).tags
        return MatchDecision("ambiguous", "ambiguous", candidate.score, required_score, fmr, tags)
    return MatchDecision(person.id, "known", candidate.score, required_score, fmr, person.tags)
