"""Builds what chooses among a model's releases and watches them, once per container."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import gettempdir
from threading import Thread

from aws_lambda_powertools import Logger

from cloud.cloudwatch import ReleaseMetrics
from cloud.dynamodb.counters import DynamoReleaseHealth, DynamoSketches
from cloud.dynamodb.routing import CachedPointers, DynamoComparisons
from cloud.s3.releases import S3ReleaseStore
from functions.runtime.settings import settings
from functions.runtime.telemetry import DriftTelemetry, ReleaseTelemetry
from functions.runtime.wiring_core import client, now
from vigil.inference.repository import BundledModels, ReleaseCache, ReleaseCacheConfig
from vigil.releases.health import HealthSample
from vigil.releases.lifecycle import ReleasePointers
from vigil.releases.routing import RolloutRouter

POINTERS_REFRESH_S = 3.0
"""Seconds within which a warm function notices another release."""


def _ignore_health(_: HealthSample, __: ReleasePointers) -> None:
    """Who only asks what a release says watches over none."""


@cache
def rollout_router(
    bundled: BundledModels, on_health: Callable[[HealthSample, ReleasePointers], None] = _ignore_health
) -> RolloutRouter:
    """Which release sees a drop: the one that the pointers name, fetched into /tmp, else the bundled one."""
    env = settings()
    cache_config = ReleaseCacheConfig(
        folder=Path(gettempdir()) / "releases",
        fetch=S3ReleaseStore(client("s3"), env.store_bucket).fetch,
        factories=bundled.factories,
        run_in_background=lambda task: Thread(target=task, daemon=True).start(),
        on_failure=_log_failed_download,
    )
    pointers = CachedPointers(client("dynamodb"), env.records_table, max_age_s=POINTERS_REFRESH_S)
    comparisons = DynamoComparisons(client("dynamodb"), env.records_table)
    return RolloutRouter(
        pointers, ReleaseCache(cache_config), lambda trial: comparisons.save(trial, now()), on_health
    )


def _log_failed_download(model: str, release: str, reason: str) -> None:
    Logger().warning("release-download-failed", extra={"model": model, "release": release, "detail": reason})


def release_telemetry() -> ReleaseTelemetry:
    """This container's share of what active releases show."""
    env = settings()
    counts = DynamoReleaseHealth(client("dynamodb"), env.records_table)
    return ReleaseTelemetry(ReleaseMetrics(env.metrics_namespace), counts.add)


def drift_telemetry() -> DriftTelemetry:
    """This container's share of what releases say of the world."""
    return DriftTelemetry(DynamoSketches(client("dynamodb"), settings().records_table).add)
