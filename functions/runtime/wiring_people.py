"""Builds what keeps people: enrolment, the galleries in force, and the releases that they are kept for."""

from dataclasses import dataclass, replace
from functools import cache, lru_cache, partial
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING

from cloud.dynamodb.people import DynamoPeople
from cloud.s3.objects import S3Store
from functions.runtime.settings import settings
from functions.runtime.wiring_core import client, now
from vigil.faces.gallery import Gallery, GallerySet, deserialize_gallery, serialize_gallery

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cloud.dynamodb.templates import DynamoTemplates
    from vigil.faces.enrolment_check import InconsistentFace, Template
    from vigil.faces.recognizer import FaceRecognizer
    from vigil.inference.types import Model
    from vigil.people.enrolment import EnrolmentService
    from vigil.releases.routing import ReleasesInUse


@dataclass(frozen=True, slots=True)
class EnrolmentContext:
    """Where people are enrolled."""

    bucket: str
    ports: "EnrolmentService[GallerySet, Template]"


@cache
def enrolment() -> EnrolmentContext:
    """Enrolment, against the galleries as they are this moment."""
    from cloud.s3.objects import S3InputReader
    from vigil.faces.enrolment_check import set_tags
    from vigil.people.enrolment import EnrolmentService

    ports = EnrolmentService(
        people=people(),
        read_gallery=_initial_gallery_set,
        create_template=_check_photo,
        check_consistency=_inconsistent_photos,
        add_templates=_with_new_templates,
        set_tags=lambda known, person, tags: known.apply(lambda one: set_tags(one, person, tags)),
        fetch_photo=lambda photo: S3InputReader(client("s3")).fetch(photo, _active_face_model().max_bytes),
        delete_photo=store().delete_version,
        clock=now,
    )
    return EnrolmentContext(settings().store_bucket, ports)


@cache
def people() -> DynamoPeople[GallerySet]:
    """Everybody enrolled; a gallery is kept as a snapshot a space."""
    return DynamoPeople(client("dynamodb"), settings().people_table, store_gallery=_store_galleries)


def load_gallery_set() -> GallerySet:
    """All that is in force, read consistently."""
    pointer = people().gallery_pointer()
    return GallerySet(
        pointer.version,
        {space: _load_gallery(key) for space, key in pointer.snapshot_keys.items()},
        pointer.snapshot_keys,
        pointer.incomplete_spaces,
    )


def contains_person(gallery_set: GallerySet, person: str) -> bool:
    """Whether any release's gallery holds them."""
    return gallery_set.contains_person(person)


def without_person(gallery_set: GallerySet, person: str) -> GallerySet:
    """The same without them, in every release's gallery."""
    return gallery_set.apply(lambda gallery: gallery.without_person(person))


@cache
def releases_in_use() -> "ReleasesInUse":
    """The releases that people are kept for."""
    from cloud.s3.releases import S3ReleaseStore
    from functions.runtime.wiring_core import bundled_models
    from functions.runtime.wiring_repositories import releases
    from vigil.inference.repository import ReleaseCache, ReleaseCacheConfig
    from vigil.releases.routing import ReleasesInUse

    env, bundled = settings(), bundled_models(0.0)
    cache_config = ReleaseCacheConfig(
        folder=Path(gettempdir()) / "releases-in-use",
        fetch=S3ReleaseStore(client("s3"), env.store_bucket).fetch,
        factories=bundled.factories,
    )
    return ReleasesInUse(
        env.enrolment_model,
        bundled=bundled,
        read_releases=partial(releases().read_releases, env.enrolment_model),
        open_release=partial(ReleaseCache(cache_config).fetch_and_open, env.enrolment_model),
    )


@cache
def templates() -> "DynamoTemplates":
    """What is kept of each enrolment photo."""
    from cloud.dynamodb.templates import DynamoTemplates

    return DynamoTemplates(client("dynamodb"), settings().people_table)


def as_face_model(model: "Model") -> "FaceRecognizer":
    """As what it is."""
    from vigil.faces.recognizer import FaceRecognizer

    if not isinstance(model, FaceRecognizer):
        raise TypeError("the card of models/faces must name the pipeline faces")
    return model


def _active_face_model() -> "FaceRecognizer":
    return as_face_model(releases_in_use().active_model())


def _initial_gallery_set() -> GallerySet:
    """What is in force; before anybody is enrolled, an empty gallery for each release in use."""
    gallery_set = load_gallery_set()
    if gallery_set.by_space:
        return gallery_set
    return replace(
        gallery_set,
        by_space={
            one.embedding_space: Gallery(one.embedding_space)
            for one in map(as_face_model, releases_in_use().all_models())
        },
    )


def _check_photo(photo: bytes, gallery_set: GallerySet, person: str) -> "Template":
    """For the active release, and for each other that has a gallery."""
    from vigil.faces.enrolment_check import create_template, embed_for_other_releases

    active, *others = (as_face_model(model) for model in releases_in_use().all_models())
    template = create_template(
        photo, model=active, person=person, gallery=gallery_set.for_space(active.embedding_space)
    )
    further = [
        one
        for one in others
        if one.embedding_space in gallery_set.by_space and one.embedding_space != active.embedding_space
    ]
    template = embed_for_other_releases(template, further)
    return template if settings().store_reference_images else replace(template, reference_image=None)


def _inconsistent_photos(
    gallery_set: GallerySet, person: str, templates: "Sequence[Template]"
) -> "Mapping[int, InconsistentFace]":
    from vigil.faces.enrolment_check import check_consistency

    active = _active_face_model()
    return check_consistency(
        gallery_set.for_space(active.embedding_space),
        person,
        templates,
        active.matching_config.enrolment_consistency_threshold,
    )


def _with_new_templates(
    gallery_set: GallerySet, person: str, new_templates: "Sequence[Template]", tags: frozenset[str]
) -> GallerySet:
    from vigil.faces.enrolment_check import add_templates

    return gallery_set.apply(
        lambda one: (
            one if gallery_set.is_pending(one, person) else add_templates(one, person, new_templates, tags)
        )
    )


def _store_galleries(gallery_set: GallerySet) -> dict[str, str]:
    """By space, where each gallery lies; what is not stored as it is, is stored now."""
    return {
        space: gallery_set.snapshot_keys.get(space)
        or store().save_gallery_snapshot(gallery_set.version, serialize_gallery(gallery))
        for space, gallery in gallery_set.by_space.items()
    }


@lru_cache(maxsize=4)
def _load_gallery(key: str) -> Gallery:
    """A snapshot is never changed under its key."""
    return deserialize_gallery(store().get(key))


@cache
def store() -> S3Store:
    return S3Store(client("s3"), settings().store_bucket)
