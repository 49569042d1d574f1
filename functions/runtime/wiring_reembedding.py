"""Builds what a further release of the kept model needs: everybody enrolled in it, and an examination."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from functions.runtime.wiring_core import now
from functions.runtime.wiring_people import (
    as_face_model,
    load_gallery_set,
    people,
    releases_in_use,
    templates,
)
from vigil.faces.enrolment_check import embed_reference
from vigil.faces.evaluation import compare_on_enrolled
from vigil.faces.gallery import EnrolledPerson, GallerySet
from vigil.inference.types import Model, ReferenceImage
from vigil.people.reembedding import ReembeddingService
from vigil.statistics import Interval


def reembedding_ports(release: str, has_time_left: Callable[[], bool]) -> ReembeddingService[GallerySet]:
    """Everybody enrolled for a release too, as long as there is time."""
    return ReembeddingService(
        photos=templates(),
        read_gallery=load_gallery_set,
        list_people=GallerySet.person_ids,
        missing_people=GallerySet.missing_people,
        is_space_complete=lambda known, space: (
            space in known.by_space and space not in known.incomplete_spaces
        ),
        embed=partial(_embed_reference_image, release),
        add_vectors=_with_embeddings,
        commit=lambda base, gallery, at: people().replace_gallery(base=base, gallery=gallery, now=at),
        has_time=has_time_left,
        clock=now,
    )


def compare_on_enrolled_people(candidate: Model) -> tuple[Interval, Interval]:
    """How often a release finds who is enrolled, and how much more often than the active one.

    Raises TooFew.
    """
    enrolled_photos = [
        (person, photo.reference_image)
        for person in load_gallery_set().person_ids()
        for photo in templates().photos_of(person)
        if photo.reference_image is not None
    ]
    return compare_on_enrolled(
        as_face_model(candidate), as_face_model(releases_in_use().active_model()), enrolled_photos
    )


def _embed_reference_image(release: str, reference: ReferenceImage) -> NDArray[np.float32]:
    return embed_reference(reference, as_face_model(releases_in_use().get_model(release)))


def _with_embeddings(
    gallery_set: GallerySet,
    space: str,
    embeddings: Mapping[str, Sequence[NDArray[np.float32]]],
    complete: bool,
) -> GallerySet:
    gallery = gallery_set.for_space(space)
    for person, vectors in embeddings.items():
        gallery = gallery.with_person(EnrolledPerson(person, np.stack(vectors), gallery_set.tags_for(person)))
    return gallery_set.with_gallery(gallery, complete=complete)
