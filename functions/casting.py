"""Builds what chooses among a model's releases and watches them, once per container."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import gettempdir
from threading import Thread

from aws_lambda_powertools import Logger

from cloud.depot import Depot
from cloud.metrics import ReleaseGauges
from cloud.pointers import PointersInForce
from cloud.sketches import DynamoSketches
from cloud.trials import DynamoTrials
from cloud.vitals import DynamoVitals
from functions.noticing import Noticing
from functions.pulse import Pulse
from functions.settings import settings
from functions.wiring import client, now
from vigil.flow.casting import Casting
from vigil.learn.release import Pointers
from vigil.learn.vitals import Vital
from vigil.predict.fetched import Fetched, Workshop
from vigil.predict.shelf import Shelf

FRESH_S = 3.0
"""Seconds within which a warm function notices another release."""


def _nobody(_: Vital, __: Pointers) -> None:
    """Who only asks what a release says watches over none."""


@cache
def casting(bundled: Shelf, pulse: Callable[[Vital, Pointers], None] = _nobody) -> Casting:
    """Which release sees a drop: the one that the pointers name, fetched into /tmp, else the bundled one."""
    env = settings()
    workshop = Workshop(
        folder=Path(gettempdir()) / "releases",
        fetch=Depot(client("s3"), env.store_bucket).fetch,
        pipelines=bundled.pipelines,
        aside=lambda task: Thread(target=task, daemon=True).start(),
        missed=_missed,
    )
    pointers = PointersInForce(client("dynamodb"), env.records_table, fresh_s=FRESH_S)
    trials = DynamoTrials(client("dynamodb"), env.records_table)
    return Casting(pointers, Fetched(workshop), lambda trial: trials.note(trial, now()), pulse)


def _missed(model: str, release: str, why: str) -> None:
    Logger().warning("release-missed", extra={"model": model, "release": release, "detail": why})


def vitals() -> Pulse:
    """This container's share of what active releases show."""
    env = settings()
    kept = DynamoVitals(client("dynamodb"), env.records_table)
    return Pulse(ReleaseGauges(env.metrics_namespace), kept.add)


def noticing() -> Noticing:
    """This container's share of what releases say of the world."""
    return Noticing(DynamoSketches(client("dynamodb"), settings().records_table).add)
