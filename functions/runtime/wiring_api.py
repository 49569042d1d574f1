"""Builds the API's adapters, once per container, each when an operation first asks for it."""

from functools import cache
from typing import TYPE_CHECKING, Any

from functions.runtime.settings import settings
from functions.runtime.wiring_core import client, client_without_retries
from functions.runtime.wiring_direct import kms_mac

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from aws_lambda_powertools import Logger

    from cloud.cloudwatch import CloudWatch
    from cloud.dead_letters import SqsDeadLetters
    from cloud.dynamodb.audit_log import DynamoAuditLog
    from cloud.dynamodb.drops import DynamoDropReader, DynamoDropRecords
    from cloud.dynamodb.people import DynamoProfiles
    from cloud.dynamodb.rate_limit import DynamoRateLimiter
    from cloud.dynamodb.reviews import DynamoReviews
    from cloud.dynamodb.state import DynamoStateStore, PausedLanes
    from cloud.lambda_api import LambdaFunctions
    from cloud.s3.objects import S3Store
    from cloud.s3.presigned import PresignedPhotos
    from cloud.sns import SnsSubscriptions
    from cloud.sqs import SqsQueue
    from functions.api.middleware import IdempotentWrites
    from functions.api.model_cards import DeployedModel
    from functions.api.resources.lanes import LaneControls
    from vigil.reliability.slo import Objective

SCHEDULED_EVENT = {
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
def audit_log() -> "DynamoAuditLog":
    """Where acts are written down."""
    from cloud.dynamodb.audit_log import DynamoAuditLog

    return DynamoAuditLog(client("dynamodb"), settings().audit_table)


@cache
def cloudwatch() -> "CloudWatch":
    """What was counted."""
    from cloud.cloudwatch import CloudWatch

    return CloudWatch(client("cloudwatch"))


@cache
def slo_objectives() -> "tuple[Objective, ...]":
    """What is promised, as it ships beside the models' cards."""
    from vigil.reliability.slo import parse_objectives

    return parse_objectives((settings().cards_dir / "slo.toml").read_text("utf-8"))


@cache
def executor() -> "ThreadPoolExecutor":
    """Who asks AWS meanwhile."""
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(8)


@cache
def rate_limiter() -> "DynamoRateLimiter":
    """How often a caller may ask."""
    from cloud.dynamodb.rate_limit import DynamoRateLimiter

    env = settings()
    return DynamoRateLimiter(client("dynamodb"), env.callers_table, per_minute=env.calls_per_minute)


@cache
def idempotency() -> "IdempotentWrites":
    """Writes with a key of their own, once."""
    from functions.api.middleware import IdempotentWrites

    return IdempotentWrites(settings().callers_table, client("dynamodb"))


@cache
def records() -> "DynamoDropReader":
    """Drops, sightings, alerts."""
    from cloud.dynamodb.drops import DynamoDropReader

    return DynamoDropReader(client("dynamodb"), settings().records_table)


@cache
def history() -> "DynamoDropRecords":
    """The ledger's lines beside a drop's record."""
    from cloud.dynamodb.drops import DynamoDropRecords

    env = settings()
    return DynamoDropRecords(client("dynamodb"), env.records_table, retention=env.retention)


@cache
def photos() -> "PresignedPhotos":
    """The bucket that photos are dropped into."""
    from cloud.s3.presigned import PresignedPhotos

    return PresignedPhotos(presigning_client(), settings().photos_bucket)


def presigning_client() -> Any:
    """An S3 client whose links and forms hold for encrypted buckets, which take version 4 alone."""
    return client("s3", "s3v4")


@cache
def review_store() -> "DynamoReviews":
    """Reviews of alerts, and what follows from them."""
    from cloud.dynamodb.reviews import DynamoReviews

    return DynamoReviews(client("dynamodb"), settings().records_table)


@cache
def store() -> "S3Store":
    """Vigil's own bucket."""
    from cloud.s3.objects import S3Store

    return S3Store(client("s3"), settings().store_bucket)


@cache
def model_cards() -> "dict[str, DeployedModel]":
    """The cards of the models that are deployed, by name."""
    from functions.api.model_cards import read_deployed_models

    return read_deployed_models(settings().cards_dir)


@cache
def profiles() -> "DynamoProfiles":
    """People, without their templates."""
    from cloud.dynamodb.people import DynamoProfiles

    return DynamoProfiles(client("dynamodb"), settings().people_table)


@cache
def functions() -> "LambdaFunctions":
    """The other functions, asked once and with patience: whoever called decides about a second time."""
    from cloud.lambda_api import LambdaFunctions

    return LambdaFunctions(client_without_retries("lambda", 28))


@cache
def bulk_queue() -> "SqsQueue":
    """The lane that has time."""
    from cloud.sqs import SqsQueue

    return SqsQueue(client("sqs"), settings().lane_url("bulk"))


@cache
def state_store() -> "DynamoStateStore":
    """What balance, reconcile and migrate remember."""
    from cloud.dynamodb.state import DynamoStateStore

    return DynamoStateStore(client("dynamodb"), settings().records_table)


@cache
def paused_lanes() -> "PausedLanes":
    """Lanes that stand still by hand."""
    from cloud.dynamodb.state import PausedLanes

    return PausedLanes(state_store())


@cache
def lane_controls(lane: str) -> "LaneControls":
    """A lane's queues and its mapping."""
    from cloud.lambda_api import EventSourceMapping
    from cloud.sqs import SqsQueue
    from functions.api.resources.lanes import LaneControls

    env = settings()
    mapping = EventSourceMapping(
        client("lambda"), function=env.lane_function(lane), queue_arn=env.lane_arn(lane)
    )
    dead_letters = SqsQueue(client("sqs"), env.dead_letters_url(lane))
    return LaneControls(SqsQueue(client("sqs"), env.lane_url(lane)), dead_letters, mapping)


@cache
def dead_letters(lane: str, hidden_s: int) -> "SqsDeadLetters":
    """A lane's dead letters; one that was looked at is hidden from others for so long."""
    from cloud.dead_letters import SqsDeadLetters

    env = settings()
    queue = SqsDeadLetters(
        client("sqs"),
        dead_letter_url=env.dead_letters_url(lane),
        lane_queue_url=env.lane_url(lane),
        lane=lane,
        bucket=env.photos_bucket,
    )
    queue.visibility_timeout_s = hidden_s
    return queue


@cache
def subscriptions() -> "SnsSubscriptions":
    """Who is told over HTTPS."""
    from cloud.sns import SnsSubscriptions

    env = settings()
    return SnsSubscriptions(
        client("sns"), env.topic_arn, dynamodb=client("dynamodb"), table=env.callers_table
    )


@cache
def signing_key() -> bytes:
    """The key of what is handed out and taken back."""
    return kms_mac().derive_key("cursors")


@cache
def logger() -> "Logger":
    """One line a call, without anything personal."""
    from aws_lambda_powertools import Logger

    return Logger()
