"""Comparison with the library `face_recognition`, which runs in its own environment and process."""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import numpy as np
from numpy.typing import NDArray

from models.build.files import BUILD, BuildFailure
from models.build.sample_photos import fetch_photos
from tests.benchmark.ratios import time_ms
from vigil.faces.gallery import Gallery, build_gallery
from vigil.faces.recognizer import FaceRecognizer
from vigil.faces.segments import EnrolledPerson
from vigil_cli.paths import PHOTOS

BASELINE_VENV = BUILD / "bench-venv"
WORKER_SCRIPT = Path(__file__).with_name("baseline_worker.py")
BASELINE_REQUIREMENTS = (
    "setuptools<81",
    "dlib-bin==20.0.1.post1",
    "face_recognition_models==0.3.0",
    "click==8.5.1",
    "numpy==2.4.6",
    "pillow==13.0.0",
)
REQUIREMENTS_WITHOUT_DEPENDENCIES = ("face_recognition==1.3.0",)
"""It requires dlib, which is built from source; dlib-bin is the same library in binary form."""


@dataclass(frozen=True, slots=True, eq=False)
class BaselineResult:
    """The result of face_recognition for one photo.

    ms         milliseconds from path to encodings
    encodings  (n, 128) float64; faces match below a Euclidean distance of 0.6
    boxes      (n, 4) float64, left, top, right, bottom in pixels
    size_px    (width, height)
    """

    ms: float
    encodings: NDArray[np.float64]
    boxes: NDArray[np.float64]
    size_px: tuple[int, int]

    @property
    def main_encoding(self) -> NDArray[np.float64] | None:
        """Of the face nearest to the middle, which is taken for the person's."""
        if not len(self.boxes):
            return None
        middles = (self.boxes[:, :2] + self.boxes[:, 2:]) / 2
        distances = np.linalg.norm(middles - np.array(self.size_px) / 2, axis=1)
        return np.asarray(self.encodings[int(distances.argmin())])


class BaselineWorker:
    """A worker process with one thread; the context manager stops it."""

    def __init__(self) -> None:
        one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
        self._worker = subprocess.Popen(
            [str(prepare_baseline_environment()), str(WORKER_SCRIPT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **one_thread},
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._worker.communicate()

    def encode(self, photo: Path) -> BaselineResult:
        stdin, stdout = _worker_pipes(self._worker)
        stdin.write(f"{photo}\n")
        stdin.flush()
        response = json.loads(stdout.readline())
        return BaselineResult(
            response["ms"],
            np.array(response["encodings"]).reshape(-1, 128),
            np.array(response["boxes"], np.float64).reshape(-1, 4),
            tuple(response["size"]),
        )


def prepare_baseline_environment() -> Path:
    """Return the interpreter of the environment; install the environment at first use."""
    python = BASELINE_VENV / "bin" / "python"
    ready = BASELINE_VENV / ".ready"
    if not ready.exists():
        _run_command([sys.executable, "-m", "venv", str(BASELINE_VENV)])
        _run_command([str(python), "-m", "pip", "install", "--quiet", *BASELINE_REQUIREMENTS])
        _run_command(
            [str(python), "-m", "pip", "install", "--quiet", "--no-deps", *REQUIREMENTS_WITHOUT_DEPENDENCIES]
        )
        ready.touch()
    return python


def _run_command(command: list[str]) -> None:
    completed = subprocess.run(command, capture_output=True, text=True, check=False)
    if completed.returncode:
        raise BuildFailure(f"The benchmark's peer did not install: {completed.stderr.strip()}")


def _worker_pipes(worker: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    if worker.stdin is None or worker.stdout is None:
        raise RuntimeError("the worker was started without pipes")
    return worker.stdin, worker.stdout


BASELINE_TOLERANCE = 0.6
"""Euclidean distance: the default of face_recognition."""

ENROLLED = {"obama": "obama.jpg", "biden": "biden.jpg"}
PROBES = dict.fromkeys(
    ("obama2.jpg", "obama3.jpg", "obama_partial_face.jpg", "obama_partial_face2.jpg"), "obama"
)


@dataclass(frozen=True, slots=True)
class Decisions:
    """Decision counts for probes of enrolled people and for faces of people who are not enrolled."""

    right: int
    wrong_or_missed: int
    strangers_seen: int
    strangers_named: int


@dataclass(frozen=True, slots=True)
class BaselineComparison:
    """Median milliseconds per photo from path to embeddings, over photos and rounds."""

    times_faster: float
    ours_ms: float
    theirs_ms: float
    ours: Decisions
    theirs: Decisions


def compare_with_baseline(model: FaceRecognizer, rounds: int = 3) -> BaselineComparison:
    """Compare both on one thread each, on six portraits and six group photographs."""
    photos = [PHOTOS / name for name in (*ENROLLED.values(), *PROBES)] + fetch_photos()
    with BaselineWorker() as baseline:
        pairs = [_time_pair(model, baseline, photo) for _ in range(rounds + 1) for photo in photos][
            len(photos) :
        ]
        theirs = _baseline_decisions(baseline, photos)
    return BaselineComparison(
        times_faster=statistics.median(other / mine for mine, other in pairs),
        ours_ms=statistics.median(mine for mine, _ in pairs),
        theirs_ms=statistics.median(other for _, other in pairs),
        ours=_vigil_decisions(model, photos),
        theirs=theirs,
    )


def _time_pair(model: FaceRecognizer, baseline: BaselineWorker, photo: Path) -> tuple[float, float]:
    return time_ms(lambda: model.analyze(photo.read_bytes())), baseline.encode(photo).ms


def _vigil_decisions(model: FaceRecognizer, photos: Sequence[Path]) -> Decisions:
    people = [
        EnrolledPerson(name, model.analyze((PHOTOS / file).read_bytes()).faces[0].vector[np.newaxis])
        for name, file in ENROLLED.items()
    ]
    gallery = build_gallery(model.embedding_space, people)
    return _count_decisions(photos, partial(_vigil_labels, model, gallery))


def _vigil_labels(model: FaceRecognizer, gallery: Gallery, photo: Path) -> list[str | None]:
    decisions = model.match(model.analyze(photo.read_bytes()).faces, gallery)
    return [decision.label if decision.status == "known" else None for decision in decisions]


def _baseline_decisions(baseline: BaselineWorker, photos: Sequence[Path]) -> Decisions:
    people = {name: baseline.encode(PHOTOS / file).encodings[0] for name, file in ENROLLED.items()}
    return _count_decisions(photos, partial(_baseline_labels, baseline, people))


def _baseline_labels(
    baseline: BaselineWorker, people: dict[str, NDArray[np.float64]], photo: Path
) -> list[str | None]:
    names: list[str | None] = []
    for encoding in baseline.encode(photo).encodings:
        distances = {name: float(np.linalg.norm(encoding - known)) for name, known in people.items()}
        nearest = min(distances, key=lambda name: distances[name])
        names.append(nearest if distances[nearest] <= BASELINE_TOLERANCE else None)
    return names


def _count_decisions(photos: Sequence[Path], names_in: Callable[[Path], list[str | None]]) -> Decisions:
    probes = [(PROBES[photo.name], names_in(photo)) for photo in photos if photo.name in PROBES]
    strangers = [name for photo in photos if photo.name.startswith("sample") for name in names_in(photo)]
    correct = sum(person in names for person, names in probes)
    false_matches = sum(name is not None for name in strangers)
    return Decisions(correct, len(probes) - correct, len(strangers), false_matches)
