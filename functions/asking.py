"""Builds what authorizer, predict, thumbnail and erase use: once per container, each loads only its own."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from functions.settings import settings
from functions.wiring import client, now, shelf

FOUND_S = 2.5
"""Seconds within which a row that was kept is in the index, where erasing looks for it."""

if TYPE_CHECKING:
    from cloud.objects import S3Objects
    from cloud.sealing import KmsSeal
    from cloud.strangers import DynamoStrangers
    from cloud.tokens import Tokens
    from vigil.flow.casting import ActiveModels
    from vigil.flow.erase import Shredder
    from vigil.predict.card import Accepts
    from vigil.seeing import Box


@dataclass(frozen=True, slots=True)
class Viewer:
    """What an answer at once needs."""

    bucket: str
    models: "ActiveModels"
    objects: "S3Objects"


@cache
def viewer() -> "Viewer":
    """Models and objects for an answer at once, against the gallery as it is this moment."""
    from cloud.objects import S3Objects
    from functions.casting import casting
    from vigil.flow.casting import ActiveModels

    bundled = shelf(0.0)
    models = ActiveModels(casting(bundled), bundled)
    return Viewer(settings().photos_bucket, models, S3Objects(client("s3")))


@dataclass(frozen=True, slots=True)
class Darkroom:
    """Photos, and how those of a model are unpacked."""

    objects: "S3Objects"
    accepts: "Callable[[str], Accepts]"
    thumbnail: "Callable[[bytes, Accepts, Box | None], bytes]"


@cache
def darkroom() -> Darkroom:
    """What thumbnails are made with: no model is opened, its card says enough."""
    from cloud.objects import S3Objects
    from vigil.predict.card import Accepts
    from vigil.predict.release import CARD
    from vigil.predict.table import read
    from vigil.predict.thumbnail import thumbnail

    cards = settings().cards_dir
    accepts = cache(lambda model: Accepts.read(read(cards / model / CARD)))
    return Darkroom(S3Objects(client("s3")), accepts, thumbnail)


@cache
def shredder() -> "Shredder[Any]":
    """All that erasing a person reaches."""
    from cloud.store import Store
    from cloud.traces import DynamoTraces
    from functions.enrolling import galleries, people
    from vigil.flow.erase import Shredder

    env = settings()
    store = Store(client("s3"), env.store_bucket)
    return Shredder(
        rows=people(),
        traces=DynamoTraces(client("dynamodb"), env.records_table, env.callers_table),
        gallery=galleries,
        holds=lambda book, person: book.holds(person),
        without=lambda book, person: book.changed(lambda one: one.without_person(person)),
        unlearn=_unlearn,
        unremember=_unremember,
        settle=partial(time.sleep, FOUND_S),
        discard=store.discard_photos,
        snapshots=store.keep_only,
        shred=store.erase,
        clock=now,
    )


@cache
def strangers() -> "DynamoStrangers":
    """Faces of strangers that sources remember."""
    from cloud.strangers import DynamoStrangers

    return DynamoStrangers(client("dynamodb"), settings().records_table)


@cache
def seal() -> "KmsSeal":
    """The deployment's seal."""
    from cloud.sealing import KmsSeal

    return KmsSeal(client("kms"), settings().seal_key)


@cache
def registry() -> "Callable[[], bool]":
    """Keeps a checkpoint of the audit log; whether there was anything new in it."""
    from cloud.audit import DynamoAudit
    from cloud.checkpoints import Checkpoints
    from vigil.access.audit import Checkpoint

    env = settings()
    log = DynamoAudit(client("dynamodb"), env.audit_table)
    kept = Checkpoints(client("s3"), env.store_bucket, seal())
    return lambda: kept.put(Checkpoint(now(), log.heads()))


@cache
def tokens() -> "Tokens":
    """Whose tokens are good."""
    from cloud.tokens import Tokens

    env = settings()
    return Tokens(
        issuer=env.token_issuer,
        audience=env.token_audience,
        jwks_url=env.jwks_url,
        role_claim=env.role_claim,
        sources_claim=env.sources_claim,
    )


def _unlearn(person: str) -> int:
    """A person's items, out of every stored data set."""
    from functions.learning import stock
    from vigil.flow.prune import prune, stored

    held = stock()
    return sum(
        prune(model, data, lambda entry: person in entry.people, held, now=now())
        for model, data in stored(held.library)
    )


def _unremember(person: str) -> int:
    """Faces of strangers that are this person's, from before they were enrolled."""
    from functions.enrolling import templates

    return strangers().forget_alike(templates().vectors(person), since=now() - settings().retention)
