"""Quality of face recognition on photographs of people that lie beside the checkout, if they do."""

import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

from models.evaluation.faces.photos import analyze_folder
from models.evaluation.faces.recognition import identification_figures
from vigil.faces.recognizer import FaceRecognizer
from vigil_cli.paths import ROOT

PHOTOGRAPHS = ROOT.parent / "shared" / "faces" / "lfw-a-j.tar"
"""A folder of enrolled/PERSON/ and strangers/PERSON/, which is no part of the project."""

NAMES = {"right": "faces_right_at_fpir_1", "wrong": "faces_wrong", "unenrolled_named": "strangers_named"}
"""Names of the figures in build/bench.json, by those of the evaluation."""


def measure_recognition(model: FaceRecognizer, archive: Path = PHOTOGRAPHS) -> dict[str, float]:
    """Shares of decisions, each half of the people with the other's calibration; {} without photographs."""
    if not archive.is_file():
        sys.stderr.write(f"faces of enrolled people and strangers: skipped, there is no {archive}\n")
        return {}
    with TemporaryDirectory() as folder, tarfile.open(archive) as photographs:
        photographs.extractall(folder, filter="data")
        photos = analyze_folder(model, Path(folder) / archive.stem)
        figures = identification_figures(model, photos)
    return {name: round(figures[key].value, 4) for key, name in NAMES.items()}
