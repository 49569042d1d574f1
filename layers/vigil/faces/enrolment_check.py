"""The part of an enrolment photograph that is kept: enough for a later release to embed it again."""

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vigil.errors import Rejected
from vigil.faces.gallery import EnrolledPerson, Gallery
from vigil.faces.recognizer import FaceRecognizer
from vigil.inference.types import Box, ReferenceImage

REFERENCE_MARGIN = 0.6
"""Of the face's longer side, kept on each side of it: what a detector wants to see around a face."""

REFERENCE_FACE_HEIGHT_PX = 160
"""A larger face is reduced to this height: embedders take faces of about 90 pixels."""

REFERENCE_JPEG_QUALITY = 92


def crop_reference(image: Image.Image, box: Box) -> ReferenceImage:
    """The face at `box`, in pixels of the upright RGB picture, and little else: a JPEG of 20 to 40 KB."""
    left, top, right, bottom = box
    half = (0.5 + REFERENCE_MARGIN) * max(right - left, bottom - top)
    x, y = (left + right) / 2, (top + bottom) / 2
    edges = (
        max(0, int(x - half)),
        max(0, int(y - half)),
        min(image.width, int(np.ceil(x + half))),
        min(image.height, int(np.ceil(y + half))),
    )
    crop = image.crop(edges)
    scale = min(1.0, REFERENCE_FACE_HEIGHT_PX / max(bottom - top, 1.0))
    if scale < 1:
        size = max(1, round(crop.width * scale)), max(1, round(crop.height * scale))
        crop = crop.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    out = io.BytesIO()
    crop.save(out, "JPEG", quality=REFERENCE_JPEG_QUALITY)
    box_in_crop = (left - edges[0], top - edges[1], right - edges[0], bottom - edges[1])
    a, b, c, d = (round(side * scale, 1) for side in box_in_crop)
    return ReferenceImage(out.getvalue(), (a, b, c, d))


def iou(first: Box, second: Box) -> float:
    """Intersection over union, 0 to 1."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    intersection = width * height
    return intersection / (_box_area(first) + _box_area(second) - intersection)


def _box_area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


# MERGED: Which photographs under one name show somebody else: those that are like none of the others.


def find_outliers(
    new: NDArray[np.float32], earlier: NDArray[np.float32] | None, threshold: float
) -> tuple[int, ...]:
    """The places in `new` of faces that are not the person's.

    new      (n, D) float32, unit rows, n >= 1
    earlier  (m, D) float32, unit rows of the person's templates; None where there are none
    alike    the cosine from which on two faces may be one person's

    A face belongs where a chain of faces, each like the next, leads to an earlier template. Where there are
    none, the largest group is the person; of two groups as large, nothing says which it is, and neither is.
    """
    similar = new @ new.T >= threshold
    if earlier is not None:
        belongs = _connected_to(similar, (new @ earlier.T).max(axis=1) >= threshold)
        return tuple(int(index) for index in np.flatnonzero(~belongs))
    groups = {tuple(_connected_to(similar, row)) for row in np.eye(len(new), dtype=np.bool_)}
    sizes = sorted((sum(group) for group in groups), reverse=True)
    if len(groups) > 1 and sizes[0] == sizes[1]:
        return tuple(range(len(new)))
    largest = max(groups, key=sum)
    return tuple(place for place, is_member in enumerate(largest) if not is_member)


def _connected_to(similar: NDArray[np.bool_], start: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """All that a chain leads to from any of the start."""
    reached = start
    while True:
        further = reached | similar[reached].any(axis=0)
        if (further == reached).all():
            return reached
        reached = further


# MERGED: One enrolment photograph becomes one template, or is refused with the reason.

MIN_SAME_FACE_IOU = 0.4
"""Two releases' boxes of one face overlap at least so much (intersection over union)."""


class RejectedFace(Rejected):
    """A fault with its places in the picture."""

    def __init__(self, message: str, *boxes_px: Box) -> None:
        super().__init__(message)
        self.boxes_px = boxes_px


class NoFace(Rejected):
    """There is no face in the enrolment photograph."""

    reason = "no-face"


class SeveralFaces(RejectedFace):
    """There is more than one face in the enrolment photograph."""

    reason = "several-faces"


class LowQuality(RejectedFace):
    """The face is too small, blurred or turned to enrol."""

    reason = "low-quality"


class AlreadyEnrolled(RejectedFace):
    """The face is that of somebody who is enrolled under another id."""

    reason = "already-enrolled"


class InconsistentFace(RejectedFace):
    """The face is not that of the person's other photographs."""

    reason = "inconsistent-face"


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
    reference_image: ReferenceImage | None = None


def create_template(photo: bytes, *, model: FaceRecognizer, person: str, gallery: Gallery) -> Template:
    """Judge one photograph for enrolment as `person`; the gallery may hold earlier templates of theirs.

    Raises NoFace, SeveralFaces, LowQuality, AlreadyEnrolled, and what decoding raises.
    """
    faces = model.analyze(photo).faces
    if not faces:
        raise NoFace("no face was found")
    if len(faces) > 1:
        raise SeveralFaces(
            f"{len(faces)} faces were found; enrolment needs exactly one", *(f.box_px for f in faces)
        )
    face = faces[0]
    if face.quality_issues or face.quality < model.matching_config.min_enrolment_quality:
        causes = (
            ", ".join(face.quality_issues)
            or f"quality {face.quality:.2f} below {model.matching_config.min_enrolment_quality:.2f}"
        )
        raise LowQuality(f"the face is not good enough to enrol: {causes}", face.box_px)
    decision = model.match(faces, gallery.without_person(person))[0]
    if decision.status in ("known", "ambiguous"):
        raise AlreadyEnrolled("the face matches a person who is enrolled under another id", face.box_px)
    return Template(
        {face.embedding_space: face.vector},
        face.quality,
        face.box_px,
        crop_reference(model.decode_full_size(photo), face.box_px),
    )


def embed_reference(reference_image: ReferenceImage, model: FaceRecognizer) -> NDArray[np.float32]:
    """What a release makes of a kept portrait: (D,) float32, unit length. Raises NoFace.

    The face was judged when it was enrolled; here it only has to be found where it was.
    """
    candidates = [
        (iou(face.box_px, reference_image.box_px), face.vector)
        for face in model.analyze(reference_image.data).faces
    ]
    best_iou, vector = max(candidates, key=_iou_of, default=(0.0, None))
    if vector is None or best_iou < MIN_SAME_FACE_IOU:
        raise NoFace(f"release {model.release} finds no face where there was one")
    return vector


def embed_for_other_releases(template: Template, models: Iterable[FaceRecognizer]) -> Template:
    """The template with what further releases make of it; one that finds no face in it adds nothing."""
    if template.reference_image is None:
        return template
    vectors = dict(template.vectors)
    for model in models:
        try:
            vectors[model.embedding_space] = embed_reference(template.reference_image, model)
        except NoFace:
            continue
    return replace(template, vectors=vectors)


def check_consistency(
    gallery: Gallery, person: str, templates: Sequence[Template], threshold: float
) -> Mapping[int, InconsistentFace]:
    """Why which of these templates are not the person's, by their place."""
    enrolled = gallery.person(person)
    vectors = np.stack([template.vectors[gallery.embedding_space] for template in templates])
    message = "the face is not that of the person's other photos"
    return {
        index: InconsistentFace(message, templates[index].box_px)
        for index in find_outliers(vectors, enrolled.templates if enrolled else None, threshold)
    }


def add_templates(
    gallery: Gallery, person: str, templates: Sequence[Template], tags: frozenset[str]
) -> Gallery:
    """The next gallery, in which the person has these templates besides any they had, and these tags.

    Whoever has no template in the gallery's space is not in it.
    """
    enrolled = gallery.person(person)
    existing = list(enrolled.templates) if enrolled else []
    added = [
        one.vectors[gallery.embedding_space] for one in templates if gallery.embedding_space in one.vectors
    ]
    if not existing and not added:
        return gallery.without_person(person)
    return gallery.with_person(EnrolledPerson(person, np.stack([*existing, *added]), tags))


def set_tags(gallery: Gallery, person: str, tags: frozenset[str]) -> Gallery:
    """The next gallery, in which the person has these tags; who has no template yet is not in it."""
    enrolled = gallery.person(person)
    if enrolled is None:
        return gallery.without_person(person)
    return gallery.with_person(EnrolledPerson(person, enrolled.templates, tags))


def _iou_of(pair: tuple[float, NDArray[np.float32] | None]) -> float:
    return pair[0]
