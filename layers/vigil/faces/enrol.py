"""One enrolment photograph becomes one template, or is refused with the reason."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vigil.errors import Rejected
from vigil.faces.alike import unlike
from vigil.faces.gallery import Gallery, Person
from vigil.faces.pipeline import FacesModel
from vigil.faces.portrait import cut, overlap
from vigil.seeing import Box, Portrait

SAME_PLACE = 0.4
"""Two releases' boxes of one face overlap at least so much (intersection over union)."""


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


class AnotherFace(Misplaced):
    """The face is not that of the person's other photographs."""

    reason = "another-face"


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """What is kept of one enrolment photograph.

    vectors   (D,) float32, unit length, for each space in which it was embedded
    quality   0 to 1
    box_px    of the face, in pixels of the upright photograph
    portrait  what a later release embeds; None where none is kept
    """

    vectors: Mapping[str, NDArray[np.float32]]
    quality: float
    box_px: Box
    portrait: Portrait | None = None


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
    return Template(
        {face.space: face.vector}, face.quality, face.box_px, cut(model.unpacked(photo), face.box_px)
    )


def embed_again(portrait: Portrait, model: FacesModel) -> NDArray[np.float32]:
    """What a release makes of a kept portrait: (D,) float32, unit length. Raises NoFace.

    The face was judged when it was enrolled; here it only has to be found where it was.
    """
    found = [(overlap(face.box_px, portrait.box_px), face.vector) for face in model.look(portrait.data).faces]
    same, vector = max(found, key=_first, default=(0.0, None))
    if vector is None or same < SAME_PLACE:
        raise NoFace(f"release {model.release} finds no face where there was one")
    return vector


def widened(template: Template, models: Iterable[FacesModel]) -> Template:
    """The template with what further releases make of it; one that finds no face in it adds nothing."""
    if template.portrait is None:
        return template
    vectors = dict(template.vectors)
    for model in models:
        try:
            vectors[model.embed] = embed_again(template.portrait, model)
        except NoFace:
            continue
    return replace(template, vectors=vectors)


def strays(
    gallery: Gallery, person: str, templates: Sequence[Template], alike: float
) -> Mapping[int, AnotherFace]:
    """Why which of these templates are not the person's, by their place."""
    known = gallery.person(person)
    vectors = np.stack([template.vectors[gallery.embed] for template in templates])
    why = "the face is not that of the person's other photos"
    return {
        place: AnotherFace(why, templates[place].box_px)
        for place in unlike(vectors, known.templates if known else None, alike)
    }


def grow(gallery: Gallery, person: str, templates: Sequence[Template], tags: frozenset[str]) -> Gallery:
    """The next gallery, in which the person has these templates besides any they had, and these tags.

    Whoever has no template in the gallery's space is not in it.
    """
    known = gallery.person(person)
    earlier = list(known.templates) if known else []
    mine = [one.vectors[gallery.embed] for one in templates if gallery.embed in one.vectors]
    if not earlier and not mine:
        return gallery.without_person(person)
    return gallery.with_person(Person(person, np.stack([*earlier, *mine]), tags))


def dress(gallery: Gallery, person: str, tags: frozenset[str]) -> Gallery:
    """The next gallery, in which the person has these tags; who has no template yet is not in it."""
    found = gallery.person(person)
    if found is None:
        return gallery.without_person(person)
    return gallery.with_person(Person(person, found.templates, tags))


def _first(pair: tuple[float, NDArray[np.float32] | None]) -> float:
    return pair[0]
