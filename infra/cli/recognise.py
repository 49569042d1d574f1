"""Models and galleries on this machine, without any cloud: what `vigil predict` runs."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from infra.models.places import RELEASES
from vigil.errors import ObjectTooLarge, Rejected
from vigil.faces.enrol import examine, grow
from vigil.faces.gallery import Gallery
from vigil.faces.look import Face
from vigil.faces.match import Verdict
from vigil.faces.pipeline import FacesModel, open_faces
from vigil.predict.classifier import open_classifier
from vigil.predict.shelf import Shelf
from vigil.seeing import Model, Option

Told = Callable[[str], None]


class Unreadable(Rejected):
    """The file is not there, or this user may not read it."""

    reason = "unreadable-file"


@dataclass(frozen=True, slots=True)
class Answer:
    """What one photo gave: rows as JSON has them, or why there are none.

    kind      "faces" or "labels": the name of the rows
    verdicts  one for each row where there is a gallery
    """

    photo: str
    kind: str
    rows: tuple[dict[str, Any], ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    error: Rejected | None = None

    def as_json(self) -> dict[str, Any]:
        error = self.error and {"reason": self.error.reason, "message": str(self.error)}
        return {"photo": self.photo, self.kind: list(self.rows), "error": error}


def shelf(releases: Path = RELEASES) -> Shelf:
    """The models built on this machine, with nobody enrolled."""
    return Shelf(releases, {"faces": partial(open_faces, Gallery), "classifier": open_classifier})


def enrolled(model: FacesModel, folder: Path, *, refused: Told, doing: Told) -> Gallery:
    """The gallery of a folder of person/photo; a photo that cannot be enrolled is told and left out."""
    gallery = Gallery(model.embed)
    for photo in sorted(path for path in folder.glob("*/*") if path.suffix.lower() in model.suffixes):
        doing(f"enrolling {photo.parent.name}")
        try:
            template = examine(_read(photo, model), model=model, person=photo.parent.name, gallery=gallery)
        except Rejected as rejection:
            refused(f"{photo}: not enrolled: {rejection}")
        else:
            gallery = grow(gallery, photo.parent.name, [template], frozenset())
    return gallery


def answer(model: Model, photo: Path, options: dict[str, Option], gallery: Gallery | None) -> Answer:
    """One photo through one model; input that cannot be read is an answer too."""
    try:
        if isinstance(model, FacesModel):
            return _faces(model, photo, options, gallery)
        return _labels(model, photo, options)
    except Rejected as rejection:
        return Answer(str(photo), "faces" if isinstance(model, FacesModel) else "labels", error=rejection)


def _labels(model: Model, photo: Path, options: dict[str, Option]) -> Answer:
    scene = model.see(_read(photo, model), options, _unmarked)
    rows = [{"label": one.label, "status": one.status, "score": one.score} for one in scene.sightings]
    return Answer(str(photo), "labels", tuple(rows))


def _faces(model: FacesModel, photo: Path, options: dict[str, Option], gallery: Gallery | None) -> Answer:
    faces = model.look(_read(photo, model), options).faces
    rows = tuple(_face(face) for face in faces)
    if gallery is None:
        return Answer(str(photo), "faces", rows)
    verdicts = model.match(faces, gallery)
    matched = tuple({**row, **_match(verdict)} for row, verdict in zip(rows, verdicts, strict=True))
    return Answer(str(photo), "faces", matched, verdicts)


def _face(face: Face) -> dict[str, Any]:
    return {
        "box": list(face.box_px),
        "score": round(face.score, 4),
        "quality": round(face.quality, 3),
        "landmarks": face.landmarks.astype(float).round(2).tolist(),
        "embedding": face.vector.astype(float).round(7).tolist(),
    }


def _match(verdict: Verdict) -> dict[str, Any]:
    known = verdict.label if verdict.status == "known" else None
    return {"match": known, "threshold": verdict.threshold, "fmr": verdict.fmr}


def _read(photo: Path, model: Model) -> bytes:
    try:
        data = photo.read_bytes()
    except OSError as error:
        raise Unreadable(f"{error.strerror or error}") from error
    if len(data) > model.max_bytes:
        raise ObjectTooLarge(f"{len(data):,} bytes; the limit is {model.max_bytes:,}")
    return data


def _unmarked(stage: str) -> None:
    """Nobody waits for stages on a command line."""
