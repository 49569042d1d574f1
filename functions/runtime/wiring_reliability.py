"""Builds what triage, reconcile, balance and canary use: once per container, as wiring does."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger

from cloud.canary_probe import CanaryProbe
from cloud.cloudwatch import CloudWatch, EmfMetrics
from cloud.dead_letters import SqsDeadLetters, SqsUnpublishedQueue
from cloud.dynamodb.counters import DynamoLaneCounts
from cloud.dynamodb.drops import DynamoDropReader, DynamoDropRecords
from cloud.dynamodb.ledger import DynamoLedger
from cloud.dynamodb.maintenance_state import DynamoFaultCases, DynamoReannouncements, load_controller_state
from cloud.dynamodb.state import DynamoStateStore
from cloud.lambda_api import EventSourceMapping as EventMapping
from cloud.s3.listing import BucketListing, InventoryListing
from cloud.sns import SnsOperators
from cloud.sqs import SqsQueue
from functions.runtime.settings import settings
from functions.runtime.wiring_core import client
from vigil.inference.card import load_toml as read_card
from vigil.reliability.capacity import CapacityLimits
from vigil.reliability.circuit_breaker import BreakerPolicy
from vigil.reliability.controller import (
    LANES,
    ControllerPolicy,
    ControllerState,
    initial_state,
    is_healthy,
)
from vigil.reliability.degradation import DegradationPolicy, default_steps
from vigil.reliability.reconcile import ObjectListing, ReconcilePolicy, ReconcilePorts
from vigil.reliability.time_scale import scale_durations
from vigil.reliability.triage import TriagePolicy, TriagePorts

SHUTDOWN_MARGIN_S = 5.0
"""A run begins nothing new so shortly before the runtime would end it."""


INVENTORY_MAX_AGE = {"Daily": timedelta(days=3), "Weekly": timedelta(days=15)}
"""How old an inventory may be; S3 needs up to two days for the first."""


@dataclass(frozen=True, slots=True)
class ControllerPorts:
    """What the balance function reads and moves, by lane."""

    queues: Mapping[str, SqsQueue]
    mappings: Mapping[str, EventMapping]
    functions: Mapping[str, str]
    lane_counts: DynamoLaneCounts
    states: DynamoStateStore
    cloudwatch: CloudWatch
    namespace: str
    rules: ControllerPolicy


@cache
def logger() -> Logger:
    return Logger()


@cache
def emf_metrics() -> EmfMetrics:
    env = settings()
    return EmfMetrics(namespace=env.metrics_namespace, service=env.service)


@cache
def state_store() -> DynamoStateStore:
    return DynamoStateStore(client("dynamodb"), settings().records_table)


@cache
def triage_ports() -> TriagePorts:
    """Triage, over both lanes' dead letters."""
    env = settings()
    history = DynamoDropRecords(client("dynamodb"), env.records_table, retention=env.retention)
    dead_letters = {
        lane: SqsDeadLetters(
            client("sqs"),
            dead_letter_url=env.dead_letters_url(lane),
            lane_queue_url=env.lane_url(lane),
            lane=lane,
            bucket=env.photos_bucket,
            visibility_timeout=1.5 * env.minute,
        )
        for lane in LANES
    }
    return TriagePorts(
        queues=dead_letters,
        records=history,
        notes=history,
        cases=DynamoFaultCases(state_store()),
        ledger=DynamoLedger(client("dynamodb"), env.records_table, lane="bulk", retention=env.retention),
        notifier=SnsOperators(client("sns"), env.ops_topic_arn),
        is_healthy=lambda dependency: is_healthy(
            load_controller_state(state_store(), _initial_controller_state), dependency
        ),
        clock=now,
        policy=scale_durations(TriagePolicy(), env.minute),
    )


@cache
def unpublished_intervals() -> SqsUnpublishedQueue:
    """What the publishing function gave up on."""
    env = settings()
    return SqsUnpublishedQueue(
        client("sqs"),
        env.publish_dead_letters_url,
        dynamodb=client("dynamodb"),
        table=env.records_table,
    )


@cache
def lane_ledger(lane: str) -> DynamoLedger:
    """The ledger, for drops that are settled by hand."""
    env = settings()
    return DynamoLedger(client("dynamodb"), env.records_table, lane=lane, retention=env.retention)


@cache
def bucket_listing() -> ObjectListing:
    """The photos bucket as it is this moment."""
    return BucketListing(client("s3"), settings().photos_bucket)


@cache
def inventory_listing() -> ObjectListing:
    """The same by its inventory, where S3 takes one."""
    env = settings()
    if not env.inventory:
        return bucket_listing()
    return InventoryListing(
        client("s3"),
        env.store_bucket,
        bucket=env.photos_bucket,
        max_age=INVENTORY_MAX_AGE[env.inventory],
        clock=now,
        fallback=bucket_listing(),
    )


def reconcile_ports(context: Any, listing: ObjectListing) -> ReconcilePorts:
    """Reconcile, for as long as this invocation may last."""
    env = settings()
    return ReconcilePorts(
        objects=listing,
        records=DynamoDropRecords(client("dynamodb"), env.records_table, retention=env.retention),
        bulk_queue=SqsQueue(client("sqs"), env.lane_url("bulk")),
        reannouncements=DynamoReannouncements(client("dynamodb"), env.records_table),
        clock=now,
        has_time=has_time_left(context),
        policy=scale_durations(ReconcilePolicy(retention=env.retention), env.minute, unscaled=("remembers",)),
    )


@cache
def deployed_models() -> tuple[str, ...]:
    """Every model that is deployed, by what the cards say: parts of others are not asked by themselves."""
    cards = sorted(settings().cards_dir.glob("*/card.toml"))
    return tuple(card.parent.name for card in cards if "accepts.suffixes" in read_card(card))


@cache
def controller_ports() -> ControllerPorts:
    """Balance, over both lanes."""
    env = settings()
    functions = {lane: env.lane_function(lane) for lane in LANES}
    return ControllerPorts(
        queues={lane: SqsQueue(client("sqs"), env.lane_url(lane)) for lane in LANES},
        mappings={
            lane: EventMapping(client("lambda"), function=functions[lane], queue_arn=env.lane_arn(lane))
            for lane in LANES
        },
        functions=functions,
        lane_counts=DynamoLaneCounts(client("dynamodb"), env.records_table),
        states=state_store(),
        cloudwatch=CloudWatch(client("cloudwatch")),
        namespace=env.metrics_namespace,
        rules=ControllerPolicy(
            capacity_limits(),
            max_degradation_level=len(default_steps()),
            breaker=scale_durations(BreakerPolicy(), env.minute, unscaled=("window",)),
            degradation=scale_durations(DegradationPolicy(), env.minute),
        ),
    )


@cache
def canary_probe() -> CanaryProbe:
    env = settings()
    records = DynamoDropReader(client("dynamodb"), env.records_table)
    return CanaryProbe(client("s3"), env.photos_bucket, records=records, states=state_store())


def capacity_limits() -> CapacityLimits:
    env = settings()
    return CapacityLimits(
        total=env.workers, live_min=env.min_live_workers, age_target_s=env.age_target.total_seconds()
    )


def has_time_left(context: Any) -> Callable[[], bool]:
    """Whether this invocation may begin something new."""
    return lambda: context.get_remaining_time_in_millis() > SHUTDOWN_MARGIN_S * 1000


def now() -> datetime:
    return datetime.now(UTC)


def _initial_controller_state() -> ControllerState:
    return initial_state(capacity_limits(), now())
