"""Galleries and templates with one embedding space, for tests of people."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from vigil.faces.enrolment_check import Template
from vigil.faces.gallery import GallerySet, build_gallery
from vigil.faces.segments import EnrolledPerson

SPACE = "space"


def unit_vector(name: str) -> NDArray[np.float32]:
    """(4,) float32, unit length: equal names give equal vectors."""
    vector = np.frombuffer(name.encode().ljust(4, b"\0")[:4], np.uint8).astype(np.float32)
    unit: NDArray[np.float32] = vector / np.linalg.norm(vector)
    return unit


def template(name: str) -> Template:
    return Template({SPACE: unit_vector(name)}, 1.0, (0, 0, 1, 1))


def gallery_set(people: Iterable[str] = (), *, version: int = 0, space: str = SPACE) -> GallerySet:
    """Galleries with one template for each person."""
    enrolled = [EnrolledPerson(person, unit_vector(person)[None]) for person in people]
    return GallerySet(version, {space: build_gallery(space, enrolled)})


def photo_counts(galleries: GallerySet, space: str = SPACE) -> dict[str, int]:
    """The number of templates of each person in a space."""
    people = sorted(galleries.for_space(space).people, key=lambda person: person.id)
    return {person.id: len(person.templates) for person in people}
