"""Builds what releases, train and retrain use: once per container, as wiring does."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger

from cloud.dynamodb.counters import DynamoReleaseHealth
from cloud.dynamodb.releases import DynamoReleases
from cloud.dynamodb.routing import DynamoComparisons
from cloud.dynamodb.state import DynamoStateStore
from cloud.s3.objects import S3ObjectStore
from functions.runtime.settings import settings
from functions.runtime.wiring_core import client, now
from functions.runtime.wiring_repositories import labels, releases, training_jobs
from vigil.releases.gates import RolloutGate, default_gates
from vigil.reliability.time_scale import scale_durations
from vigil.training.jobs import InstancePool, TrainingLimits, default_instance_types

if TYPE_CHECKING:
    from cloud.dynamodb.training_drops import DynamoTrainingDrops
    from cloud.sagemaker import SageMakerTrainer
    from functions.runtime.wiring_registration import CandidateReleases
    from vigil.releases.manifest import RemovedTrainingData
    from vigil.training.dataset_store import DatasetBuilder, DatasetStore

__all__ = (
    "dataset_builder",
    "instance_pool",
    "labels",
    "logger",
    "now",
    "object_store",
    "release_stores",
    "state_store",
    "trainer",
    "training_jobs",
)

PARALLEL_IMAGES = 8
"""Pictures of a data set that are read or stored at the same time."""

RULES_REFRESH_S = 30.0
"""Seconds for which a look at the watch file is good."""

TRAINING_LIMITS = TrainingLimits(max_run_s=4 * 3600, max_wait_s=8 * 3600, volume_gb=30)


@dataclass(frozen=True, slots=True)
class ReleaseStores:
    """All releases on record, what they have shown and show, and what is asked of them."""

    releases: DynamoReleases
    comparisons: DynamoComparisons
    health: DynamoReleaseHealth
    gates: Mapping[str, RolloutGate]


@cache
def release_stores() -> ReleaseStores:
    rows, table = client("dynamodb"), settings().records_table
    comparisons, health = DynamoComparisons(rows, table), DynamoReleaseHealth(rows, table)
    return ReleaseStores(releases(), comparisons, health, default_gates())


@cache
def state_store() -> DynamoStateStore:
    return DynamoStateStore(client("dynamodb"), settings().records_table)


@cache
def object_store() -> S3ObjectStore:
    return S3ObjectStore(client("s3"), settings().store_bucket)


@cache
def instance_pool() -> InstancePool:
    """The machines of machines.toml; after a round of refusals 5 minutes, then 10, up to two hours."""
    pool = InstancePool(
        instance_types=default_instance_types(),
        spot=settings().training_spot,
        initial_backoff=timedelta(minutes=5),
        max_backoff=timedelta(hours=2),
        deadline=timedelta(days=2),
    )
    return scale_durations(pool, settings().minute)


@cache
def trainer() -> "SageMakerTrainer":
    from cloud.sagemaker import SageMakerTrainer, TrainingAccount

    env = settings()
    return SageMakerTrainer(client("sagemaker"), TrainingAccount(env.training_role, env.store_key))


@cache
def dataset_store() -> "DatasetStore":
    """Data sets, and the releases that learned from them."""
    from cloud.s3.releases import S3ReleaseStore
    from vigil.training.dataset_store import DatasetStore

    release_files, releases = S3ReleaseStore(client("s3"), settings().store_bucket), release_stores().releases

    def mark(model: str, data: str, forgotten: "RemovedTrainingData") -> None:
        for release in releases.trained_on(model, data):
            release_files.record_removed_data(model, release, forgotten)

    return DatasetStore(object_store(), mark)


@cache
def dataset_builder() -> "DatasetBuilder":
    """Drops' pictures, who agrees that they are learned from, and where data sets are stored."""
    from cloud.s3.objects import CachedRules, S3InputReader
    from functions.runtime.wiring_people import people
    from vigil.people.consent import TRAINING_CONSENT_TAG
    from vigil.training.dataset_store import DatasetBuilder
    from vigil.training.examples import TrainingPolicy

    def agrees(person: str) -> bool | None:
        found = people().find_person(person)
        return TRAINING_CONSENT_TAG in found.tags if found else None

    rules = CachedRules(client("s3"), settings().store_bucket, max_age_s=RULES_REFRESH_S)
    training_policy = TrainingPolicy(
        find_drop=training_drops().get_drop,
        source_policy=lambda source: rules().source_settings(source).training_policy,
        has_consented=agrees,
        fetch_object=S3InputReader(client("s3")).fetch,
    )
    return DatasetBuilder(dataset_store(), training_policy, ThreadPoolExecutor(PARALLEL_IMAGES).map)


@cache
def training_drops() -> "DynamoTrainingDrops":
    """Drops as a data set wants them."""
    from cloud.dynamodb.training_drops import DynamoTrainingDrops

    return DynamoTrainingDrops(client("dynamodb"), settings().records_table)


@cache
def candidate_releases() -> "CandidateReleases":
    """Where what a job left is opened and compared."""
    from functions.runtime.wiring_core import bundled_models
    from functions.runtime.wiring_registration import CandidateReleases

    return CandidateReleases(bundled_models(0.0), release_stores().releases)


@cache
def logger() -> Logger:
    return Logger()
