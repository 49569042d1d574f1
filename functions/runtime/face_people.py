"""What enrolment, erasure and reembedding do with the galleries of faces."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from vigil.faces.enrolment_check import (
    InconsistentFace,
    Template,
    add_templates,
    check_consistency,
    create_template,
    embed_for_other_releases,
    embed_reference,
)
from vigil.faces.evaluation import compare_on_enrolled
from vigil.faces.gallery import EnrolledPerson, Gallery, GallerySet
from vigil.faces.recognizer import FaceRecognizer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from functions.runtime.container import Container
    from vigil.inference.types import Model, ReferenceImage
    from vigil.statistics import Interval


def as_face_model(model: Model) -> FaceRecognizer:
    """Raises TypeError if the enrolment model is not a face recognizer."""
    if not isinstance(model, FaceRecognizer):
        raise TypeError("the card of models/faces must name the pipeline faces")
    return model


class FacePeople:
    """Templates and comparisons by the releases that people are enrolled for."""

    def __init__(self, container: Container) -> None:
        self._container = container

    def load_or_initial(self) -> GallerySet:
        """The galleries in force; before the first enrolment, an empty one for each release in use."""
        gallery_set = self._container.galleries.read()
        if gallery_set.by_space:
            return gallery_set
        spaces = [as_face_model(one).embedding_space for one in self._container.releases_in_use.all_models()]
        return replace(gallery_set, by_space={space: Gallery(space) for space in spaces})

    def active_model(self) -> FaceRecognizer:
        return as_face_model(self._container.releases_in_use.active_model())

    def check_photo(self, photo: bytes, gallery_set: GallerySet, person: str) -> Template:
        """A template by the active release, and by each other release that has a gallery."""
        active, *others = (as_face_model(one) for one in self._container.releases_in_use.all_models())
        template = create_template(
            photo, model=active, person=person, gallery=gallery_set.for_space(active.embedding_space)
        )
        further = [
            one
            for one in others
            if one.embedding_space in gallery_set.by_space and one.embedding_space != active.embedding_space
        ]
        template = embed_for_other_releases(template, further)
        if self._container.settings.store_reference_images:
            return template
        return replace(template, reference_image=None)

    def inconsistent_photos(
        self, gallery_set: GallerySet, person: str, templates: Sequence[Template]
    ) -> Mapping[int, InconsistentFace]:
        active = self.active_model()
        return check_consistency(
            gallery_set.for_space(active.embedding_space),
            person,
            templates,
            active.matching_config.enrolment_consistency_threshold,
        )

    def compare_on_enrolled(self, candidate: Model) -> tuple[Interval, Interval]:
        """The candidate's rank-1 rate on enrolled people, and its difference from the active release's.

        Raises TooFew.
        """
        enrolled_photos = [
            (person, photo.reference_image)
            for person in self._container.galleries.read().person_ids()
            for photo in self._container.templates.photos_of(person)
            if photo.reference_image is not None
        ]
        return compare_on_enrolled(as_face_model(candidate), self.active_model(), enrolled_photos)

    def embed_reference_image(self, release: str, reference: ReferenceImage) -> NDArray[np.float32]:
        return embed_reference(reference, as_face_model(self._container.releases_in_use.get_model(release)))


def with_new_templates(
    gallery_set: GallerySet, person: str, new_templates: Sequence[Template], tags: frozenset[str]
) -> GallerySet:
    return gallery_set.apply(
        lambda one: (
            one if gallery_set.is_pending(one, person) else add_templates(one, person, new_templates, tags)
        )
    )


def with_embeddings(
    gallery_set: GallerySet,
    space: str,
    embeddings: Mapping[str, Sequence[NDArray[np.float32]]],
    complete: bool,
) -> GallerySet:
    gallery = gallery_set.for_space(space)
    for person, vectors in embeddings.items():
        gallery = gallery.with_person(EnrolledPerson(person, np.stack(vectors), gallery_set.tags_for(person)))
    return gallery_set.with_gallery(gallery, complete=complete)
