"""The scenario: a run without faults, the same inputs under faults, then recovery by schedules."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.local.cloud import Cloud
from tests.chaos.checks import PhaseResult, check_phase
from tests.chaos.faults import all_faults, only_poison
from tests.chaos.harness import Harness, Sample
from tests.chaos.workload import Input, workload
from tests.deployment import enrol_photos, local_deployment
from vigil_cli.event_recorder import EventRecorder
from vigil_cli.paths import PACKAGE, PHOTOS

PARAMETERS = {
    "Stage": "chaos",
    "LaneTimeout": "6",
    "LaneVisibilityTimeout": "9",
    "Workers": "4",
    "MinLiveWorkers": "2",
    "LiveConcurrency": "2",
    "BulkConcurrency": "2",
}
"""As many workers as two cores keep busy: a received message that waits uses up its visibility."""

PROCESSES = 20
"""One process for each lane worker and each scheduled function, so that none is evicted."""

_SAMPLE_INTERVAL_S = 0.5


@dataclass(frozen=True, slots=True)
class ScenarioResult:
    """The result of both phases.

    fault_window_s  start and end of the faults
    stall           what held up the drops that did not end in time
    """

    baseline: PhaseResult
    under_faults: PhaseResult
    drops: int
    redriven: int
    kills: int
    fault_window_s: tuple[float, float]
    seconds: float
    samples: tuple[Sample, ...]
    stall: tuple[str, ...]


def run_scenario(
    seed: int, drops: int, *, receives: int, minute_s: float, data: Path, timeout_s: float
) -> ScenarioResult:
    """Run both phases; a drop without a final state `timeout_s` seconds after the faults counts as lost.

    receives  receives before a message becomes a dead letter
    minute_s  length of a scheduling minute in seconds
    """
    parameters = PARAMETERS | {"MaxReceiveCount": str(receives), "MaintenanceMinuteSeconds": str(minute_s)}
    inputs = workload(drops, seed)
    started_s = time.monotonic()
    with Cloud(PACKAGE, data, parameters=parameters, max_workers=PROCESSES, minute_s=minute_s) as local_cloud:
        deployment = local_deployment(local_cloud.environment, local_cloud.outputs)
        listener = EventRecorder.subscribe(deployment, "chaos-listener")
        for name, tags in (("obama", ["watch"]), ("biden", [])):
            enrol_photos(deployment, name.title(), [PHOTOS / f"{name}.jpg"], tags)
        baseline = _run_baseline(Harness(local_cloud, deployment, listener), inputs, timeout_s)
        harness = Harness(local_cloud, deployment, listener)
        fault_window_s = _run_with_faults(harness, inputs, seed)
        _wait_until_drained(harness, timeout_s)
        faults = local_cloud.faults.counts
        return ScenarioResult(
            baseline=baseline,
            under_faults=check_phase(harness, "faults"),
            drops=len(harness.drops),
            redriven=_count_redriven(harness),
            kills=sum(count for kind, count in faults.items() if kind.split()[0] in _KILL_WORDS),
            fault_window_s=fault_window_s,
            seconds=time.monotonic() - started_s,
            samples=tuple(harness.samples),
            stall=harness.describe_stall() if harness.open_drops else (),
        )


_KILL_WORDS = ("killed", "poisoned", "frozen", "out")
"""First words of the names of faults that end a worker."""


def _run_baseline(harness: Harness, inputs: list[Input], timeout_s: float) -> PhaseResult:
    harness.upload([thing for thing in inputs if thing.kind != "poison"], "baseline", over_s=0)
    _wait_until_drained(harness, timeout_s)
    return check_phase(harness, "baseline")


def _run_with_faults(harness: Harness, inputs: list[Input], seed: int) -> tuple[float, float]:
    started_s = harness.at_s
    harness.local_cloud.faults.begin(all_faults(seed, harness.deployment.outputs["PeopleTable"]))
    with _sampling(harness):
        harness.upload(inputs, "faults", over_s=max(6.0, len(inputs) * 0.08))
        time.sleep(2)
    harness.local_cloud.faults.begin(only_poison(seed))
    return started_s, harness.at_s


@contextmanager
def _sampling(harness: Harness) -> Iterator[None]:
    """Take samples in the background."""
    stop = threading.Event()
    thread = threading.Thread(target=_sample_until, args=(harness, stop))
    thread.start()
    yield
    stop.set()
    thread.join()


def _sample_until(harness: Harness, stop: threading.Event) -> None:
    while not stop.wait(_SAMPLE_INTERVAL_S):
        harness.take_sample()


def _wait_until_drained(harness: Harness, timeout_s: float) -> None:
    """Wait until every drop is final, every queue is empty and every outcome is published."""
    deadline_s = time.monotonic() + timeout_s
    harness.take_sample()
    while (
        harness.open_drops or harness.queued_messages or _has_unpublished_outcomes(harness)
    ) and time.monotonic() < deadline_s:
        time.sleep(_SAMPLE_INTERVAL_S)
        harness.take_sample()


def _has_unpublished_outcomes(harness: Harness) -> bool:
    return any(
        f"{drop}.{state}" not in harness.listener.deliveries for drop, state in harness.final_states.items()
    )


def _count_redriven(harness: Harness) -> int:
    """Return the number of redrives that triage noted."""
    pages = (
        harness.local_cloud.client("dynamodb")
        .get_paginator("scan")
        .paginate(
            TableName=harness.deployment.outputs["RecordsTable"],
            FilterExpression="action_taken = :redriven",
            ExpressionAttributeValues={":redriven": {"S": "redriven"}},
        )
    )
    return sum(page["Count"] for page in pages)
