"""Photographs of people, each analysed by the whole pipeline.

The folder holds `enrolled/PERSON/` with at least two photographs each, `strangers/PERSON/`, and where there
are pictures without people, `without-people/`.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from math import hypot
from pathlib import Path

from vigil.errors import Rejected
from vigil.faces.pipeline import Face
from vigil.faces.recognizer import FaceRecognizer

ENROLLED, UNENROLLED, WITHOUT_PEOPLE = "enrolled", "strangers", "without-people"


@dataclass(frozen=True, slots=True, eq=False)
class AnalyzedPhoto:
    """One photograph of a person with all its faces.

    is_enrolled  whether it is of a person whose first photograph is enrolled
    main_face    the face nearest to the middle, which is taken for the person's
    """

    path: Path
    subject: str
    is_enrolled: bool
    faces: tuple[Face, ...]
    main_face: Face | None


def analyze_photo(model: FaceRecognizer, path: Path) -> AnalyzedPhoto:
    """A photograph in its folder, without faces if the model cannot read it."""
    try:
        analysis = model.analyze(path.read_bytes())
    except Rejected:
        return AnalyzedPhoto(path, path.parent.name, _is_enrolled(path), (), None)
    middle = analysis.size_px[0] / 2, analysis.size_px[1] / 2
    main_face = min(analysis.faces, key=lambda face: _distance(face, middle), default=None)
    return AnalyzedPhoto(path, path.parent.name, _is_enrolled(path), analysis.faces, main_face)


def _is_enrolled(path: Path) -> bool:
    return path.parent.parent.name == ENROLLED


def _distance(face: Face, point: tuple[float, float]) -> float:
    """From the middle of a face's box to a point, in pixels."""
    left, top, right, bottom = face.box_px
    return hypot((left + right) / 2 - point[0], (top + bottom) / 2 - point[1])


def analyze_folder(
    model: FaceRecognizer, folder: Path, on_progress: Callable[[int], None] = lambda _: None
) -> tuple[AnalyzedPhoto, ...]:
    """Every photograph of the folder, in order of its path."""
    photos = []
    for number, path in enumerate(_photo_paths(folder)):
        on_progress(number)
        photos.append(analyze_photo(model, path))
    return tuple(photos)


def data_id(folder: Path) -> str:
    """The id of the photographs: a hash of their paths and content."""
    digest = hashlib.sha256()
    for path in (*_photo_paths(folder), *paths_without_people(folder)):
        digest.update(f"{path.relative_to(folder)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def paths_without_people(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / WITHOUT_PEOPLE).glob("*") if path.is_file())


def _photo_paths(folder: Path) -> list[Path]:
    return sorted(
        path for kind in (ENROLLED, UNENROLLED) for path in (folder / kind).glob("*/*") if path.is_file()
    )
