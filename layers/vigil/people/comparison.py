"""Describes the faces in photos, and compares those of a second photo with the largest of the first."""

from collections.abc import Sequence
from dataclasses import dataclass

from vigil.faces.description import FaceDescription, describe_face, largest_face
from vigil.faces.recognizer import as_face_recognizer
from vigil.faces.similarity import similarity_of
from vigil.inference.types import Model


@dataclass(frozen=True, slots=True)
class FacesInPhoto:
    """The faces of one photo.

    size_px       (width, height) of the upright picture
    similarities  of each face to the largest one of the first photo, 0 to 100; empty if that has no face
    """

    size_px: tuple[int, int]
    faces: tuple[FaceDescription, ...]
    similarities: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class PhotoComparison:
    """`source` is the index of the largest face of the first photo; None without a face."""

    photos: tuple[FacesInPhoto, ...]
    source: int | None


def compare_photos(photos: Sequence[bytes], model: Model) -> PhotoComparison:
    """The faces of one or more photos. Raises Rejected for unreadable ones."""
    recognizer = as_face_recognizer(model)
    analyses = [recognizer.analyze(photo) for photo in photos]
    source = largest_face(analyses[0].faces)
    probes = () if source is None else (analyses[0].faces[source].vector,)
    calibration = recognizer.matching_config.calibration
    described = (
        FacesInPhoto(
            one.size_px,
            tuple(map(describe_face, one.faces)),
            tuple(
                similarity_of(float(probe @ face.vector), calibration)
                for probe in probes
                for face in one.faces
            ),
        )
        for one in analyses
    )
    return PhotoComparison(tuple(described), source)
