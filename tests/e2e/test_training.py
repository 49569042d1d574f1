"""Labels become a data set, a job, a release on record: though refused, killed, interrupted, unheard of."""

import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cloud.dynamodb.drops import DynamoDropRecords
from cloud.dynamodb.releases import DynamoReleases, DynamoTrainingJobs
from cloud.dynamodb.reviews import DynamoLabels
from cloud.dynamodb.sketches import DynamoSketches, sketch_to_row
from cloud.dynamodb.state import DynamoStateStore
from cloud.s3.objects import S3ObjectStore, S3Store
from tests.e2e.conftest import RunningSystem, wait_until
from tests.e2e.test_maintenance import invoke_function
from tests.models.training.jobs import SMALL_NETWORK, recipe_text
from vigil.alerts.rules import DEFAULT_RULES
from vigil.drops.messages import compute_drop_id
from vigil.inference.types import Sighting
from vigil.releases.drift import OutputSketch, sketch_of
from vigil.training.jobs import TrainingJob, TrainingRun
from vigil.training.labels import CannotLabel, label_drop

MODEL = "tiny-lessons"
COLOURS = {"red": 0, "green": 1, "blue": 2}
JOB_TIMEOUT_S = 400.0
RULES_WITH_TRAINING = f'{DEFAULT_RULES.read_text()}\n[sources.studio]\ntraining_policy = "always"\n'


def noisy_picture(colour: str, seed: int) -> bytes:
    """Mostly of one colour, and noise that makes it like no other."""
    pixels = np.random.default_rng(seed).integers(0, 130, (24, 24, 3)).astype(np.uint8)
    pixels[:, :, COLOURS[colour]] += 110
    packed = io.BytesIO()
    Image.fromarray(pixels).save(packed, "PNG")
    return packed.getvalue()


@pytest.fixture
def jobs(site: RunningSystem) -> DynamoTrainingJobs:
    return DynamoTrainingJobs(site.cloud.client("dynamodb"), site.cloud.outputs["RecordsTable"])


def labels_and_records(site: RunningSystem) -> tuple[DynamoLabels, DynamoDropRecords]:
    client, table = site.cloud.client("dynamodb"), site.cloud.outputs["RecordsTable"]
    return DynamoLabels(client, table), DynamoDropRecords(client, table, retention=timedelta(days=1))


def drop_labelled_pictures(site: RunningSystem, count: int) -> None:
    """Drops of a source that models may learn from, and what they show."""
    S3Store(site.cloud.client("s3"), site.cloud.outputs["StoreBucket"]).put_object(
        "rules.toml", RULES_WITH_TRAINING.encode()
    )
    labels, records = labels_and_records(site)
    colours = [list(COLOURS)[n % 3] for n in range(count)]
    drops = [
        site.drop_bytes(noisy_picture(colour, n), name="colour.png", model=MODEL, source="studio")
        for n, colour in enumerate(colours)
    ]
    site.running.wait_until_idle(timeout_s=240)
    for drop, colour in zip(drops, colours, strict=True):
        label_drop(drop, colour, "reviewer", datetime.now(UTC), drops=records, labels=labels)


def small_recipe() -> str:
    changes = {r"channels = .*": 'channels = "rgb"', **SMALL_NETWORK, r"epochs = .*": "epochs = 40"}
    changes[r"patience = .*"] = "patience = 40"
    return recipe_text("small", changes) + "\n[data]\nmax_hash_distance = 0\ntest = 0.25\nvalidation = 0.25\n"


def order_training(site: RunningSystem) -> dict[str, Any]:
    return invoke_function(site, "Train", {"model": MODEL, "recipe": small_recipe()})


def test_training_survives_refusals_a_kill_lost_spot_capacity_and_lost_events(
    site: RunningSystem, jobs: DynamoTrainingJobs, trainer: Path
):
    drop_labelled_pictures(site, 60)
    trainings = site.running.training_jobs
    trainings.capacity_refusals, trainings.events_suppressed = 3, True
    earlier = set(trainings.jobs)

    refused = order_training(site)
    (stored,) = [one for one in jobs.list_all() if one.job.name == refused["job"]]
    assert (refused["state"], stored.job.detail) == ("waiting", "no capacity")
    make_jobs_due(jobs)
    invoke_function(site, "TrainingJobs")
    again = order_training(site)
    assert (again["job"], again["state"]) == (refused["job"], "running")

    wait_for_checkpoint(site, first := again["job"])
    trainings.kill(first)
    wait_until(lambda: trainings.jobs[first].status == "Failed")
    invoke_function(site, "TrainingJobs")
    wait_for_checkpoint(site, second := first.removesuffix("1") + "2")
    trainings.interrupt(second)
    finished_row = wait_until(lambda: finished_job(site, jobs, stored.job.spec.id), within_s=JOB_TIMEOUT_S)

    trainings.events_suppressed = False
    releases = DynamoReleases(
        site.cloud.client("dynamodb"), site.cloud.outputs["RecordsTable"]
    ).read_releases(MODEL)
    assert finished_row.failure_note == ""
    assert releases.find(finished_row.release) is not None
    assert [name for name in trainings.jobs if name not in earlier] == [first, second]
    assert trainings.log(second).count("resumed") == 2
    assert trainings.jobs[second].interruptions == 1


def wait_for_checkpoint(site: RunningSystem, name: str) -> None:
    """Returns once a job has left a checkpoint of its own."""
    wait_until(lambda: "epoch=" in site.running.training_jobs.log(name), within_s=JOB_TIMEOUT_S)


def make_jobs_due(jobs: DynamoTrainingJobs) -> None:
    """As if the five minutes of waiting were over."""
    for stored in jobs.list_all():
        jobs.save(replace(stored, job=replace(stored.job, next_attempt_at=stored.job.since)))


def finished_job(site: RunningSystem, jobs: DynamoTrainingJobs, spec_id: str) -> TrainingRun | None:
    """What the tick of a schedule makes of it: nobody was told that the job ended."""
    invoke_function(site, "TrainingJobs")
    stored = jobs.find(spec_id)
    return None if stored is None or stored.is_open else stored


def test_an_unknown_drop_cannot_be_labelled(site: RunningSystem):
    labels, records = labels_and_records(site)

    unseen, at = compute_drop_id("b", "k", "v", MODEL), datetime.now(UTC)

    with pytest.raises(CannotLabel):
        label_drop(unseen, "red", "reviewer", at, drops=records, labels=labels)


def test_without_labels_no_training_is_started(site: RunningSystem):
    result = invoke_function(site, "Train", {"model": "faces", "recipe": small_recipe()})

    assert json.dumps(result["error"]["kind"]) == '"InsufficientData"'


# MERGED: A model that sees another world sets off an alarm, and the alarm orders a lesson: one, and no
#   second.

LAST_TRAINED_AT = datetime.now(UTC) - timedelta(days=8)
ALARM_TIMEOUT_S = 400.0


def output_sketch(score: float) -> OutputSketch:
    return sketch_of(Sighting("red", "known", score) for _ in range(300))


def test_a_drifted_model_is_retrained_once(site: RunningSystem):
    rows, table = site.cloud.client("dynamodb"), site.cloud.outputs["RecordsTable"]
    states, sketches = DynamoStateStore(rows, table), DynamoSketches(rows, table)
    drop_labelled_pictures(site, 60)
    library = S3ObjectStore(site.cloud.client("s3"), site.cloud.outputs["StoreBucket"])
    library.put_object(f"recipes/{MODEL}.toml", small_recipe().encode())
    states.put("trained_models", {"models": [MODEL]})
    states.put(f"last_training#{MODEL}", {"data": "d1", "at": LAST_TRAINED_AT.isoformat()})
    (record,) = site.wait_until_completed(
        site.drop_bytes(noisy_picture("red", 1), name="red.png", model=MODEL, source="studio")
    )
    release = str(record["release"])
    states.put(f"drift_reference#{MODEL}#{release}", sketch_to_row(output_sketch(0.95)))
    sketches.add(MODEL, release, output_sketch(0.45), datetime.now(UTC))
    before = {job.name for job in open_jobs(site)}
    site.running.training_jobs.capacity_refusals = 1000

    invoke_function(site, "TrainingJobs")
    (job,) = wait_until(
        lambda: [one for one in open_jobs(site) if one.name not in before], within_s=ALARM_TIMEOUT_S
    )
    invoke_function(site, "TrainingJobs")

    site.running.training_jobs.capacity_refusals = 0
    ended = [one for one in open_jobs(site) if one.name not in before]
    alarms = site.cloud.client("cloudwatch").describe_alarms(AlarmNames=["vigil-test-drift"])["MetricAlarms"]
    assert [alarm["StateValue"] for alarm in alarms] == ["ALARM"]
    assert [(one.name, one.state) for one in ended] == [(job.name, "waiting")]
    DynamoTrainingJobs(rows, table).save(TrainingRun(replace(ended[0], state="stopped")))


def open_jobs(site: RunningSystem) -> list[TrainingJob]:
    jobs = DynamoTrainingJobs(site.cloud.client("dynamodb"), site.cloud.outputs["RecordsTable"])
    return [kept.job for kept in jobs.for_model(MODEL) if kept.is_open]
