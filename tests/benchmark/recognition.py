"""Quality of face recognition on photographs of people that lie beside the checkout, if they do."""

import sys
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from models.evaluation.faces.photos import analyze_folder
from models.evaluation.faces.recognition import half_of, identification_figures
from tests.benchmark.baseline_face_recognition import BaselineWorker
from vigil.faces.recognizer import FaceRecognizer
from vigil_cli.paths import ROOT

PHOTOGRAPHS = ROOT.parent / "shared" / "faces" / "lfw-a-j.tar"
"""A folder of enrolled/PERSON/ and strangers/PERSON/, which is no part of the project."""

NAMES = {"right": "faces_right_at_fpir_1", "wrong": "faces_wrong", "unenrolled_named": "strangers_named"}
"""Names of the figures in build/bench.json, by those of the evaluation."""


TARGET_FPIR = 0.01


def measure_recognition(model: FaceRecognizer, archive: Path = PHOTOGRAPHS) -> dict[str, float]:
    """Shares of decisions, each half of the people with the other's calibration; {} without photographs.

    `face_recognition` decides about the same photographs, with a threshold from the same halves.
    """
    if not archive.is_file():
        sys.stderr.write(f"faces of enrolled people and strangers: skipped, there is no {archive}\n")
        return {}
    with TemporaryDirectory() as folder, tarfile.open(archive) as photographs:
        photographs.extractall(folder, filter="data")
        photos = analyze_folder(model, Path(folder) / archive.stem)
        figures = identification_figures(model, photos)
        with BaselineWorker() as baseline:
            theirs = baseline_decisions(
                [EncodedPhoto(one.subject, one.is_enrolled, _encode(baseline, one.path)) for one in photos]
            )
    ours = {name: round(figures[key].value, 4) for key, name in NAMES.items()}
    return ours | {f"face_recognition_{name}": round(theirs[key], 4) for key, name in NAMES.items()}


def _encode(baseline: BaselineWorker, photo: Path) -> NDArray[np.float64] | None:
    return baseline.encode(photo).main_encoding


@dataclass(frozen=True, slots=True, eq=False)
class EncodedPhoto:
    """The (128,) float64 encoding of the person's face by the peer, None if it found no face."""

    subject: str
    is_enrolled: bool
    encoding: NDArray[np.float64] | None


def baseline_decisions(photos: Sequence[EncodedPhoto]) -> dict[str, float]:
    """Shares of decisions by the least Euclidean distance, each half with the other's largest distance."""
    mated: list[tuple[str, str]] = []
    named: list[bool] = []
    for half in (0, 1):
        measured = [photo for photo in photos if half_of(photo.subject) == half]
        others = [photo for photo in photos if half_of(photo.subject) != half]
        first = {photo.subject: photo for photo in reversed(measured) if photo.is_enrolled}
        enrolled = {name: one.encoding for name, one in first.items() if one.encoding is not None}
        limit = _largest_distance(others, len(enrolled))
        for photo in measured:
            if photo is not first.get(photo.subject):
                label = _nearest(photo.encoding, enrolled, limit)
                if photo.is_enrolled:
                    mated.append((photo.subject, label))
                else:
                    named.append(label != "")
    return {
        "right": float(np.mean([label == subject for subject, label in mated])),
        "wrong": float(np.mean([label not in ("", subject) for subject, label in mated])),
        "unenrolled_named": float(np.mean(named)),
    }


def _largest_distance(photos: Sequence[EncodedPhoto], people: int) -> float:
    """Of a match, so that the target share of strangers matches somebody among as many people."""
    known = [(photo.subject, photo.encoding) for photo in photos if photo.encoding is not None]
    names, encodings = np.array([name for name, _ in known]), np.stack([encoding for _, encoding in known])
    one, other = np.triu_indices(len(names), 1)
    is_impostor = names[one] != names[other]
    squares = (encodings**2).sum(axis=1)
    distances = np.sqrt(
        np.maximum(squares[one] + squares[other] - 2 * (encodings @ encodings.T)[one, other], 0)
    )
    return float(np.quantile(distances[is_impostor], 1 - (1 - TARGET_FPIR) ** (1 / people)))


def _nearest(
    encoding: NDArray[np.float64] | None, enrolled: Mapping[str, NDArray[np.float64]], limit: float
) -> str:
    """The name that the face gets; empty if it gets none."""
    if encoding is None:
        return ""
    distances = {name: float(np.linalg.norm(one - encoding)) for name, one in enrolled.items()}
    nearest = min(distances, key=lambda name: distances[name])
    return nearest if distances[nearest] <= limit else ""
