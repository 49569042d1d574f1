"""From a face's two best candidates to a verdict: known, unknown, ambiguous or unfit."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vigil.errors import Transient
from vigil.faces.calibration import Calibration
from vigil.faces.gallery import Candidate, Gallery
from vigil.faces.look import Face
from vigil.predict.table import Table
from vigil.seeing import Status


class OtherSpace(Transient):
    """The gallery's templates lie in another space than the faces: whoever retries finds the right one."""


@dataclass(frozen=True, slots=True)
class FaceSettings:
    """How a card wants faces judged.

    wanted_fpir    probability, 0..1, that a stranger is taken for somebody in the whole gallery
    margin         a second person within this cosine of the first makes a match ambiguous
    same_as        cosine at which two sightings are of one person
    poor_quality   faces of lower quality, 0..1, must score `poor_margin` more to match
    enrol_quality  the least quality, 0..1, of an enrolled face
    enrol_alike    cosine from which on two enrolment photos may be of one person
    """

    calibration: Calibration
    wanted_fpir: float
    margin: float
    same_as: float
    poor_quality: float
    poor_margin: float
    enrol_quality: float
    enrol_alike: float

    @classmethod
    def read(cls, card: Table) -> "FaceSettings":
        return cls(
            calibration=Calibration.read(card),
            wanted_fpir=card.number("matching.wanted_fpir"),
            margin=card.number("matching.margin"),
            same_as=card.number("matching.same_as"),
            poor_quality=card.number("matching.poor_quality"),
            poor_margin=card.number("matching.poor_margin"),
            enrol_quality=card.number("matching.enrol_quality"),
            enrol_alike=card.number("matching.enrol_alike"),
        )


@dataclass(frozen=True, slots=True)
class Verdict:
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


def judge(faces: Sequence[Face], gallery: Gallery, settings: FaceSettings) -> tuple[Verdict, ...]:
    """One verdict for each face, in order; all are compared at once. Raises OtherSpace."""
    strange = {face.space for face in faces} - {gallery.embed}
    if strange:
        raise OtherSpace(f"gallery version {gallery.version} is of {gallery.embed}, faces of {min(strange)}")
    if not len(gallery) or not faces:
        return tuple(_compared_with_nobody(face) for face in faces)
    threshold = settings.calibration.threshold(len(gallery), settings.wanted_fpir).cosine
    candidates = gallery.identify(np.stack([face.vector for face in faces]))
    return tuple(
        _judge(face, candidate, gallery, settings=settings, threshold=threshold)
        for face, candidate in zip(faces, candidates, strict=True)
    )


def _compared_with_nobody(face: Face) -> Verdict:
    return Verdict("unfit", "unfit") if face.faults else Verdict("unknown", "unknown")


def _judge(
    face: Face, candidate: Candidate, gallery: Gallery, *, settings: FaceSettings, threshold: float
) -> Verdict:
    needed = threshold + (settings.poor_margin if face.quality < settings.poor_quality else 0.0)
    if face.faults:
        return Verdict("unfit", "unfit", threshold=needed)
    fmr = settings.calibration.fmr_at(candidate.score).fmr
    if candidate.score < needed:
        return Verdict("unknown", "unknown", candidate.score, needed, fmr)
    if candidate.score - candidate.runner_up < settings.margin:
        return Verdict("ambiguous", "ambiguous", candidate.score, needed, fmr)
    person = gallery.people[candidate.place]
    return Verdict(person.id, "known", candidate.score, needed, fmr, person.tags)
