"""Uploads photos at a steady rate and takes samples."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from infra.local.cloud import Cloud
from tests.chaos.harness import Harness
from tests.chaos.workload import POISON, workload
from tests.deployment import enrol_photos, local_deployment
from tests.soak.sampling import SoakSample, process_memory_mb
from vigil_cli.event_recorder import EventRecorder
from vigil_cli.paths import PACKAGE, PHOTOS

DROPS_PER_S = 2.0
SAMPLE_INTERVAL_S = 2.0
DRAIN_TIMEOUT_S = 60.0


def run_soak(minutes: float, seed: int, data: Path) -> list[SoakSample]:
    """Return all samples; the last one is taken after the load ended and its drops had time to complete."""
    parameters = {"Stage": "soak"}
    state = data / "state.sqlite"
    with Cloud(
        package=PACKAGE, data=data, state_file=state, parameters=parameters, max_workers=5
    ) as local_cloud:
        deployment = local_deployment(local_cloud.environment, local_cloud.outputs)
        for name, tags in (("obama", ["watch"]), ("biden", [])):
            enrol_photos(deployment, name.title(), [PHOTOS / f"{name}.jpg"], tags)
        harness = Harness(local_cloud, deployment, EventRecorder.subscribe(deployment, "soak-listener"))
        inputs = [item for item in workload(round(minutes * 60 * DROPS_PER_S), seed) if item.kind != POISON]
        load = threading.Thread(target=harness.upload, args=(inputs, "soak"), kwargs={"over_s": minutes * 60})
        load.start()
        samples = []
        while load.is_alive():
            samples.append(_take_sample(harness))
            load.join(SAMPLE_INTERVAL_S)
        samples.append(_sample_when_drained(harness))
    return samples


def _take_sample(harness: Harness) -> SoakSample:
    """Discard received events, so that the observer itself does not grow."""
    harness.take_sample()
    for collected in (harness.samples, harness.listener.events, harness.listener.deliveries):
        collected.clear()
    return SoakSample(
        harness.at_s, process_memory_mb(harness.local_cloud), len(harness.drops), len(harness.open_drops)
    )


def _sample_when_drained(harness: Harness) -> SoakSample:
    deadline_s = time.monotonic() + DRAIN_TIMEOUT_S
    sample = _take_sample(harness)
    while sample.unfinished and time.monotonic() < deadline_s:
        time.sleep(1)
        sample = _take_sample(harness)
    return sample
