"""Models and galleries on this machine, without a deployment: the work of `vigil predict`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from models.build.files import RELEASES
from vigil.errors import ObjectTooLarge, Rejected
from vigil.faces.enrolment_check import (
    Template,
    add_templates,
    check_consistency,
    create_template,
    examine_photos,
    is_spread_too_far,
)
from vigil.faces.gallery import Gallery
from vigil.faces.matching import MatchDecision
from vigil.faces.pipeline import Face
from vigil.faces.recognizer import FaceRecognizer, open_face_recognizer
from vigil.inference.kinds import CARD_KINDS
from vigil.inference.network.model import NetworkModel
from vigil.inference.network.stages import StagesModel
from vigil.inference.repository import BundledModels
from vigil.inference.types import Model, Option, Sighting
from vigil.people.person import InvalidName, name_identity, parse_name

ProgressCallback = Callable[[str], None]


class UnreadableFile(Rejected):
    """The file does not exist, or this user may not read it."""

    reason = "unreadable-file"


class UnusableGallery(Rejected):
    """The folder of a gallery has not the form person/photo, or no photo in it can be enrolled."""

    reason = "unusable-gallery"


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
    return BundledModels(releases, {"faces": faces, **CARD_KINDS})


def gallery_from_folder(
    model: FaceRecognizer, folder: Path, *, on_rejected: ProgressCallback, on_progress: ProgressCallback
) -> Gallery:
    """Enrol a folder of person/photo with the checks of an enrolment; what is left out is reported.

    Raises UnusableGallery.
    """
    gallery = Gallery(model.embedding_space)
    threshold = model.matching_config.enrolment_consistency_threshold
    for name, photos in _photos_by_person(folder, on_rejected).items():
        on_progress(f"enrolling {name}")
        accepted, rejected = _examine_person(model, gallery, name, photos)
        templates = [template for _, template in accepted]
        for photo, rejection in rejected:
            on_rejected(f"{photo}: not enrolled: {rejection}")
        if templates and is_spread_too_far(gallery, name, templates, threshold):
            on_rejected(f"{name}: the photos differ so much that they may show two people: review them")
        if templates:
            gallery = add_templates(gallery, name, templates, frozenset())
    if not gallery.people:
        raise UnusableGallery(f"no photo in {folder} could be enrolled: there is nobody to compare with")
    return gallery


def _examine_person(
    model: FaceRecognizer, gallery: Gallery, name: str, photos: Sequence[Path]
) -> tuple[list[tuple[Path, Template]], list[tuple[Path, Rejected]]]:
    threshold = model.matching_config.enrolment_consistency_threshold
    return examine_photos(
        ((photo, _photo_or_rejection(photo, model)) for photo in photos),
        lambda data: create_template(data, model=model, person=name, gallery=gallery),
        lambda templates: check_consistency(gallery, name, templates, threshold),
    )


def _photos_by_person(folder: Path, on_rejected: ProgressCallback) -> dict[str, list[Path]]:
    """The photos of each folder under the name of its person. Raises UnusableGallery.

    Folders whose names are spellings of one name are one person.
    """
    inside = _visible_entries(folder)
    if not any(one.is_dir() for one in inside):
        state = "has no folder" if inside else "is empty"
        raise UnusableGallery(f"{folder} {state}: it needs one for each person, as in NAME/photo.jpg")
    names: dict[str, str] = {}
    photos: dict[str, list[Path]] = {}
    for entry in inside:
        if entry.is_file():
            on_rejected(f"{entry}: not enrolled: it is not in the folder of a person")
            continue
        try:
            name = names.setdefault(name_identity(entry.name), parse_name(entry.name))
        except InvalidName as error:
            on_rejected(f"{entry}: not enrolled: {error}")
            continue
        photos.setdefault(name, []).extend(_photos_in(entry, on_rejected))
    if not any(photos.values()):
        raise UnusableGallery(
            f"the folders in {folder} have no photos directly in them, as in NAME/photo.jpg"
        )
    return photos


def _photos_in(folder: Path, on_rejected: ProgressCallback) -> list[Path]:
    entries = _visible_entries(folder)
    for deeper in (one for one in entries if one.is_dir()):
        on_rejected(f"{deeper}: not enrolled: photos must be directly in the folder of their person")
    return [one for one in entries if not one.is_dir()]


def _visible_entries(folder: Path) -> list[Path]:
    return sorted(one for one in folder.iterdir() if not one.name.startswith("."))


def _photo_or_rejection(photo: Path, model: FaceRecognizer) -> bytes | Rejected:
    try:
        return _read_photo(photo, model)
    except Rejected as rejection:
        return rejection


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
    data = _read_photo(photo, model)
    if isinstance(model, NetworkModel | StagesModel):
        return PhotoResult(str(photo), "labels", tuple(map(_sighting_fields, model.find_all(data)[0])))
    sightings = model.predict(data, options, _ignore_stage).sightings
    rows = [{"label": one.label, "status": one.status, "score": one.score} for one in sightings]
    return PhotoResult(str(photo), "labels", tuple(rows))


def _sighting_fields(sighting: Sighting) -> dict[str, Any]:
    """What a network found, without the fields that its kind of output does not have."""
    fields = {name: getattr(sighting, name) for name in ("label", "status", *_OPTIONAL_FIELDS)}
    if sighting.vector is not None:
        fields["embedding"] = sighting.vector.astype(float).round(7).tolist()
    return {name: value for name, value in fields.items() if value is not None}


_OPTIONAL_FIELDS = ("score", "threshold", "value", "text", "row", "span_s", "box_px")


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
