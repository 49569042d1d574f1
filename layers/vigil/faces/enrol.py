"""One enrolment photograph becomes one template, or is refused with the reason."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vigil.errors import Rejected
from vigil.faces.gallery import Gallery, Person
from vigil.faces.pipeline import FacesModel
from vigil.seeing import Box


class Misplaced(Rejected):
    """A fault with its places in the picture."""

    def __init__(self, message: str, *boxes_px: Box) -> None:
        super().__init__(message)
        self.boxes_px = boxes_px


class NoFace(Rejected):
    """There is no face in the enrolment photograph."""

    reason = "no-face"


class SeveralFaces(Misplaced):
    """There is more than one face in the enrolment photograph."""

    reason = "several-faces"


class LowQuality(Misplaced):
    """The face is too small, blurred or turned to enrol."""

    reason = "low-quality"


class AlreadyEnrolled(Misplaced):
    """The face is that of somebody who is enrolled under another id."""

    reason = "already-enrolled"


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """What is kept of one enrolment photograph.

    vector   (D,) float32, unit length
    quality  0 to 1
    box_px   of the face, in pixels of the upright photograph
    embed    id of the vector space, as in `Gallery.embed`
    """

    vector: NDArray[np.float32]
    quality: float
    box_px: Box
    embed: str


def examine(photo: bytes, *, model: FacesModel, person: str, gallery: Gallery) -> Template:
    """Judge one photograph for enrolment as `person`; the gallery may hold earlier templates of theirs.

    Raises NoFace, SeveralFaces, LowQuality, AlreadyEnrolled, and what decoding raises.
    """
    faces = model.look(photo).faces
    if not faces:
        raise NoFace("no face was found")
    if len(faces) > 1:
        raise SeveralFaces(
            f"{len(faces)} faces were found; enrolment needs exactly one", *(f.box_px for f in faces)
        )
    face = faces[0]
    if face.faults or face.quality < model.settings.enrol_quality:
        causes = (
            ", ".join(face.faults) or f"quality {face.quality:.2f} below {model.settings.enrol_quality:.2f}"
        )
        raise LowQuality(f"the face is not good enough to enrol: {causes}", face.box_px)
    verdict = model.match(faces, gallery.without_person(person))[0]
    if verdict.status in ("known", "ambiguous"):
        raise AlreadyEnrolled("the face matches a person who is enrolled under another id", face.box_px)
    return Template(face.vector, face.quality, face.box_px, model.embed)


def grow(gallery: Gallery, person: str, templates: Sequence[Template], tags: frozenset[str]) -> Gallery:
    """The next gallery, in which the person has these templates besides any they had, and these tags."""
    known = gallery.person(person)
    earlier = [known.templates] if known else []
    rows = np.concatenate([*earlier, np.stack([template.vector for template in templates])])
    return gallery.with_person(Person(person, rows, tags))


def dress(gallery: Gallery, person: str, tags: frozenset[str]) -> Gallery:
    """The next gallery, in which the person has these tags; who has no template yet is not in it."""
    found = gallery.person(person)
    if found is None:
        return gallery.without_person(person)
    return gallery.with_person(Person(person, found.templates, tags))
