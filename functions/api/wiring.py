"""Builds the API's adapters, once per container, each when an operation first asks for it."""

from functools import cache
from typing import TYPE_CHECKING, Any

from functions.asking import seal
from functions.settings import settings
from functions.wiring import asked_once, client

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from aws_lambda_powertools import Logger

    from cloud.audit import DynamoAudit
    from cloud.decisions import DynamoDecisions
    from cloud.functions import Functions
    from cloud.history import DynamoHistory
    from cloud.letters import SqsDeadLetters
    from cloud.metrics import CloudWatch
    from cloud.paused import Paused
    from cloud.permits import DynamoPermits
    from cloud.photos import Photos
    from cloud.profiles import Profiles
    from cloud.queue import Queue
    from cloud.records import DynamoRecords
    from cloud.state import States
    from cloud.store import Store
    from cloud.subscriptions import Subscriptions
    from functions.api.cards import Card
    from functions.api.once import Once
    from functions.api.operations import Steering
    from vigil.steady.promises import Objective

TICK = {
    "version": "0",
    "id": "by-hand",
    "account": "",
    "region": "",
    "time": "",
    "source": "vigil.api",
    "detail-type": "Scheduled Event",
    "detail": {},
    "resources": [],
}
"""What a schedule sends, for starting a scheduled function by hand."""


@cache
def audit() -> "DynamoAudit":
    """Where acts are written down."""
    from cloud.audit import DynamoAudit

    return DynamoAudit(client("dynamodb"), settings().audit_table)


@cache
def metrics() -> "CloudWatch":
    """What was counted."""
    from cloud.metrics import CloudWatch

    return CloudWatch(client("cloudwatch"))


@cache
def objectives() -> "tuple[Objective, ...]":
    """What is promised, as it ships beside the models' cards."""
    from vigil.steady.promises import read_objectives

    return read_objectives((settings().cards_dir / "slo.toml").read_text("utf-8"))


@cache
def aside() -> "ThreadPoolExecutor":
    """Who asks AWS meanwhile."""
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(8)


@cache
def permits() -> "DynamoPermits":
    """How often a caller may ask."""
    from cloud.permits import DynamoPermits

    env = settings()
    return DynamoPermits(client("dynamodb"), env.callers_table, per_minute=env.calls_per_minute)


@cache
def once() -> "Once":
    """Writes with a key of their own, once."""
    from functions.api.once import Once

    return Once(settings().callers_table, client("dynamodb"))


@cache
def records() -> "DynamoRecords":
    """Drops, sightings, alerts."""
    from cloud.records import DynamoRecords

    return DynamoRecords(client("dynamodb"), settings().records_table)


@cache
def history() -> "DynamoHistory":
    """The ledger's lines beside a drop's record."""
    from cloud.history import DynamoHistory

    env = settings()
    return DynamoHistory(client("dynamodb"), env.records_table, retention=env.retention)


@cache
def photos() -> "Photos":
    """The bucket that photos are dropped into."""
    from cloud.photos import Photos

    return Photos(signer(), settings().photos_bucket)


def signer() -> Any:
    """An S3 client whose links and forms hold for encrypted buckets, which take version 4 alone."""
    return client("s3", "s3v4")


@cache
def decisions() -> "DynamoDecisions":
    """Reviews of alerts, and what follows from them."""
    from cloud.decisions import DynamoDecisions

    return DynamoDecisions(client("dynamodb"), settings().records_table)


@cache
def store() -> "Store":
    """Vigil's own bucket."""
    from cloud.store import Store

    return Store(client("s3"), settings().store_bucket)


@cache
def cards() -> "dict[str, Card]":
    """The cards of the models that are deployed, by name."""
    from functions.api.cards import read_cards

    return read_cards(settings().cards_dir)


@cache
def profiles() -> "Profiles":
    """People, without their templates."""
    from cloud.profiles import Profiles

    return Profiles(client("dynamodb"), settings().people_table)


@cache
def neighbours() -> "Functions":
    """The other functions, asked once and with patience: whoever called decides about a second time."""
    from cloud.functions import Functions

    return Functions(asked_once("lambda", 28))


@cache
def bulk() -> "Queue":
    """The lane that has time."""
    from cloud.queue import Queue

    return Queue(client("sqs"), settings().lane_url("bulk"))


@cache
def states() -> "States":
    """What balance, reconcile and migrate remember."""
    from cloud.state import States

    return States(client("dynamodb"), settings().records_table)


@cache
def paused() -> "Paused":
    """Lanes that stand still by hand."""
    from cloud.paused import Paused

    return Paused(states())


@cache
def steering(lane: str) -> "Steering":
    """A lane's queues and its mapping."""
    from cloud.mappings import Mapping
    from cloud.queue import Queue
    from functions.api.operations import Steering

    env = settings()
    mapping = Mapping(client("lambda"), function=env.lane_function(lane), queue_arn=env.lane_arn(lane))
    dead = Queue(client("sqs"), env.dead_letters_url(lane))
    return Steering(Queue(client("sqs"), env.lane_url(lane)), dead, mapping)


@cache
def letters(lane: str, hidden_s: int) -> "SqsDeadLetters":
    """A lane's dead letters; one that was looked at is hidden from others for so long."""
    from cloud.letters import SqsDeadLetters

    env = settings()
    dead = SqsDeadLetters(
        client("sqs"),
        dead_url=env.dead_letters_url(lane),
        lane_url=env.lane_url(lane),
        lane=lane,
        bucket=env.photos_bucket,
    )
    dead.hidden_s = hidden_s
    return dead


@cache
def subscriptions() -> "Subscriptions":
    """Who is told over HTTPS."""
    from cloud.subscriptions import Subscriptions

    env = settings()
    return Subscriptions(client("sns"), env.topic_arn, dynamodb=client("dynamodb"), table=env.callers_table)


@cache
def cursor_key() -> bytes:
    """The key of what is handed out and taken back."""
    return seal().derived("cursors")


@cache
def logger() -> "Logger":
    """One line a call, without anything personal."""
    from aws_lambda_powertools import Logger

    return Logger()
