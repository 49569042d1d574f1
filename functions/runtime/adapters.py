"""The AWS adapters of one Lambda container: each is built, and its module imported, at its first use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from functions.runtime.settings import Settings

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from aws_lambda_powertools import Logger
    from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer

    from cloud.client import AwsClients, Deadline
    from cloud.cloudwatch import CloudWatch, EmfMetrics
    from cloud.dynamodb.audit_log import DynamoAuditLog
    from cloud.dynamodb.counters import (
        DynamoComparisons,
        DynamoLaneCounts,
        DynamoReleaseHealth,
    )
    from cloud.dynamodb.drops import DynamoDropReader, DynamoDropRecords
    from cloud.dynamodb.ledger import DynamoLedger
    from cloud.dynamodb.maintenance_state import CanaryProbe, DynamoTaskRuns
    from cloud.dynamodb.people import DynamoTemplates
    from cloud.dynamodb.profiles import DynamoProfiles
    from cloud.dynamodb.rate_limit import DynamoRateLimiter
    from cloud.dynamodb.releases import DynamoReleases, DynamoTrainingJobs
    from cloud.dynamodb.reviews import DynamoLabels, DynamoReviews
    from cloud.dynamodb.sketches import DynamoSketches
    from cloud.dynamodb.state import DynamoStateStore, PausedLanes
    from cloud.dynamodb.stream import SqsUnpublishedQueue
    from cloud.dynamodb.training_drops import DynamoTrainingDrops
    from cloud.dynamodb.training_state import DynamoTrainingState
    from cloud.dynamodb.unknown_subjects import DynamoUnknownFaces
    from cloud.jwt_tokens import JwtVerifier
    from cloud.kms import KmsMac
    from cloud.lambda_api import EventSourceMapping, LambdaFunctions
    from cloud.s3.audit_checkpoints import S3AuditCheckpoints
    from cloud.s3.objects import (
        CachedRules,
        PresignedPhotos,
        S3InputReader,
        S3ObjectStore,
        S3ReleaseStore,
        S3Store,
    )
    from cloud.sagemaker import SageMakerTrainer
    from cloud.sns import SnsOperators, SnsSubscriptions, SnsTopic
    from cloud.sqs import SqsQueue
    from cloud.sqs_dead_letters import SqsDeadLetters
    from vigil.reliability.reconcile import ObjectListing

INVENTORY_MAX_AGE = {"Daily": timedelta(days=3), "Weekly": timedelta(days=15)}
"""The age up to which an S3 inventory is used; S3 takes up to two days to deliver the first."""


def utc_now() -> datetime:
    return datetime.now(UTC)


class Adapters:
    """One adapter for each thing that functions use of AWS, by the function's settings."""

    def __init__(self, settings: Settings, *, clock: Callable[[], datetime] = utc_now) -> None:
        self.settings, self.clock = settings, clock

    @cached_property
    def logger(self) -> Logger:
        from aws_lambda_powertools import Logger

        return Logger()

    @cached_property
    def executor(self) -> ThreadPoolExecutor:
        """Threads for calls to AWS that run at the same time."""
        from concurrent.futures import ThreadPoolExecutor

        return ThreadPoolExecutor(8)

    @cached_property
    def deadline(self) -> Deadline:
        """The end of the present invocation, which all clients respect."""
        from cloud.client import Deadline

        return Deadline()

    @cached_property
    def clients(self) -> AwsClients:
        from cloud.client import AwsClients

        return AwsClients(self.deadline)

    @property
    def dynamodb(self) -> Any:
        return self.clients.get("dynamodb")

    @property
    def s3(self) -> Any:
        return self.clients.get("s3")

    # Drops

    def ledger(self, lane: str) -> DynamoLedger:
        from cloud.dynamodb.ledger import DynamoLedger

        tables = (self.settings.records_table, self.settings.faces_table)
        return DynamoLedger(self.dynamodb, *tables, lane=lane, retention=self.settings.retention)

    @cached_property
    def drop_reader(self) -> DynamoDropReader:
        """Drops, sightings and alerts."""
        from cloud.dynamodb.drops import DynamoDropReader

        return DynamoDropReader(self.dynamodb, self.settings.records_table)

    @cached_property
    def drop_records(self) -> DynamoDropRecords:
        """Ledger records and the notes beside them."""
        from cloud.dynamodb.drops import DynamoDropRecords

        env = self.settings
        return DynamoDropRecords(self.dynamodb, env.records_table, retention=env.retention)

    @cached_property
    def input_reader(self) -> S3InputReader:
        from cloud.s3.objects import S3InputReader

        return S3InputReader(self.s3)

    @cached_property
    def presigned_photos(self) -> PresignedPhotos:
        """The bucket for photos; links and forms to an encrypted bucket must be signed by version 4."""
        from cloud.s3.objects import PresignedPhotos

        return PresignedPhotos(self.clients.get("s3", "s3v4"), self.settings.photos_bucket)

    @cached_property
    def unknown_faces(self) -> DynamoUnknownFaces:
        """The stored faces of people who are not enrolled."""
        from cloud.dynamodb.unknown_subjects import DynamoUnknownFaces

        return DynamoUnknownFaces(self.dynamodb, self.settings.faces_table)

    @cached_property
    def reviews(self) -> DynamoReviews:
        from cloud.dynamodb.reviews import DynamoReviews

        return DynamoReviews(self.dynamodb, self.settings.records_table)

    @cached_property
    def topic(self) -> SnsTopic:
        """The topic of outbound events."""
        from cloud.sns import SnsTopic

        return SnsTopic(self.clients.get("sns"), self.settings.topic_arn)

    @cached_property
    def subscriptions(self) -> SnsSubscriptions:
        from cloud.sns import SnsSubscriptions

        env = self.settings
        return SnsSubscriptions(
            self.clients.get("sns"), env.topic_arn, env.dead_events_arn, self.dynamodb, env.callers_table
        )

    # Lanes and their reliability

    def lane_queue(self, lane: str) -> SqsQueue:
        return self._queue(self.settings.lane_url(lane))

    def dead_letter_queue(self, function: str) -> SqsQueue:
        """Of a lane; that of `publish` has batches of events that were not published."""
        return self._queue(self.settings.dead_letters_url(function))

    def _queue(self, url: str) -> SqsQueue:
        from cloud.sqs import SqsQueue

        return SqsQueue(self.clients.get("sqs"), url)

    def dead_letters(self, lane: str, visibility_timeout: timedelta) -> SqsDeadLetters:
        from cloud.sqs_dead_letters import SqsDeadLetters

        return SqsDeadLetters(
            self.clients.get("sqs"),
            dead_letter_url=self.settings.dead_letters_url(lane),
            lane_queue_url=self.settings.lane_url(lane),
            lane=lane,
            bucket=self.settings.photos_bucket,
            visibility_timeout=visibility_timeout,
        )

    @cached_property
    def unpublished_queue(self) -> SqsUnpublishedQueue:
        """Stream records that the publish function could not publish."""
        from cloud.dynamodb.stream import SqsUnpublishedQueue

        env = self.settings
        sqs, url = self.clients.get("sqs"), env.dead_letters_url("publish")
        return SqsUnpublishedQueue(sqs, url, dynamodb=self.dynamodb, table=env.records_table)

    @cached_property
    def lane_mappings(self) -> Mapping[str, EventSourceMapping]:
        """The event source mapping of each lane."""
        from cloud.lambda_api import EventSourceMapping
        from vigil.reliability.lane_counts import LANES

        client, env = self.clients.get("lambda"), self.settings
        return {
            lane: EventSourceMapping(client, function=env.lane_function(lane), queue_arn=env.lane_arn(lane))
            for lane in LANES
        }

    @cached_property
    def paused_lanes(self) -> PausedLanes:
        from cloud.dynamodb.state import PausedLanes

        return PausedLanes(self.state_store)

    @cached_property
    def lane_counts(self) -> DynamoLaneCounts:
        from cloud.dynamodb.counters import DynamoLaneCounts

        return DynamoLaneCounts(self.dynamodb, self.settings.records_table)

    @cached_property
    def state_store(self) -> DynamoStateStore:
        """The state that scheduled functions carry from one run to the next."""
        from cloud.dynamodb.state import DynamoStateStore

        return DynamoStateStore(self.dynamodb, self.settings.records_table)

    @cached_property
    def task_runs(self) -> DynamoTaskRuns:
        from cloud.dynamodb.maintenance_state import DynamoTaskRuns

        return DynamoTaskRuns(self.dynamodb, self.settings.records_table)

    @cached_property
    def cloudwatch(self) -> CloudWatch:
        from cloud.cloudwatch import CloudWatch

        return CloudWatch(self.clients.get("cloudwatch"))

    @cached_property
    def metrics(self) -> EmfMetrics:
        from cloud.cloudwatch import EmfMetrics

        return EmfMetrics(namespace=self.settings.metrics_namespace, service=self.settings.service)

    @cached_property
    def operators(self) -> SnsOperators:
        """The topic that notifies operators."""
        from cloud.sns import SnsOperators

        return SnsOperators(self.clients.get("sns"), self.settings.ops_topic_arn)

    @cached_property
    def bucket_listing(self) -> ObjectListing:
        """The photos bucket as it is now."""
        from cloud.s3.listing import BucketListing

        return BucketListing(self.s3, self.settings.photos_bucket)

    @cached_property
    def inventory_listing(self) -> ObjectListing:
        """The photos bucket by its S3 inventory, where the deployment has one."""
        from cloud.s3.listing import InventoryListing

        env = self.settings
        if not env.inventory:
            return self.bucket_listing
        return InventoryListing(
            self.s3,
            env.store_bucket,
            bucket=env.photos_bucket,
            max_age=INVENTORY_MAX_AGE[env.inventory],
            clock=self.clock,
            fallback=self.bucket_listing,
        )

    @cached_property
    def canary_probe(self) -> CanaryProbe:
        from cloud.dynamodb.maintenance_state import CanaryProbe

        bucket = self.settings.photos_bucket
        return CanaryProbe(self.s3, bucket, records=self.drop_reader, states=self.state_store)

    # People and the store bucket

    @cached_property
    def store(self) -> S3Store:
        """Pending photos, segments of galleries and the rules in the store bucket."""
        from cloud.s3.objects import S3Store

        return S3Store(self.s3, self.settings.store_bucket)

    @cached_property
    def object_store(self) -> S3ObjectStore:
        """Data sets, recipes and results of training in the store bucket."""
        from cloud.s3.objects import S3ObjectStore

        return S3ObjectStore(self.s3, self.settings.store_bucket)

    def rules(self, max_age_s: float, on_invalid: Callable[[str], None] | None = None) -> CachedRules:
        from cloud.s3.objects import CachedRules

        return CachedRules(self.s3, self.settings.store_bucket, max_age_s=max_age_s, on_invalid=on_invalid)

    @cached_property
    def profiles(self) -> DynamoProfiles:
        from cloud.dynamodb.profiles import DynamoProfiles

        return DynamoProfiles(self.dynamodb, self.settings.people_table)

    @cached_property
    def templates(self) -> DynamoTemplates:
        from cloud.dynamodb.people import DynamoTemplates

        return DynamoTemplates(self.dynamodb, self.settings.people_table)

    # Callers and the audit log

    @cached_property
    def token_verifier(self) -> JwtVerifier:
        from cloud.jwt_tokens import JwtVerifier

        env = self.settings
        return JwtVerifier(
            issuer=env.token_issuer,
            audience=env.token_audience,
            jwks_url=env.jwks_url,
            role_claim=env.role_claim,
            sources_claim=env.sources_claim,
            galleries_claim=env.galleries_claim,
        )

    @cached_property
    def mac(self) -> KmsMac:
        from cloud.kms import KmsMac

        return KmsMac(self.clients.get("kms"), self.settings.mac_key)

    @cached_property
    def signing_key(self) -> bytes:
        """The key that signs cursors, uploads and thumbnail links."""
        return self.mac.derive_key("cursors")

    @cached_property
    def audit_log(self) -> DynamoAuditLog:
        from cloud.dynamodb.audit_log import DynamoAuditLog

        return DynamoAuditLog(self.dynamodb, self.settings.audit_table)

    @cached_property
    def audit_checkpoints(self) -> S3AuditCheckpoints:
        from cloud.s3.audit_checkpoints import S3AuditCheckpoints

        return S3AuditCheckpoints(self.s3, self.settings.store_bucket, self.mac)

    @cached_property
    def rate_limiter(self) -> DynamoRateLimiter:
        from cloud.dynamodb.rate_limit import DynamoRateLimiter

        env = self.settings
        return DynamoRateLimiter(self.dynamodb, env.callers_table, per_minute=env.calls_per_minute)

    @cached_property
    def idempotency_store(self) -> DynamoDBPersistenceLayer:
        """The responses of write operations by idempotency key."""
        from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer

        return DynamoDBPersistenceLayer(
            self.settings.callers_table, expiry_attr="expiration", boto3_client=self.dynamodb
        )

    @cached_property
    def lambda_functions(self) -> LambdaFunctions:
        """The other functions; a call is made once, the caller decides about another attempt."""
        from cloud.lambda_api import LambdaFunctions

        return LambdaFunctions(self.clients.without_retries("lambda", 28))

    # Releases and training

    @cached_property
    def releases(self) -> DynamoReleases:
        from cloud.dynamodb.releases import DynamoReleases

        return DynamoReleases(self.dynamodb, self.settings.records_table)

    @cached_property
    def release_files(self) -> S3ReleaseStore:
        from cloud.s3.objects import S3ReleaseStore

        return S3ReleaseStore(self.s3, self.settings.store_bucket)

    @cached_property
    def comparisons(self) -> DynamoComparisons:
        from cloud.dynamodb.counters import DynamoComparisons

        return DynamoComparisons(self.dynamodb, self.settings.records_table)

    @cached_property
    def release_health(self) -> DynamoReleaseHealth:
        from cloud.dynamodb.counters import DynamoReleaseHealth

        return DynamoReleaseHealth(self.dynamodb, self.settings.records_table)

    @cached_property
    def output_sketches(self) -> DynamoSketches:
        from cloud.dynamodb.sketches import DynamoSketches

        return DynamoSketches(self.dynamodb, self.settings.records_table)

    @cached_property
    def labels(self) -> DynamoLabels:
        from cloud.dynamodb.reviews import DynamoLabels

        return DynamoLabels(self.dynamodb, self.settings.records_table)

    @cached_property
    def training_jobs(self) -> DynamoTrainingJobs:
        from cloud.dynamodb.releases import DynamoTrainingJobs

        return DynamoTrainingJobs(self.dynamodb, self.settings.records_table)

    @cached_property
    def training_state(self) -> DynamoTrainingState:
        from cloud.dynamodb.training_state import DynamoTrainingState

        return DynamoTrainingState(self.state_store)

    @cached_property
    def training_drops(self) -> DynamoTrainingDrops:
        """Drops with what training needs to know of them."""
        from cloud.dynamodb.training_drops import DynamoTrainingDrops

        return DynamoTrainingDrops(self.dynamodb, self.settings.records_table)

    @cached_property
    def trainer(self) -> SageMakerTrainer:
        from cloud.sagemaker import SageMakerTrainer, TrainingAccount

        account = TrainingAccount(self.settings.training_role, self.settings.store_key)
        return SageMakerTrainer(self.clients.get("sagemaker"), account)
