"""The commands that measure face recognition: calibration of a card."""

import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from models.evaluation.faces.calibration import calibrate, measure_low_quality_margin
from models.evaluation.faces.card import format_calibration, write_calibration
from models.evaluation.faces.photos import analyze_folder, data_id
from vigil.faces.gallery import Gallery
from vigil.faces.recognizer import FaceRecognizer, open_face_recognizer
from vigil.inference.repository import BundledModels


def calibrate_card(models: Path, name: str, folder: Path, card: Path | None) -> int:
    """Print the calibration made from a folder of people, and write it to the card if there is one."""
    model = open_model(models, name)
    if not isinstance(model, FaceRecognizer):
        sys.stderr.write(f"evaluate: {name} does not recognise faces\n")
        return 1
    photos = analyze_folder(model, folder)
    today = datetime.now(UTC).date().isoformat()
    calibration = calibrate(model, photos, date=today, data=data_id(folder))
    margin = measure_low_quality_margin(model, photos, calibration)
    sys.stdout.write(f"low_quality_margin = {margin:g}\n\n{format_calibration(calibration)}")
    if card is not None:
        write_calibration(card, calibration, margin)
    return 0


def open_model(models: Path, name: str) -> object:
    """A bundled model with nobody enrolled."""
    return BundledModels(models, {"faces": partial(open_face_recognizer, _nobody)}).get(name)


def _nobody(_name: str, embedding_space: str) -> Gallery:
    return Gallery(embedding_space)
