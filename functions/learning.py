"""Builds what releases, train and retrain use: once per container, as wiring does."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger

from cloud.library import S3Library
from cloud.lives import DynamoLives
from cloud.state import States
from cloud.trials import DynamoTrials
from cloud.vitals import DynamoVitals
from functions.registers import jobs, labels, lives
from functions.settings import settings
from functions.wiring import client, now
from vigil.learn.cost import default_machines
from vigil.learn.dispatch import Fleet
from vigil.learn.gates import Gate, default_gates
from vigil.learn.training import Limits
from vigil.steady.haste import hastened

if TYPE_CHECKING:
    from cloud.drops import DynamoDrops
    from cloud.training import SageMaker
    from functions.admitting import Examination
    from vigil.flow.prune import Stock
    from vigil.flow.teach import School
    from vigil.learn.pedigree import Forgotten

__all__ = ("fleet", "jobs", "labels", "library", "logger", "now", "registry", "school", "states", "trainer")

AT_ONCE = 8
"""Pictures of a data set that are read or stored at the same time."""

POLICY_FRESH_S = 30.0
"""Seconds for which a look at the watch file is good."""

LIMITS = Limits(run_s=4 * 3600, wait_s=8 * 3600, volume_gb=30)


@dataclass(frozen=True, slots=True)
class Registry:
    """All releases on record, what they have shown and show, and what is asked of them."""

    lives: DynamoLives
    trials: DynamoTrials
    vitals: DynamoVitals
    gates: Mapping[str, Gate]


@cache
def registry() -> Registry:
    rows, table = client("dynamodb"), settings().records_table
    trials, vitals = DynamoTrials(rows, table), DynamoVitals(rows, table)
    return Registry(lives(), trials, vitals, default_gates())


@cache
def states() -> States:
    return States(client("dynamodb"), settings().records_table)


@cache
def library() -> S3Library:
    return S3Library(client("s3"), settings().store_bucket)


@cache
def fleet() -> Fleet:
    """The machines of machines.toml; after a round of refusals 5 minutes, then 10, up to two hours."""
    patient = Fleet(
        machines=default_machines(),
        spot=settings().training_spot,
        pause=timedelta(minutes=5),
        longest=timedelta(hours=2),
        deadline=timedelta(days=2),
    )
    return hastened(patient, settings().minute)


@cache
def trainer() -> "SageMaker":
    from cloud.training import Account, SageMaker

    env = settings()
    return SageMaker(client("sagemaker"), Account(env.training_role, env.store_key))


@cache
def stock() -> "Stock":
    """Data sets, and the releases that learned from them."""
    from cloud.depot import Depot
    from vigil.flow.prune import Stock

    depot, lives = Depot(client("s3"), settings().store_bucket), registry().lives

    def mark(model: str, data: str, forgotten: "Forgotten") -> None:
        for release in lives.taught_on(model, data):
            depot.mark(model, release, forgotten)

    return Stock(library(), mark)


@cache
def school() -> "School":
    """Drops' pictures, who agrees that they are learned from, and where data sets are stored."""
    from cloud.objects import S3Objects
    from cloud.store import WatchInForce
    from functions.enrolling import people
    from vigil.flow.taken import Register
    from vigil.flow.teach import School
    from vigil.learn.consent import LEARN

    def agrees(person: str) -> bool | None:
        found = people().person(person)
        return LEARN in found.tags if found else None

    watch = WatchInForce(client("s3"), settings().store_bucket, fresh_s=POLICY_FRESH_S)
    register = Register(
        drop=drops().taken,
        policy=lambda source: watch().source(source).learn,
        agrees=agrees,
        fetch=S3Objects(client("s3")).fetch,
    )
    return School(stock(), register, ThreadPoolExecutor(AT_ONCE).map)


@cache
def drops() -> "DynamoDrops":
    """Drops as a data set wants them."""
    from cloud.drops import DynamoDrops

    return DynamoDrops(client("dynamodb"), settings().records_table)


@cache
def examination() -> "Examination":
    """Where what a job left is opened and compared."""
    from functions.admitting import Examination
    from functions.wiring import shelf

    return Examination(shelf(0.0), registry().lives)


@cache
def logger() -> Logger:
    return Logger()
