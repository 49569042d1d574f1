"""The commands that measure face recognition: calibration of a card, and the report of an evaluation."""

import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from models.evaluation import plots
from models.evaluation.faces.calibration import calibrate, measure_low_quality_margin
from models.evaluation.faces.card import format_calibration, write_calibration
from models.evaluation.faces.photos import ENROLLED, analyze_folder, data_id, paths_without_people
from models.evaluation.faces.recognition import evaluate_recognition
from models.evaluation.report import (
    EvaluationReport,
    IncompatibleDataset,
    figures_json,
    identification_json,
    write_report,
)
from vigil.faces.gallery import Gallery
from vigil.faces.recognizer import FaceRecognizer, open_face_recognizer
from vigil.inference.release import open_release
from vigil.inference.repository import BundledModels


def calibrate_card(models: Path, name: str, folder: Path, card: Path | None) -> int:
    """Print the calibration made from a folder of people, and write it to the card if there is one."""
    model = open_model(models, name)
    if not isinstance(model, FaceRecognizer):
        sys.stderr.write(f"evaluate: {name} does not recognise faces\n")
        return 1
    photos = analyze_folder(model, folder)
    calibration = calibrate(model, photos, date=_today(), data=data_id(folder))
    margin = measure_low_quality_margin(model, photos, calibration)
    sys.stdout.write(f"low_quality_margin = {margin:g}\n\n{format_calibration(calibration)}")
    if card is not None:
        write_calibration(card, calibration, margin)
    return 0


def is_folder_of_people(folder: Path) -> bool:
    """Whether the folder holds people instead of a split of a labelled dataset."""
    return (folder / ENROLLED).is_dir()


def evaluate_folder(models: Path, name: str, folder: Path, target: Path) -> EvaluationReport:
    """Evaluate a faces model on a folder of people. Raises IncompatibleDataset."""
    model = open_model(models, name)
    if not isinstance(model, FaceRecognizer):
        raise IncompatibleDataset(f"{name} does not recognise faces")
    measured = evaluate_recognition(model, analyze_folder(model, folder), paths_without_people(folder))
    identification = identification_json(measured.identification)
    figures = {
        "model": name,
        "release": model.release,
        "data": data_id(folder),
        "date": _today(),
        **identification,
        "kind": "faces",
        "figures": {**figures_json(measured.figures), **identification["figures"]},
    }
    drawings = {
        "ROC of pairs": plots.plot_pairs_roc(measured.genuine, measured.impostor),
        **{
            f"Rank 1 by {name}": plots.plot_slices(values, "rank_one")
            for name, values in measured.identification.slices.items()
            if len(values) > 1
        },
    }
    return write_report(target, figures, drawings, open_release(models, name))


def open_model(models: Path, name: str) -> object:
    """A bundled model with nobody enrolled."""
    return BundledModels(models, {"faces": partial(open_face_recognizer, _nobody)}).get(name)


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


def _nobody(_name: str, embedding_space: str) -> Gallery:
    return Gallery(embedding_space)
