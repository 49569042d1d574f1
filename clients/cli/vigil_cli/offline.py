"""Models and galleries on this machine, without a deployment: the work of `vigil predict`."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from models.build.files import RELEASES
from vigil.errors import ObjectTooLarge, Rejected
from vigil.faces.enrolment_check import add_templates, create_template
from vigil.faces.gallery import Gallery
from vigil.faces.matching import MatchDecision
from vigil.faces.pipeline import Face
from vigil.faces.recognizer import FaceRecognizer, open_face_recognizer
from vigil.inference.classifier import open_classifier
from vigil.inference.repository import BundledModels
from vigil.inference.types import Model, Option

ProgressCallback = Callable[[str], None]


class UnreadableFile(Rejected):
    """The file does not exist, or this user may not read it."""

    reason = "unreadable-file"


@dataclass(frozen=True, slots=True)
class PhotoResult:
    """The result of one photo.

    kind       "faces" or "labels": the key of the rows in the JSON output
    rows       one JSON object for each face or label
    decisions  one for each row if a gallery was given
    error      why there are no rows
    """

    photo: str
    kind: str
    rows: tuple[dict[str, Any], ...] = ()
    decisions: tuple[MatchDecision, ...] = ()
    error: Rejected | None = None

    def as_json(self) -> dict[str, Any]:
        error = self.error and {"reason": self.error.reason, "message": str(self.error)}
        return {"photo": self.photo, self.kind: list(self.rows), "error": error}


def load_models(releases: Path = RELEASES) -> BundledModels:
    """The models that were built on this machine, with an empty gallery."""
    faces = partial(open_face_recognizer, lambda _, space: Gallery(space))
    return BundledModels(releases, {"faces": faces, "classifier": open_classifier})


def gallery_from_folder(
    model: FaceRecognizer, folder: Path, *, on_rejected: ProgressCallback, on_progress: ProgressCallback
) -> Gallery:
    """Enrol a folder of person/photo; a photo that is rejected is reported and left out."""
    gallery = Gallery(model.embedding_space)
    for photo in sorted(path for path in folder.glob("*/*") if path.is_file() and path.name[0] != "."):
        on_progress(f"enrolling {photo.parent.name}")
        try:
            template = create_template(
                _read_photo(photo, model), model=model, person=photo.parent.name, gallery=gallery
            )
        except Rejected as rejection:
            on_rejected(f"{photo}: not enrolled: {rejection}")
        else:
            gallery = add_templates(gallery, photo.parent.name, [template], frozenset())
    return gallery


def predict_photo(
    model: Model, photo: Path, options: dict[str, Option], gallery: Gallery | None
) -> PhotoResult:
    """Run a model on a photo; a rejection becomes the error of the result."""
    try:
        if isinstance(model, FaceRecognizer):
            return _predict_faces(model, photo, options, gallery)
        return _predict_labels(model, photo, options)
    except Rejected as rejection:
        return PhotoResult(
            str(photo), "faces" if isinstance(model, FaceRecognizer) else "labels", error=rejection
        )


def _predict_labels(model: Model, photo: Path, options: dict[str, Option]) -> PhotoResult:
    prediction = model.predict(_read_photo(photo, model), options, _ignore_stage)
    rows = [
        {"label": sighting.label, "status": sighting.status, "score": sighting.score}
        for sighting in prediction.sightings
    ]
    return PhotoResult(str(photo), "labels", tuple(rows))


def _predict_faces(
    model: FaceRecognizer, photo: Path, options: dict[str, Option], gallery: Gallery | None
) -> PhotoResult:
    faces = model.analyze(_read_photo(photo, model), options).faces
    rows = tuple(_face_fields(face) for face in faces)
    if gallery is None:
        return PhotoResult(str(photo), "faces", rows)
    decisions = model.match(faces, gallery)
    matched = tuple({**row, **_match_fields(decision)} for row, decision in zip(rows, decisions, strict=True))
    return PhotoResult(str(photo), "faces", matched, decisions)


def _face_fields(face: Face) -> dict[str, Any]:
    return {
        "box": list(face.box_px),
        "score": round(face.detector_score, 4),
        "quality": round(face.quality, 3),
        "landmarks": face.landmarks.astype(float).round(2).tolist(),
        "embedding": face.vector.astype(float).round(7).tolist(),
    }


def _match_fields(decision: MatchDecision) -> dict[str, Any]:
    known = decision.label if decision.status == "known" else None
    return {"match": known, "threshold": decision.threshold, "fmr": decision.fmr}


def _read_photo(photo: Path, model: Model) -> bytes:
    try:
        data = photo.read_bytes()
    except OSError as error:
        raise UnreadableFile(f"{error.strerror or error}") from error
    if len(data) > model.max_bytes:
        raise ObjectTooLarge(f"{len(data):,} bytes; the limit is {model.max_bytes:,}")
    return data


def _ignore_stage(stage: str) -> None:
    """Stages are recorded by lanes only."""
