"""Builds where releases, trainings and labels are on record: once per container, without numpy."""

from functools import cache

from cloud.dynamodb.releases import DynamoReleases
from cloud.dynamodb.reviews import DynamoLabels
from cloud.dynamodb.training_jobs import DynamoTrainingJobs
from functions.runtime.settings import settings
from functions.runtime.wiring_core import client


@cache
def releases() -> DynamoReleases:
    """Releases: where each stands, and which answers."""
    return DynamoReleases(client("dynamodb"), settings().records_table)


@cache
def training_jobs() -> DynamoTrainingJobs:
    """Training jobs."""
    return DynamoTrainingJobs(client("dynamodb"), settings().records_table)


@cache
def labels() -> DynamoLabels:
    """What people say that drops show."""
    return DynamoLabels(client("dynamodb"), settings().records_table)
