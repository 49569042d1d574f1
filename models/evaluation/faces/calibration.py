"""The calibration of a faces card: false match rates of pairs of people, and the margin for low quality."""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageFilter

from models.evaluation.faces.photos import AnalyzedPhoto
from models.evaluation.identification import impostor_scores
from vigil.faces.calibration import Calibration, CalibrationSource
from vigil.faces.recognizer import FaceRecognizer

MIN_FMR = 1e-9
"""Lowest rate that a calibration reports, whatever the fitted tail gives."""


def calibrate(model: FaceRecognizer, photos: Sequence[AnalyzedPhoto], *, date: str, data: str) -> Calibration:
    """False match rates of all pairs of two people's main faces, which must be fit to be matched."""
    compared = [(photo.subject, photo.main_face) for photo in photos]
    fit = [(subject, face.vector) for subject, face in compared if face and not face.quality_issues]
    subjects = [subject for subject, _ in fit]
    rates, cosines, pairs = impostor_scores(np.stack([vector for _, vector in fit]), subjects)
    return Calibration(
        embedding_space=model.embedding_space,
        fmr=tuple(rates),
        cosine=tuple(cosines),
        min_fmr=MIN_FMR,
        source=CalibrationSource(model.release, date, data, pairs),
    )


MARGIN_FMR = 1e-4
"""The rate at which faces of low quality are compared with others."""

DEGRADED_HEIGHTS_PX, DEGRADED_BLURS = (20, 28, 36), (0.03, 0.05)
"""Face heights to which photographs are reduced, and radii of blur as a share of the face's height."""


def measure_low_quality_margin(
    model: FaceRecognizer, photos: Sequence[AnalyzedPhoto], calibration: Calibration
) -> float:
    """By how much more a face of low quality must score for the same false match rate.

    Each stranger's photograph is reduced or blurred in one of several ways; what still is fit but of low
    quality is compared with every enrolled face.
    """
    enrolled = [photo.main_face for photo in photos if photo.is_enrolled]
    templates = np.stack([face.vector for face in enrolled if face and not face.quality_issues])
    limit = model.matching_config.low_quality_below
    probes = [
        face.vector
        for number, photo in enumerate(photo for photo in photos if not photo.is_enrolled)
        for face in model.analyze(_degrade(model, photo, number)).faces
        if face.quality < limit and not face.quality_issues
    ]
    scores = np.stack(probes) @ templates.T
    required = float(np.quantile(scores, 1 - MARGIN_FMR))
    return round(max(0.0, required - calibration.threshold(1, MARGIN_FMR).cosine), 3)


def _degrade(model: FaceRecognizer, photo: AnalyzedPhoto, number: int) -> bytes:
    """The photograph, reduced or blurred in the way that its number selects."""
    image = model.decode_full_size(photo.path.read_bytes())
    face = photo.main_face
    height = face.measures.height_px if face else image.height / 2
    ways = len(DEGRADED_HEIGHTS_PX) + len(DEGRADED_BLURS)
    way = number % ways
    if way < len(DEGRADED_HEIGHTS_PX):
        scale = DEGRADED_HEIGHTS_PX[way] / height
        size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    else:
        image = image.filter(
            ImageFilter.GaussianBlur(DEGRADED_BLURS[way - len(DEGRADED_HEIGHTS_PX)] * height)
        )
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()
