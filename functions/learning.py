"""Builds what releases and retrain use: once per container, as wiring does."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from aws_lambda_powertools import Logger

from cloud.lives import DynamoLives
from cloud.trials import DynamoTrials
from functions.settings import settings
from functions.wiring import client, now
from vigil.learn.gates import Gate, default_gates

__all__ = ("logger", "now", "registry")


@dataclass(frozen=True, slots=True)
class Registry:
    """All releases on record, what they have shown, and what is asked of them."""

    lives: DynamoLives
    trials: DynamoTrials
    gates: Mapping[str, Gate]


@cache
def registry() -> Registry:
    table = settings().records_table
    gates = default_gates()
    return Registry(DynamoLives(client("dynamodb"), table), DynamoTrials(client("dynamodb"), table), gates)


@cache
def logger() -> Logger:
    return Logger()
