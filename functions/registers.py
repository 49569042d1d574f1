"""Builds where releases, trainings and labels are on record: once per container, without numpy."""

from functools import cache

from cloud.jobs import DynamoJobs
from cloud.labels import DynamoLabels
from cloud.lives import DynamoLives
from functions.settings import settings
from functions.wiring import client


@cache
def lives() -> DynamoLives:
    """Releases: where each stands, and which answers."""
    return DynamoLives(client("dynamodb"), settings().records_table)


@cache
def jobs() -> DynamoJobs:
    """Training jobs."""
    return DynamoJobs(client("dynamodb"), settings().records_table)


@cache
def labels() -> DynamoLabels:
    """What people say that drops show."""
    return DynamoLabels(client("dynamodb"), settings().records_table)
