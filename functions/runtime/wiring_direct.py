"""Builds what authorizer, predict, thumbnail and erase use: once per container, each loads only its own."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from functions.runtime.settings import settings
from functions.runtime.wiring_core import bundled_models, client, now

INDEX_DELAY_S = 2.5
"""Seconds within which a row that was kept is in the index, where erasing looks for it."""

if TYPE_CHECKING:
    from cloud.dynamodb.unknown_subjects import DynamoUnknownFaces
    from cloud.jwt_tokens import JwtVerifier
    from cloud.kms import KmsMac
    from cloud.s3.objects import S3InputReader
    from vigil.inference.card import InputLimits
    from vigil.inference.types import Box
    from vigil.people.erasure import ErasureService
    from vigil.releases.routing import ActiveModels


@dataclass(frozen=True, slots=True)
class PredictionPorts:
    """What an answer at once needs."""

    bucket: str
    models: "ActiveModels"
    objects: "S3InputReader"


@cache
def prediction_ports() -> "PredictionPorts":
    """Models and objects for an answer at once, against the gallery as it is this moment."""
    from cloud.s3.objects import S3InputReader
    from functions.runtime.wiring_rollout import rollout_router
    from vigil.releases.routing import ActiveModels

    bundled = bundled_models(0.0)
    models = ActiveModels(rollout_router(bundled), bundled)
    return PredictionPorts(settings().photos_bucket, models, S3InputReader(client("s3")))


@dataclass(frozen=True, slots=True)
class ThumbnailPorts:
    """Photos, and how those of a model are unpacked."""

    objects: "S3InputReader"
    input_limits: "Callable[[str], InputLimits]"
    make_thumbnail: "Callable[[bytes, InputLimits, Box | None], bytes]"


@cache
def thumbnails() -> ThumbnailPorts:
    """What thumbnails are made with: no model is opened, its card says enough."""
    from cloud.s3.objects import S3InputReader
    from vigil.inference.card import InputLimits, load_toml
    from vigil.inference.images import create_thumbnail
    from vigil.inference.release import CARD_FILE

    cards = settings().cards_dir
    input_limits = cache(lambda model: InputLimits.from_card(load_toml(cards / model / CARD_FILE)))
    return ThumbnailPorts(S3InputReader(client("s3")), input_limits, create_thumbnail)


@cache
def erasure() -> "ErasureService[Any]":
    """All that erasing a person reaches."""
    from cloud.dynamodb.erasure import DynamoPersonData
    from cloud.s3.objects import S3Store
    from functions.runtime.wiring_people import contains_person, load_gallery_set, people, without_person
    from vigil.people.erasure import ErasureService

    env = settings()
    store = S3Store(client("s3"), env.store_bucket)
    return ErasureService(
        records=people(),
        personal_data=DynamoPersonData(client("dynamodb"), env.records_table, env.callers_table),
        read_gallery=load_gallery_set,
        contains=contains_person,
        without_person=without_person,
        remove_from_datasets=_remove_from_datasets,
        remove_unknown_faces=_remove_unknown_faces,
        wait_for_index=partial(time.sleep, INDEX_DELAY_S),
        delete_pending_photos=store.delete_pending_photos,
        delete_snapshots=store.delete_other_snapshots,
        delete_object_version=store.delete_version,
        clock=now,
    )


@cache
def unknown_subjects() -> "DynamoUnknownFaces":
    """Faces of strangers that sources remember."""
    from cloud.dynamodb.unknown_subjects import DynamoUnknownFaces

    return DynamoUnknownFaces(client("dynamodb"), settings().records_table)


@cache
def kms_mac() -> "KmsMac":
    """The deployment's seal."""
    from cloud.kms import KmsMac

    return KmsMac(client("kms"), settings().mac_key)


@cache
def audit_checkpoint_writer() -> "Callable[[], bool]":
    """Keeps a checkpoint of the audit log; whether there was anything new in it."""
    from cloud.dynamodb.audit_log import DynamoAuditLog
    from cloud.s3.audit_checkpoints import S3AuditCheckpoints
    from vigil.access.audit import AuditCheckpoint

    env = settings()
    log = DynamoAuditLog(client("dynamodb"), env.audit_table)
    checkpoints = S3AuditCheckpoints(client("s3"), env.store_bucket, kms_mac())
    return lambda: checkpoints.save(AuditCheckpoint(now(), log.read_heads()))


@cache
def token_verifier() -> "JwtVerifier":
    """Whose tokens are good."""
    from cloud.jwt_tokens import JwtVerifier

    env = settings()
    return JwtVerifier(
        issuer=env.token_issuer,
        audience=env.token_audience,
        jwks_url=env.jwks_url,
        role_claim=env.role_claim,
        sources_claim=env.sources_claim,
    )


def _remove_from_datasets(person: str) -> int:
    """A person's items, out of every stored data set."""
    from functions.runtime.wiring_training import dataset_store
    from vigil.training.dataset_store import list_datasets, prune_dataset

    datasets = dataset_store()
    return sum(
        prune_dataset(model, data, lambda entry: person in entry.people, datasets, now=now())
        for model, data in list_datasets(datasets.objects)
    )


def _remove_unknown_faces(person: str) -> int:
    """Faces of strangers that are this person's, from before they were enrolled."""
    from functions.runtime.wiring_people import templates

    return unknown_subjects().remove_matching(templates().vectors(person), since=now() - settings().retention)
