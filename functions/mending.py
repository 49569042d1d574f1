"""Builds what triage, reconcile, balance and canary use: once per container, as wiring does."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger

from cloud.announced import DynamoAnnouncements
from cloud.bucket import Bucket
from cloud.gaps import SqsGaps
from cloud.history import DynamoHistory
from cloud.inventory import Inventory
from cloud.ledger import DynamoLedger
from cloud.letters import SqsDeadLetters
from cloud.mappings import Mapping as EventMapping
from cloud.metrics import CloudWatch, Gauges
from cloud.nest import Nest
from cloud.operators import SnsOperators
from cloud.queue import Queue
from cloud.records import DynamoRecords
from cloud.state import States
from cloud.states import KeptCases, load_steady
from cloud.tallies import DynamoTallies
from functions.settings import settings
from functions.wiring import client
from vigil.flow.reconcile import Aisles, Shelves
from vigil.flow.triage import Ward
from vigil.predict.table import read as read_card
from vigil.steady.balance import Bounds
from vigil.steady.breaker import Fuse
from vigil.steady.degrade import Tempo, default_steps
from vigil.steady.haste import hastened
from vigil.steady.minute import LANES, Rules, Steady, begin, healthy
from vigil.steady.reconcile import Patience
from vigil.steady.triage import Pace

MARGIN_S = 5.0
"""A run begins nothing new so shortly before the runtime would end it."""


FRESH = {"Daily": timedelta(days=3), "Weekly": timedelta(days=15)}
"""How old an inventory may be; S3 needs up to two days for the first."""


@dataclass(frozen=True, slots=True)
class Helm:
    """What the balance function reads and moves, by lane."""

    queues: Mapping[str, Queue]
    mappings: Mapping[str, EventMapping]
    functions: Mapping[str, str]
    tallies: DynamoTallies
    states: States
    cloudwatch: CloudWatch
    namespace: str
    rules: Rules


@cache
def logger() -> Logger:
    return Logger()


@cache
def gauges() -> Gauges:
    env = settings()
    return Gauges(namespace=env.metrics_namespace, service=env.service)


@cache
def states() -> States:
    return States(client("dynamodb"), settings().records_table)


@cache
def ward() -> Ward:
    """Triage, over both lanes' dead letters."""
    env = settings()
    history = DynamoHistory(client("dynamodb"), env.records_table, retention=env.retention)
    letters = {
        lane: SqsDeadLetters(
            client("sqs"),
            dead_url=env.dead_letters_url(lane),
            lane_url=env.lane_url(lane),
            lane=lane,
            bucket=env.photos_bucket,
            hidden=1.5 * env.minute,
        )
        for lane in LANES
    }
    return Ward(
        letters=letters,
        records=history,
        diary=history,
        cases=KeptCases(states()),
        ledger=DynamoLedger(client("dynamodb"), env.records_table, lane="bulk", retention=env.retention),
        operators=SnsOperators(client("sns"), env.ops_topic_arn),
        healthy=lambda dependency: healthy(load_steady(states(), _begin), dependency),
        clock=now,
        pace=hastened(Pace(), env.minute),
    )


@cache
def gaps() -> SqsGaps:
    """What the publishing function gave up on."""
    env = settings()
    return SqsGaps(
        client("sqs"),
        env.publish_dead_letters_url,
        dynamodb=client("dynamodb"),
        table=env.records_table,
    )


@cache
def history_ledger(lane: str) -> DynamoLedger:
    """The ledger, for drops that are settled by hand."""
    env = settings()
    return DynamoLedger(client("dynamodb"), env.records_table, lane=lane, retention=env.retention)


@cache
def shelves() -> Shelves:
    """The photos bucket as it is this moment."""
    return Bucket(client("s3"), settings().photos_bucket)


@cache
def inventory() -> Shelves:
    """The same by its inventory, where S3 takes one."""
    env = settings()
    if not env.inventory:
        return shelves()
    return Inventory(
        client("s3"),
        env.store_bucket,
        bucket=env.photos_bucket,
        fresh=FRESH[env.inventory],
        clock=now,
        otherwise=shelves(),
    )


def aisles(context: Any, shelves: Shelves) -> Aisles:
    """Reconcile, for as long as this invocation may last."""
    env = settings()
    return Aisles(
        shelves=shelves,
        records=DynamoHistory(client("dynamodb"), env.records_table, retention=env.retention),
        bulk=Queue(client("sqs"), env.lane_url("bulk")),
        announcements=DynamoAnnouncements(client("dynamodb"), env.records_table),
        clock=now,
        in_time=in_time(context),
        patience=hastened(Patience(remembers=env.retention), env.minute, but=("remembers",)),
    )


@cache
def models_told() -> tuple[str, ...]:
    """Every model that is deployed, by what the cards say: parts of others are not asked by themselves."""
    cards = sorted(settings().cards_dir.glob("*/card.toml"))
    return tuple(card.parent.name for card in cards if "accepts.suffixes" in read_card(card))


@cache
def helm() -> Helm:
    """Balance, over both lanes."""
    env = settings()
    functions = {lane: env.lane_function(lane) for lane in LANES}
    return Helm(
        queues={lane: Queue(client("sqs"), env.lane_url(lane)) for lane in LANES},
        mappings={
            lane: EventMapping(client("lambda"), function=functions[lane], queue_arn=env.lane_arn(lane))
            for lane in LANES
        },
        functions=functions,
        tallies=DynamoTallies(client("dynamodb"), env.records_table),
        states=states(),
        cloudwatch=CloudWatch(client("cloudwatch")),
        namespace=env.metrics_namespace,
        rules=Rules(
            bounds(),
            steps=len(default_steps()),
            fuse=hastened(Fuse(), env.minute, but=("window",)),
            tempo=hastened(Tempo(), env.minute),
        ),
    )


@cache
def nest() -> Nest:
    env = settings()
    records = DynamoRecords(client("dynamodb"), env.records_table)
    return Nest(client("s3"), env.photos_bucket, records=records, states=states())


def bounds() -> Bounds:
    env = settings()
    return Bounds(
        total=env.workers, live_least=env.live_workers_least, age_target_s=env.age_target.total_seconds()
    )


def in_time(context: Any) -> Callable[[], bool]:
    """Whether this invocation may begin something new."""
    return lambda: context.get_remaining_time_in_millis() > MARGIN_S * 1000


def now() -> datetime:
    return datetime.now(UTC)


def _begin() -> Steady:
    return begin(bounds(), now())
