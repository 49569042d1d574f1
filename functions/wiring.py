"""Builds every adapter, once per container, for the function that asks; each loads only what it uses."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from threading import Thread
from typing import TYPE_CHECKING, Any

from functions.settings import settings

if TYPE_CHECKING:
    from cloud.deadline import Deadline
    from cloud.topic import Topic
    from functions.counting import Counting
    from functions.lane import Lane
    from vigil.faces.gallery import Gallery
    from vigil.ports import Reliefs
    from vigil.predict.shelf import Shelf

FRESH_S = 2.0
"""Seconds within which a warm function notices a new gallery or watch file."""

STALE_S = 5 * FRESH_S
"""Seconds after which it should have noticed, were some looks in vain: what gallery-freshness promises."""

RELIEF_FRESH_S = 5.0
"""Seconds within which a warm lane notices that something is given up, or given back."""


@dataclass(frozen=True, slots=True)
class Outbox:
    """Where facts are told."""

    topic: "Topic"
    origin: str


def ahead(build: Callable[[], object]) -> None:
    """Build while the container starts, instead of at the first event; where there is none, do nothing."""
    if settings().on_lambda:
        build()


@cache
def lane() -> "Lane":
    """The lane that this function works; its models open in the background meanwhile."""
    models = shelf(FRESH_S)
    for name in settings().preload:
        Thread(target=models.get, args=(name,), daemon=True).start()
    from aws_lambda_powertools import Logger

    from cloud.ledger import DynamoLedger
    from cloud.objects import S3Objects
    from cloud.queue import Queue
    from cloud.store import WatchInForce
    from functions.casting import casting, noticing, vitals
    from functions.lane import Lane
    from vigil.flow.process import World

    env = settings()
    ledger = DynamoLedger(client("dynamodb"), env.records_table, lane=env.lane, retention=env.retention)
    watch = WatchInForce(client("s3"), env.store_bucket, fresh_s=FRESH_S)
    pulse, sketches, relief = vitals(), noticing(), _relief(env.lane)
    cast = casting(models, pulse.watch)
    world = World(ledger, S3Objects(client("s3")), models, watch, now, relief, cast, sketches.notice)
    queue = Queue(client("sqs"), env.queue_url)
    counts = (_counting(env.lane), pulse, sketches)
    return Lane(world, queue, env.photos_bucket, env.lease, Logger(), *counts, deadline())


@cache
def _counting(lane: str) -> "Counting":
    """This container's share of the lane's metrics and tally."""
    from cloud.metrics import Gauges
    from cloud.tallies import DynamoTallies
    from functions.counting import Counting

    env = settings()
    tallies = DynamoTallies(client("dynamodb"), env.records_table)
    gauges = Gauges(namespace=env.metrics_namespace, service=env.service)
    return Counting(gauges, partial(tallies.add, lane), env.age_target, env.memory_mb, STALE_S)


def _relief(lane: str) -> "Reliefs":
    """Only live is ever eased: bulk has time."""
    from cloud.relief import ReliefInForce
    from cloud.state import States
    from vigil.ports import no_relief
    from vigil.steady.degrade import default_steps

    if lane != "live":
        return no_relief
    states = States(client("dynamodb"), settings().records_table)
    return ReliefInForce(states, default_steps(), fresh_s=RELIEF_FRESH_S)


@cache
def outbox() -> Outbox:
    """The topic that outcomes are told on."""
    from cloud.topic import Topic

    env = settings()
    return Outbox(Topic(client("sns"), env.topic_arn), env.origin)


@cache
def shelf(fresh_s: float) -> "Shelf":
    """The bundled models; the kinds of model that there are."""
    from vigil.faces.pipeline import open_faces
    from vigil.predict.classifier import open_classifier
    from vigil.predict.shelf import Shelf

    faces = partial(open_faces, lambda embed: gallery(embed, fresh_s)())
    return Shelf(settings().models_dir, {"faces": faces, "classifier": open_classifier})


@cache
def gallery(embed: str, fresh_s: float) -> "Callable[[], Gallery]":
    """The gallery in force; an empty one of that embedding where nobody was ever enrolled."""
    from cloud.galleries import GalleryInForce
    from cloud.store import Store
    from vigil.faces import snapshot
    from vigil.faces.gallery import Gallery

    env = settings()
    store = Store(client("s3"), env.store_bucket)
    return GalleryInForce(
        client("dynamodb"),
        env.people_table,
        space=embed,
        load=lambda key: snapshot.from_bytes(store.get(key)),
        empty=Gallery(embed),
        fresh_s=fresh_s,
        used=_counting(env.lane).compared if fresh_s else None,
    )


@cache
def client(service: str, signature: str | None = None) -> Any:
    """A client, with patience that fits inside an invocation.

    Straight from botocore: boto3 loads s3transfer and multiprocessing besides, a tenth of a cold start.
    """
    from botocore.config import Config

    config = Config(
        connect_timeout=2,
        read_timeout=5,
        retries={"mode": "standard", "total_max_attempts": 4},  # adaptive by what watches it
        tcp_keepalive=True,
        signature_version=signature,
    )
    return deadline().watch(_session().create_client(service, config=config))


@cache
def asked_once(service: str, read_timeout_s: int) -> Any:
    """A client for what may take its time and is never asked twice: whoever called decides about that."""
    from botocore.config import Config

    config = Config(connect_timeout=2, read_timeout=read_timeout_s, retries={"total_max_attempts": 1})
    return deadline().watch(_session().create_client(service, config=config))


@cache
def deadline() -> "Deadline":
    """One for all clients of this container; each invocation begins it anew."""
    from cloud.deadline import Deadline

    return Deadline()


@cache
def _session() -> Any:
    from botocore.session import Session

    return Session()


def now() -> datetime:
    return datetime.now(UTC)
