"""The face recognition releases that people are enrolled with."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vigil.errors import Rejected
from vigil.faces.description import describe_face
from vigil.faces.enrolment_check import (
    Template,
    check_consistency,
    create_template,
    crop_reference,
    embed_for_other_releases,
    embed_reference,
    is_spread_too_far,
)
from vigil.faces.evaluation import compare_on_enrolled
from vigil.faces.gallery import GallerySet
from vigil.faces.recognizer import FaceRecognizer, as_face_recognizer
from vigil.faces.similarity import similarity_of
from vigil.inference.types import Model, ReferenceImage
from vigil.people.galleries import GalleryListing
from vigil.people.indexing import EnrolledFace, FoundFace
from vigil.people.reembedding import StoredPhoto
from vigil.statistics import Interval


class OpenReleases(Protocol):
    """The releases of the enrolment model that are in use. All raise BrokenRelease, Transient."""

    def release_ids(self) -> Sequence[str]:
        """The active one first."""

    def active_model(self) -> Model: ...

    def all_models(self) -> Sequence[Model]:
        """The active one first; others that cannot be opened are left out."""

    def get_model(self, release: str) -> Model: ...


class StoredTemplates(Protocol):
    """The stored templates. Raises Transient."""

    def photos_of(self, person: str) -> Iterable[StoredPhoto]: ...


@dataclass(frozen=True, slots=True)
class FaceReleases:
    """Ports EnrolmentModels and ReembeddingModels. All raise BrokenRelease, Transient."""

    releases: OpenReleases
    galleries: GalleryListing
    photos: StoredTemplates

    @property
    def max_bytes(self) -> int:
        return self._active().max_bytes

    def embedding_spaces(self) -> Sequence[str]:
        return [as_face_recognizer(one).embedding_space for one in self.releases.all_models()]

    def create_template(self, photo: bytes, galleries: GallerySet, person: str) -> Template:
        """A template by the active release, and by each other release that has a gallery."""
        active, *others = map(as_face_recognizer, self.releases.all_models())
        space = active.embedding_space
        template = create_template(photo, model=active, person=person, gallery=galleries.for_space(space))
        spaces = galleries.by_space.keys() - {space}
        return embed_for_other_releases(template, [one for one in others if one.embedding_space in spaces])

    def find_faces(self, photo: bytes) -> tuple[tuple[int, int], Sequence[FoundFace]]:
        """The size of the upright picture, and all its faces by the active release."""
        active = self._active()
        analysis, picture = active.analyze(photo), active.decode_full_size(photo)
        found = (
            FoundFace(
                Template(
                    {face.embedding_space: face.vector},
                    face.quality,
                    face.box_px,
                    crop_reference(picture, face.box_px),
                ),
                describe_face(face),
            )
            for face in analysis.faces
        )
        return analysis.size_px, list(found)

    def complete_template(self, template: Template, galleries: GallerySet) -> Template:
        """The template with vectors of all releases that have a gallery."""
        missing = galleries.by_space.keys() - template.vectors.keys()
        models = map(as_face_recognizer, self.releases.all_models())
        return embed_for_other_releases(template, [one for one in models if one.embedding_space in missing])

    def find_match(self, template: Template, galleries: GallerySet) -> str | None:
        """The best candidate if its score reaches the threshold of the gallery."""
        active = self._active()
        gallery, config = galleries.for_space(active.embedding_space), active.matching_config
        if not len(gallery):
            return None
        (best,) = gallery.identify(template.vectors[active.embedding_space][None])
        is_match = best.score >= config.gallery_threshold(len(gallery))
        return gallery.person_at(best.index).id if is_match else None

    def similarity(self, face: EnrolledFace, others: Sequence[EnrolledFace]) -> float | None:
        """Of a face to the most similar of others in percent; None without vectors to compare."""
        active = self._active()
        space, calibration = active.embedding_space, active.matching_config.calibration
        vectors = [one.vectors[space] for one in others if space in one.vectors]
        if not vectors or space not in face.vectors:
            return None
        return similarity_of(float(max(np.stack(vectors) @ face.vectors[space])), calibration)

    def find_inconsistent(
        self, galleries: GallerySet, person: str, templates: Sequence[Template]
    ) -> Mapping[int, Rejected]:
        active = self._active()
        threshold = active.matching_config.enrolment_consistency_threshold
        return check_consistency(galleries.for_space(active.embedding_space), person, templates, threshold)

    def is_spread_too_far(self, galleries: GallerySet, person: str, templates: Sequence[Template]) -> bool:
        active = self._active()
        threshold = active.matching_config.enrolment_consistency_threshold
        return is_spread_too_far(galleries.for_space(active.embedding_space), person, templates, threshold)

    def release_ids(self) -> Sequence[str]:
        return self.releases.release_ids()

    def embedding_space(self, release: str) -> str:
        return as_face_recognizer(self.releases.get_model(release)).embedding_space

    def embed_reference(self, release: str, reference: ReferenceImage) -> NDArray[np.float32]:
        """(D,) float32, unit length. Raises NoFace."""
        return embed_reference(reference, as_face_recognizer(self.releases.get_model(release)))

    def compare_on_enrolled(self, candidate: Model) -> tuple[Interval, Interval]:
        """The candidate's identification rate, and its difference from the active release's.

        Both are measured on the reference images of all enrolled people. Raises TooFewEnrolled.
        """
        images = [
            (person, photo.reference_image)
            for name in self.galleries.names()
            for person in self.galleries.read(name).person_ids()
            for photo in self.photos.photos_of(person)
            if photo.reference_image is not None
        ]
        return compare_on_enrolled(as_face_recognizer(candidate), self._active(), images)

    def _active(self) -> FaceRecognizer:
        return as_face_recognizer(self.releases.active_model())
