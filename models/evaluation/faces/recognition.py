"""Quality of face recognition on a folder of people: the product's own decisions, pairs, boxes.

The people are two halves. Each half is measured with the calibration that the other half gives, so that no
threshold has seen the people that it is measured on.
"""

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from msgspec import structs
from numpy.typing import NDArray
from PIL import Image

from models.evaluation.faces.calibration import calibrate
from models.evaluation.faces.frames import false_faces, recall_by_height
from models.evaluation.faces.photos import AnalyzedPhoto
from models.evaluation.identification import IdentificationEvaluation, evaluate_identification, search_scores
from vigil.faces.gallery import Gallery, build_gallery
from vigil.faces.matching import MatchingConfig, match_faces
from vigil.faces.pipeline import Face
from vigil.faces.recognizer import FaceRecognizer
from vigil.faces.segments import EnrolledPerson
from vigil.inference.evaluation import bootstrap
from vigil.statistics import Interval

FPIRS = (0.05, 0.01, 0.001)

CLOSE_CUTS = 200
"""Number of photographs whose face is cut out."""

CUT_MARGINS = (0.05, 0.15)
"""Of the cut, as shares of the face."""

PAIR_FOLDS = 10

FALSE_MATCH_RATES = (1e-2, 1e-3, 1e-4)

SLICE_LIMITS = {"height_px": (40, 80, 160), "sharpness": (0.17, 0.26, 0.4), "turn": (0.15, 0.3, 0.45)}
"""Limits between the slices of each measure of a face."""


@dataclass(frozen=True, slots=True, eq=False)
class RecognitionEvaluation:
    """Figures with intervals, the search of the gallery, and the scores of pairs.

    genuine   (G,) float64: cosines of two photographs of one person
    impostor  (I,) float64: of two people
    """

    figures: Mapping[str, Interval]
    identification: IdentificationEvaluation
    genuine: NDArray[np.float64]
    impostor: NDArray[np.float64]


def evaluate_recognition(
    model: FaceRecognizer, photos: Sequence[AnalyzedPhoto], without_people: Sequence[Path] = ()
) -> RecognitionEvaluation:
    """All figures of photographs that the model has analysed, and of pictures without people."""
    genuine, impostor = pair_scores(photos)
    figures = {
        **identification_figures(model, photos),
        "pair_accuracy": pair_accuracy(genuine, impostor),
        "overlapping_faces": _share([_has_overlap(photo.faces) for photo in photos]),
        **{f"close_cuts_wrong_{round(100 * m)}": _close_cuts(model, photos, m) for m in CUT_MARGINS},
        **recall_by_height(model, photos),
        **false_faces(model, without_people),
        **landmark_movements(photos),
        **true_match_rates(genuine, impostor),
    }
    return RecognitionEvaluation(figures, _search(photos), genuine, impostor)


def landmark_movements(photos: Sequence[AnalyzedPhoto]) -> dict[str, Interval]:
    """The median and the 99th percentile of the movement of landmarks in the last pass."""
    values = np.array([photo.main_face.measures.movement for photo in photos if photo.main_face])

    def interval(percent: float) -> Interval:
        return bootstrap(lambda items: float(np.percentile(values[items], percent)), len(values))

    return {f"landmark_movement_{percent}": interval(percent) for percent in (50, 99)}


def true_match_rates(genuine: NDArray[np.float64], impostor: NDArray[np.float64]) -> dict[str, Interval]:
    """The share of pairs of one person that score more than all but a share of the pairs of two people."""
    limits = {rate: float(np.quantile(impostor, 1 - rate)) for rate in FALSE_MATCH_RATES}
    return {
        f"true_match_rate_at_{rate:.0e}".replace("e-0", "e-"): _share((genuine > limit).tolist())
        for rate, limit in limits.items()
    }


def identification_figures(model: FaceRecognizer, photos: Sequence[AnalyzedPhoto]) -> dict[str, Interval]:
    """Shares of decisions, with the default settings and a calibration made from the other half."""
    mated: list[tuple[str, str]] = []
    named: list[bool] = []
    for half in (0, 1):
        others = [photo for photo in photos if half_of(photo.subject) != half]
        measured = [photo for photo in photos if half_of(photo.subject) == half]
        calibration = calibrate(model, others, date="", data="")
        config = structs.replace(model.matching_config, calibration=calibration)
        gallery = enrol_first_photos(measured, model.embedding_space, config)
        templates = _first_photos(measured)
        for photo in measured:
            if photo in templates:
                continue
            label = _decide(photo, gallery, config)
            if photo.is_enrolled:
                mated.append((photo.subject, label))
            else:
                named.append(label != "")
    return {
        "right": _share([label == subject for subject, label in mated]),
        "wrong": _share([label not in ("", subject) for subject, label in mated]),
        "unenrolled_named": _share(named),
    }


def half_of(subject: str) -> int:
    """0 or 1, which a name always gives."""
    return hashlib.sha256(subject.encode()).digest()[0] % 2


def enrol_first_photos(photos: Sequence[AnalyzedPhoto], space: str, config: MatchingConfig) -> Gallery:
    """The gallery of each enrolled person's first photograph, if it is good enough to enrol."""
    people = tuple(
        EnrolledPerson(photo.subject, face.vector[np.newaxis])
        for photo in _first_photos(photos)
        if (face := photo.main_face) is not None
        and not face.quality_issues
        and face.quality >= config.min_enrolment_quality
    )
    return build_gallery(space, people)


def _first_photos(photos: Sequence[AnalyzedPhoto]) -> list[AnalyzedPhoto]:
    first: dict[str, AnalyzedPhoto] = {}
    for photo in photos:
        if photo.is_enrolled:
            first.setdefault(photo.subject, photo)
    return list(first.values())


def _decide(photo: AnalyzedPhoto, gallery: Gallery, config: MatchingConfig) -> str:
    """The name that the person's face gets; empty if it gets none."""
    faces = [photo.main_face] if photo.main_face else []
    decisions = match_faces(faces, gallery, config)
    return next((decision.label for decision in decisions if decision.status == "known"), "")


def pair_scores(photos: Sequence[AnalyzedPhoto]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The cosines of all pairs of one person, and of all pairs of two people."""
    found = [(photo.subject, photo.main_face.vector) for photo in photos if photo.main_face]
    vectors, names = np.stack([vector for _, vector in found]), np.array([name for name, _ in found])
    one, other = np.triu_indices(len(names), 1)
    cosines = (vectors @ vectors.T)[one, other].astype(np.float64)
    is_genuine = names[one] == names[other]
    return cosines[is_genuine], cosines[~is_genuine]


def pair_accuracy(genuine: NDArray[np.float64], impostor: NDArray[np.float64]) -> Interval:
    """Share of right answers on as many impostor as genuine pairs, at the best threshold of other folds."""
    drawn = np.random.default_rng(0).choice(impostor, min(len(genuine), len(impostor)), replace=False)
    scores, truth = np.concatenate([genuine, drawn]), np.arange(len(genuine) + len(drawn)) < len(genuine)
    fold = np.random.default_rng(1).permutation(len(scores)) % PAIR_FOLDS
    right = np.zeros(len(scores), bool)
    for held_out in range(PAIR_FOLDS):
        rest = fold != held_out
        thresholds = np.unique(scores[rest])
        accuracies = [((scores[rest] >= one) == truth[rest]).mean() for one in thresholds]
        right[~rest] = (scores[~rest] >= thresholds[int(np.argmax(accuracies))]) == truth[~rest]
    return _share(right.tolist())


def _search(photos: Sequence[AnalyzedPhoto]) -> IdentificationEvaluation:
    """Every further photograph is searched among the first ones of all enrolled people."""
    templates = [photo for photo in _first_photos(photos) if photo.main_face]
    first = _first_photos(photos)
    probes = [photo for photo in photos if photo not in first and photo.main_face]
    scores = _vectors(probes) @ _vectors(templates).T
    searches = search_scores(
        scores, probes=[one.subject for one in probes], templates=[one.subject for one in templates]
    )
    faces = [photo.main_face for photo in probes if photo.main_face]
    slices = {
        name: tuple(slice_name(getattr(face.measures, name), limits) for face in faces)
        for name, limits in SLICE_LIMITS.items()
    }
    return evaluate_identification(searches, slices, fpirs=FPIRS)


def _vectors(photos: Sequence[AnalyzedPhoto]) -> NDArray[np.float32]:
    return np.stack([photo.main_face.vector for photo in photos if photo.main_face])


def slice_name(value: float, limits: Sequence[float]) -> str:
    """Between which limits a value is: "below 40", "40 to 80", "160 and more"."""
    if value < limits[0]:
        return f"below {limits[0]:g}"
    between = (f"{low:g} to {high:g}" for low, high in pairwise(limits) if low <= value < high)
    return next(between, f"{limits[-1]:g} and more")


def _has_overlap(faces: Sequence[Face]) -> bool:
    """Whether a face's box lies mostly inside another one, which no two faces do."""
    return any(_contained(one, other) > 0.5 for one in faces for other in faces if one is not other)


def _contained(one: Face, other: Face) -> float:
    """The share of a face's box that lies in another box."""
    (left, top, right, bottom), (a, b, c, d) = one.box_px, other.box_px
    width, height = min(right, c) - max(left, a), min(bottom, d) - max(top, b)
    return max(0.0, width) * max(0.0, height) / max((right - left) * (bottom - top), 1.0)


def _close_cuts(model: FaceRecognizer, photos: Sequence[AnalyzedPhoto], margin: float) -> Interval:
    """Share of faces, cut out with a margin, in which the model finds more or less than one face."""
    selected = [photo for photo in photos if photo.main_face][:: max(1, len(photos) // CLOSE_CUTS)]
    return _share([len(model.analyze(_cut_out(model, photo, margin)).faces) != 1 for photo in selected])


def _cut_out(model: FaceRecognizer, photo: AnalyzedPhoto, margin: float) -> bytes:
    if photo.main_face is None:
        raise ValueError(f"{photo.path} shows no face")
    left, top, right, bottom = photo.main_face.box_px
    across, down = margin * (right - left), margin * (bottom - top)
    image: Image.Image = model.decode_full_size(photo.path.read_bytes())
    out = io.BytesIO()
    edges = (int(left - across), int(top - down), int(right + across), int(bottom + down))
    image.crop(edges).save(out, "JPEG", quality=95)
    return out.getvalue()


def _share(flags: Sequence[bool]) -> Interval:
    """The share of true values with its bootstrap interval."""
    values = np.array(flags, np.float64)
    return bootstrap(lambda items: float(values[items].mean()) if len(items) else float("nan"), len(values))
