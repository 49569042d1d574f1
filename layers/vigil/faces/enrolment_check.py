"""Enrolment: a photo becomes a template with a reference image, or is rejected with the reason."""

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vigil.errors import Rejected
from vigil.faces.gallery import Gallery
from vigil.faces.recognizer import FaceRecognizer
from vigil.faces.segments import EnrolledPerson
from vigil.inference.types import Box, FaceOrigin, ReferenceImage, iou

REFERENCE_MARGIN = 0.6
"""Share of the face's longer side that is stored on each side of it, as detectors need the surroundings."""

REFERENCE_FACE_HEIGHT_PX = 160
"""A larger face is reduced to this height; embedders read faces of about 90 pixels."""

REFERENCE_JPEG_QUALITY = 92


def crop_reference(image: Image.Image, box: Box) -> ReferenceImage:
    """The face with its surroundings as a JPEG of 20 to 40 KB.

    image  RGB, upright
    box    in pixels of `image`
    """
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


SAME_PICTURE_COSINE = 0.9999
"""Cosine from which on two templates are of copies of one picture, which count once."""

MEMBER_SHARE = 2 / 3
"""A face that is not like a person's first template is like more than this share of the others."""

REVIEW_SHARE = 2 / 3
"""Templates of a person that score less than this share of the threshold are reviewed."""


def find_outliers(
    new: NDArray[np.float32], earlier: NDArray[np.float32] | None, threshold: float
) -> tuple[int, ...]:
    """Indices in `new` of faces that are not the person's.

    new        (n, D) float32, unit rows, n >= 1
    earlier    (m, D) float32, unit rows of the person's templates, the first one first; None without any
    threshold  cosine from which on two faces may be of one person

    A face belongs to the person if it is like the first template or like most of all: a chain of faces, each
    like the next, would lead to another person. Without earlier templates the largest group of faces that
    are like most of each other is the person; if two groups without a common face are equally large, all
    faces are outliers. Copies of one picture count once.
    """
    if earlier is not None:
        return _others(_join(new, list(earlier), threshold, is_first_known=True)[0])
    groups = [_join(new, [face], threshold, is_first_known=False) for face in new]
    size = max(count for _, count in groups)
    largest = [joined for joined, count in groups if count == size]
    if any(not (largest[0] & joined).any() for joined in largest):
        return tuple(range(len(new)))
    return _others(largest[0])


def _others(is_member: NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(int(index) for index in np.flatnonzero(~is_member))


def _join(
    new: NDArray[np.float32], members: list[NDArray[np.float32]], threshold: float, *, is_first_known: bool
) -> tuple[NDArray[np.bool_], int]:
    """Which of the new faces belong to a group, and the number of different pictures in it then.

    members         the faces of the group so far
    is_first_known  whether likeness to the first of them is enough
    """
    members, joined = _different(members), np.zeros(len(new), np.bool_)
    waiting = [*range(len(new))]
    while waiting:
        for index in waiting:
            scores = np.stack(members) @ new[index]
            is_like = scores >= threshold
            if (is_first_known and is_like[0]) or is_like.mean() > MEMBER_SHARE:
                joined[index] = True
                members += [new[index]] if scores.max() < SAME_PICTURE_COSINE else []
        remaining = [index for index in waiting if not joined[index]]
        if remaining == waiting:
            break
        waiting = remaining
    return joined, len(members)


def _different(faces: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    """The faces without those of copies of an earlier picture."""
    found: list[NDArray[np.float32]] = []
    for face in faces:
        if not found or (np.stack(found) @ face).max() < SAME_PICTURE_COSINE:
            found.append(face)
    return found


def needs_review(templates: NDArray[np.float32], threshold: float) -> bool:
    """Whether a person's templates are so different that they may be of two people.

    templates  (T, D) float32, unit rows
    """
    return bool((templates @ templates.T).min() < REVIEW_SHARE * threshold)


MIN_SAME_FACE_IOU = 0.4
"""Lowest intersection over union of two releases' boxes of one face."""


class RejectedFace(Rejected):
    """A rejection with the boxes of the faces that it is about, in pixels of the upright photo."""

    def __init__(self, message: str, *boxes_px: Box) -> None:
        super().__init__(message)
        self.boxes_px = boxes_px


class NoFace(Rejected):
    """The photo contains no face."""

    reason = "no-face"


class SeveralFaces(RejectedFace):
    """The photo contains more than one face."""

    reason = "several-faces"


class LowQuality(RejectedFace):
    """The face is too small, blurred or turned to enrol."""

    reason = "low-quality"


class AlreadyEnrolled(RejectedFace):
    """The face matches a person who is enrolled under another id; `person` is "" if it matches two."""

    reason = "already-enrolled"

    def __init__(self, message: str, *boxes_px: Box, person: str) -> None:
        super().__init__(message, *boxes_px)
        self.person = person


class InconsistentFace(RejectedFace):
    """The face is not similar to the person's other photos."""

    reason = "inconsistent-face"


class DuplicatePhoto(Rejected):
    """The file is identical to another one of the request: it counts once."""

    reason = "duplicate-photo"


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """What is stored of one enrolment photo.

    vectors          (D,) float32, unit length, by embedding space
    quality          0 to 1
    box_px           of the face, in pixels of the upright photo
    reference_image  what later releases embed; None if it is not stored
    origin           of a face that was indexed with others of its photo
    """

    vectors: Mapping[str, NDArray[np.float32]]
    quality: float
    box_px: Box
    reference_image: ReferenceImage | None = None
    origin: FaceOrigin | None = None


def create_template(photo: bytes, *, model: FaceRecognizer, person: str, gallery: Gallery) -> Template:
    """The template of one photo of a person, who may be in the gallery already.

    Raises NoFace, SeveralFaces, LowQuality, AlreadyEnrolled, and what `decode_image` raises.
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
        required = model.matching_config.min_enrolment_quality
        causes = ", ".join(face.quality_issues) or f"quality {face.quality:.2f} below {required:.2f}"
        raise LowQuality(f"the face is not good enough to enrol: {causes}", face.box_px)
    decision = model.match(faces, gallery.without_person(person))[0]
    if decision.status in ("known", "ambiguous"):
        raise AlreadyEnrolled(
            "the face matches a person who is enrolled under another id",
            face.box_px,
            person=decision.label if decision.status == "known" else "",
        )
    return Template(
        {face.embedding_space: face.vector},
        face.quality,
        face.box_px,
        crop_reference(model.decode_full_size(photo), face.box_px),
    )


Photo = TypeVar("Photo")


def examine_photos(
    photos: Iterable[tuple[Photo, bytes | Rejected]],
    create: Callable[[bytes], Template],
    find_inconsistent: Callable[[Sequence[Template]], Mapping[int, Rejected]],
) -> tuple[list[tuple[Photo, Template]], list[tuple[Photo, Rejected]]]:
    """The accepted photos of one person with their templates, and the rejected ones with the reasons.

    photos             each with its bytes, or why it could not be read
    create             raises Rejected
    find_inconsistent  by index, why a template is not of the same person as the others
    """
    found: list[tuple[Photo, Template]] = []
    rejected: list[tuple[Photo, Rejected]] = []
    examined: set[bytes] = set()
    for photo, data in photos:
        try:
            if isinstance(data, Rejected):
                raise data
            if data in examined:
                raise DuplicatePhoto("the file is the same as that of another photo, which counts once")
            examined.add(data)
            found.append((photo, create(data)))
        except Rejected as error:
            rejected.append((photo, error))
    outliers = find_inconsistent([template for _, template in found]) if found else {}
    rejected += [(found[index][0], error) for index, error in outliers.items()]
    return [one for index, one in enumerate(found) if index not in outliers], rejected


def embed_reference(reference_image: ReferenceImage, model: FaceRecognizer) -> NDArray[np.float32]:
    """The vector of a stored reference image in the model's embedding space. Raises NoFace.

    returns  (D,) float32, unit length

    The face is not checked again; the model only has to detect it at its stored box.
    """
    candidates = [
        (iou(face.box_px, reference_image.box_px), face.vector)
        for face in model.analyze(reference_image.data).faces
    ]
    best_iou, vector = max(candidates, key=itemgetter(0), default=(0.0, None))
    if vector is None or best_iou < MIN_SAME_FACE_IOU:
        raise NoFace(f"release {model.release} finds no face at the enrolled box")
    return vector


def embed_for_other_releases(template: Template, models: Iterable[FaceRecognizer]) -> Template:
    """The template with the vectors of further models; a model that finds no face adds none."""
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
    """The rejections of templates that are not similar to the person's others, by index.

    threshold  cosine from which on two faces may be of one person
    """
    enrolled = gallery.person(person)
    vectors = np.stack([template.vectors[gallery.embedding_space] for template in templates])
    message = "the face is not that of the person's other photos"
    return {
        index: InconsistentFace(message, templates[index].box_px)
        for index in find_outliers(vectors, enrolled.templates if enrolled else None, threshold)
    }


def is_spread_too_far(gallery: Gallery, person: str, templates: Sequence[Template], threshold: float) -> bool:
    """Whether a person's templates together with new ones may be of two people.

    threshold  cosine from which on two faces may be of one person
    """
    enrolled = gallery.person(person)
    vectors = [template.vectors[gallery.embedding_space] for template in templates]
    return needs_review(np.stack([*(enrolled.templates if enrolled else ()), *vectors]), threshold)


def add_templates(
    gallery: Gallery, person: str, templates: Sequence[Template], tags: frozenset[str]
) -> Gallery:
    """The gallery with these templates added to the person's, and with these tags.

    A person without a template in the gallery's embedding space is not in the gallery.
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
    """The gallery with these tags of the person, who is not added without a template."""
    enrolled = gallery.person(person)
    if enrolled is None:
        return gallery.without_person(person)
    return gallery.with_person(EnrolledPerson(person, enrolled.templates, tags))
