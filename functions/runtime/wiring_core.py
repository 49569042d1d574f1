"""Builds every adapter, once per container, for the function that asks; each loads only what it uses."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from threading import Thread
from typing import TYPE_CHECKING, Any

from functions.runtime.settings import settings

if TYPE_CHECKING:
    from cloud.client import Deadline
    from cloud.sns import SnsTopic
    from functions.runtime.sqs_batch import LaneRuntime
    from functions.runtime.telemetry import LaneTelemetry
    from vigil.drops.ports import ActiveDegradation
    from vigil.faces.gallery import Gallery
    from vigil.inference.repository import BundledModels

GALLERY_REFRESH_S = 2.0
"""Seconds within which a warm function notices a new gallery or watch file."""

GALLERY_STALE_S = 5 * GALLERY_REFRESH_S
"""Seconds after which it should have noticed, were some looks in vain: what gallery-freshness promises."""

DEGRADATION_REFRESH_S = 5.0
"""Seconds within which a warm lane notices that something is given up, or given back."""


@dataclass(frozen=True, slots=True)
class OutboundEvents:
    """Where facts are told."""

    topic: "SnsTopic"
    origin: str


def warm_up(build: Callable[[], object]) -> None:
    """Build while the container starts, instead of at the first event; where there is none, do nothing."""
    if settings().on_lambda:
        build()


@cache
def lane_runtime() -> "LaneRuntime":
    """The lane that this function works; its models open in the background meanwhile."""
    bundled = bundled_models(GALLERY_REFRESH_S)
    for name in settings().preload:
        Thread(target=bundled.get, args=(name,), daemon=True).start()
    from aws_lambda_powertools import Logger

    from cloud.dynamodb.ledger import DynamoLedger
    from cloud.s3.objects import CachedRules, S3InputReader
    from cloud.sqs import SqsQueue
    from functions.runtime.sqs_batch import LaneRuntime
    from functions.runtime.wiring_rollout import drift_telemetry, release_telemetry, rollout_router
    from vigil.drops.process import ProcessingPorts

    env = settings()
    ledger = DynamoLedger(client("dynamodb"), env.records_table, lane=env.lane, retention=env.retention)
    watch = CachedRules(client("s3"), env.store_bucket, max_age_s=GALLERY_REFRESH_S)
    health_buffer, drift_buffer, degradation = (
        release_telemetry(),
        drift_telemetry(),
        _degradation_source(env.lane),
    )
    router = rollout_router(bundled, health_buffer.record_health)
    ports = ProcessingPorts(
        ledger,
        S3InputReader(client("s3")),
        bundled,
        watch,
        now,
        degradation,
        router,
        drift_buffer.record_prediction,
    )
    queue = SqsQueue(client("sqs"), env.queue_url)
    telemetry = (_lane_telemetry(env.lane), health_buffer, drift_buffer)
    return LaneRuntime(ports, queue, env.photos_bucket, env.lease, Logger(), *telemetry, deadline())


@cache
def _lane_telemetry(lane: str) -> "LaneTelemetry":
    """This container's share of the lane's metrics and tally."""
    from cloud.cloudwatch import EmfMetrics
    from cloud.dynamodb.counters import DynamoLaneCounts
    from functions.runtime.telemetry import LaneTelemetry

    env = settings()
    tallies = DynamoLaneCounts(client("dynamodb"), env.records_table)
    gauges = EmfMetrics(namespace=env.metrics_namespace, service=env.service)
    return LaneTelemetry(gauges, partial(tallies.add, lane), env.age_target, env.memory_mb, GALLERY_STALE_S)


def _degradation_source(lane: str) -> "ActiveDegradation":
    """Only live is ever eased: bulk has time."""
    from cloud.dynamodb.state import CachedDegradation, DynamoStateStore
    from vigil.drops.ports import no_degradation
    from vigil.reliability.degradation import default_steps

    if lane != "live":
        return no_degradation
    states = DynamoStateStore(client("dynamodb"), settings().records_table)
    return CachedDegradation(states, default_steps(), max_age_s=DEGRADATION_REFRESH_S)


@cache
def outbound_events() -> OutboundEvents:
    """The topic that outcomes are told on."""
    from cloud.sns import SnsTopic

    env = settings()
    return OutboundEvents(SnsTopic(client("sns"), env.topic_arn), env.event_source)


@cache
def bundled_models(fresh_s: float) -> "BundledModels":
    """The bundled models; the kinds of model that there are."""
    from vigil.faces.recognizer import open_face_recognizer
    from vigil.inference.classifier import open_classifier
    from vigil.inference.repository import BundledModels

    faces = partial(open_face_recognizer, lambda embed: gallery_source(embed, fresh_s)())
    return BundledModels(settings().models_dir, {"faces": faces, "classifier": open_classifier})


@cache
def gallery_source(embed: str, fresh_s: float) -> "Callable[[], Gallery]":
    """The gallery in force; an empty one of that embedding where nobody was ever enrolled."""
    from cloud.dynamodb.gallery import CachedGallery
    from cloud.s3.objects import S3Store
    from vigil.faces import gallery as snapshot
    from vigil.faces.gallery import Gallery

    env = settings()
    store = S3Store(client("s3"), env.store_bucket)
    return CachedGallery(
        client("dynamodb"),
        env.people_table,
        space=embed,
        load=lambda key: snapshot.deserialize_gallery(store.get(key)),
        empty=Gallery(embed),
        max_age_s=fresh_s,
        on_use=_lane_telemetry(env.lane).record_gallery_age if fresh_s else None,
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
    return deadline().attach(_session().create_client(service, config=config))


@cache
def client_without_retries(service: str, read_timeout_s: int) -> Any:
    """A client for what may take its time and is never asked twice: whoever called decides about that."""
    from botocore.config import Config

    config = Config(connect_timeout=2, read_timeout=read_timeout_s, retries={"total_max_attempts": 1})
    return deadline().attach(_session().create_client(service, config=config))


@cache
def deadline() -> "Deadline":
    """One for all clients of this container; each invocation begins it anew."""
    from cloud.client import Deadline

    return Deadline()


@cache
def _session() -> Any:
    from botocore.session import Session

    return Session()


def now() -> datetime:
    return datetime.now(UTC)
