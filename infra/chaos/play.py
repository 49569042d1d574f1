"""A quiet act, the same in a storm, then calm until all is mended: by the system itself, on its schedules."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.chaos.crowd import Thing, crowd
from infra.chaos.stage import Sample, Stage
from infra.chaos.storm import only_poison, storm
from infra.chaos.verdict import Verdict, judge
from infra.cli.deployment import local
from infra.cli.enrol import enrolled
from infra.cli.listener import Listener
from infra.cli.places import PACKAGE, PHOTOS
from infra.local.cloud import Cloud

PARAMETERS = {
    "Stage": "chaos",
    "WorkTimeout": "6",
    "WorkVisibility": "9",
    "Workers": "4",
    "LiveWorkersLeast": "2",
    "LiveConcurrency": "2",
    "BulkConcurrency": "2",
}
"""As many workers as this machine can keep busy: what is received and waits for a worker grows old."""

PROCESSES = 14
"""One for each worker of the lanes and each function on a schedule: none has to make room for another."""

_LOOK_S = 0.5


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a play came to; `storm_s` is when the faults began and ended."""

    quiet: Verdict
    verdict: Verdict
    drops: int
    redriven: int
    kills: int
    storm_s: tuple[float, float]
    seconds: float
    samples: tuple[Sample, ...]


def play(seed: int, drops: int, *, receives: int, minute_s: float, data: Path, patience_s: float) -> Outcome:
    """The whole of it; what has no end after so many seconds of calm counts as lost.

    receives  how often a message is tried before it is a dead letter
    minute_s  a minute of the schedules and of those who mend, in seconds
    """
    parameters = PARAMETERS | {"MaxReceives": str(receives), "MinuteSeconds": str(minute_s)}
    things = crowd(drops, seed)
    began = time.monotonic()
    with Cloud(PACKAGE, data, parameters=parameters, processes=PROCESSES, minute_s=minute_s) as running:
        cloud = local(running.environment, running.outputs)
        listener = Listener.subscribed(cloud, "chaos-listener")
        for person, tags in (("obama", ["watch"]), ("biden", [])):
            enrolled(cloud, person.title(), [PHOTOS / f"{person}.jpg"], tags)
        quiet = _quiet_act(Stage(running, cloud, listener), things, patience_s)
        stage = Stage(running, cloud, listener)
        storm_s = _storm(stage, things, seed)
        _calm(stage, patience_s)
        faults = running.faults.so_far
        return Outcome(
            quiet=quiet,
            verdict=judge(stage, "storm"),
            drops=len(stage.drops),
            redriven=_redriven(stage),
            kills=sum(count for kind, count in faults.items() if kind.split()[0] in _KILLING),
            storm_s=storm_s,
            seconds=time.monotonic() - began,
            samples=tuple(stage.samples),
        )


_KILLING = ("killed", "poisoned", "frozen", "out")
"""First words of the faults that end a worker."""


def _quiet_act(stage: Stage, things: list[Thing], patience_s: float) -> Verdict:
    stage.put([thing for thing in things if thing.kind != "poison"], "quiet", over_s=0)
    _calm(stage, patience_s)
    return judge(stage, "quiet")


def _storm(stage: Stage, things: list[Thing], seed: int) -> tuple[float, float]:
    began_s = stage.at_s
    stage.running.faults.begin(storm(seed, stage.cloud.outputs["PeopleTable"]))
    with _watched(stage):
        stage.put(things, "storm", over_s=max(6.0, len(things) * 0.08))
        time.sleep(2)
    stage.running.faults.begin(only_poison(seed))
    return began_s, stage.at_s


@contextmanager
def _watched(stage: Stage) -> Iterator[None]:
    """Looks are taken while something else is done."""
    over = threading.Event()
    thread = threading.Thread(target=_look_until, args=(stage, over))
    thread.start()
    yield
    over.set()
    thread.join()


def _look_until(stage: Stage, over: threading.Event) -> None:
    while not over.wait(_LOOK_S):
        stage.look()


def _calm(stage: Stage, patience_s: float) -> None:
    """Until every drop has its end, every queue is empty and all was told, or patience ends."""
    until = time.monotonic() + patience_s
    stage.look()
    while (stage.open or stage.waiting or _unheard(stage)) and time.monotonic() < until:
        time.sleep(_LOOK_S)
        stage.look()


def _unheard(stage: Stage) -> bool:
    return any(f"{drop}.{state}" not in stage.listener.heard for drop, state in stage.ends.items())


def _redriven(stage: Stage) -> int:
    """Deeds that triage wrote down."""
    pages = (
        stage.running.client("dynamodb")
        .get_paginator("scan")
        .paginate(
            TableName=stage.cloud.outputs["RecordsTable"],
            FilterExpression="deed = :redriven",
            ExpressionAttributeValues={":redriven": {"S": "redriven"}},
        )
    )
    return sum(page["Count"] for page in pages)
