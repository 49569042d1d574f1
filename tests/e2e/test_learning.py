"""Labels become a data set, a job, a release on record: though refused, killed, interrupted, unheard of."""

import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cloud.jobs import DynamoJobs, Kept
from cloud.labels import DynamoLabels
from cloud.lives import DynamoLives
from cloud.store import Store
from tests.e2e.conftest import Site, until
from tests.e2e.test_steady import invoked
from tests.training.jobs import SMALL, recipe
from vigil.drops import drop_id
from vigil.flow.label import NotToLabel, label
from vigil.watch.rules import DEFAULT

MODEL = "tiny-lessons"
COLOURS = {"red": 0, "green": 1, "blue": 2}
JOB_S = 100.0
OPEN = f'{DEFAULT.read_text()}\n[sources.studio]\nlearn = "always"\n'


def picture(colour: str, seed: int) -> bytes:
    """Mostly of one colour, and noise that makes it like no other."""
    pixels = np.random.default_rng(seed).integers(0, 130, (24, 24, 3)).astype(np.uint8)
    pixels[:, :, COLOURS[colour]] += 110
    packed = io.BytesIO()
    Image.fromarray(pixels).save(packed, "PNG")
    return packed.getvalue()


@pytest.fixture
def jobs(site: Site) -> DynamoJobs:
    return DynamoJobs(site.cloud.client("dynamodb"), site.cloud.outputs["RecordsTable"])


def labelled(site: Site, count: int) -> None:
    """Drops of a source that models may learn from, and what they show."""
    Store(site.cloud.client("s3"), site.cloud.outputs["StoreBucket"]).put_watch(OPEN)
    labels = DynamoLabels(site.cloud.client("dynamodb"), site.cloud.outputs["RecordsTable"])
    shown = [list(COLOURS)[n % 3] for n in range(count)]
    drops = [
        site.put(picture(colour, n), name="colour.png", model=MODEL, source="studio")
        for n, colour in enumerate(shown)
    ]
    site.running.quiet(timeout_s=60)
    for drop, colour in zip(drops, shown, strict=True):
        label(drop, colour, "reviewer", datetime.now(UTC), drops=site.cloud.records, labels=labels)


def small() -> str:
    changes = {r"channels = .*": 'channels = "rgb"', **SMALL, r"epochs = .*": "epochs = 40"}
    changes[r"patience = .*"] = "patience = 40"
    return recipe("small", changes) + "\n[data]\nnear_bits = 0\ntest = 0.25\nvalidation = 0.25\n"


def ordered(site: Site) -> dict[str, Any]:
    return invoked(site, "Train", {"model": MODEL, "recipe": small()})


def test_a_lesson_survives_refusals_a_kill_lost_spot_capacity_and_lost_events(
    site: Site, jobs: DynamoJobs, trainer: Path
):
    labelled(site, 60)
    trainings = site.running.trainings
    trainings.refusals, trainings.silent = 3, True
    earlier = set(trainings.jobs)

    refused = ordered(site)
    (kept,) = [one for one in jobs.all() if one.job.name == refused["job"]]
    assert (refused["state"], kept.job.text) == ("waiting", "no capacity")
    overdue(jobs)
    invoked(site, "Retrain")
    again = ordered(site)
    assert (again["job"], again["state"]) == (refused["job"], "running")

    at_work(site, first := again["job"])
    trainings.kill(first)
    until(lambda: trainings.jobs[first].status == "Failed")
    invoked(site, "Retrain")
    at_work(site, second := first.removesuffix("1") + "2")
    trainings.interrupt(second)
    made = until(lambda: finished(site, jobs, kept.job.lesson.id), within_s=JOB_S)

    trainings.silent = False
    standing = DynamoLives(site.cloud.client("dynamodb"), site.cloud.outputs["RecordsTable"]).book(MODEL)
    assert made.note == ""
    assert standing.find(made.release) is not None
    assert [name for name in trainings.jobs if name not in earlier] == [first, second]
    assert trainings.log(second).count("resumed") == 2
    assert trainings.jobs[second].interruptions == 1


def at_work(site: Site, name: str) -> None:
    """Returns once a job has left a checkpoint of its own."""
    until(lambda: "epoch=" in site.running.trainings.log(name), within_s=JOB_S)


def overdue(jobs: DynamoJobs) -> None:
    """As if the five minutes of waiting were over."""
    for kept in jobs.all():
        jobs.keep(replace(kept, job=replace(kept.job, due=kept.job.since)))


def finished(site: Site, jobs: DynamoJobs, lesson: str) -> Kept | None:
    """What the tick of a schedule makes of it: nobody was told that the job ended."""
    invoked(site, "Retrain")
    kept = jobs.find(lesson)
    return None if kept is None or kept.open else kept


def test_what_was_never_seen_cannot_be_labelled(site: Site):
    labels = DynamoLabels(site.cloud.client("dynamodb"), site.cloud.outputs["RecordsTable"])

    unseen, at = drop_id("b", "k", "v", MODEL), datetime.now(UTC)

    with pytest.raises(NotToLabel):
        label(unseen, "red", "reviewer", at, drops=site.cloud.records, labels=labels)


def test_without_labels_there_is_no_lesson(site: Site):
    told = invoked(site, "Train", {"model": "faces", "recipe": small()})

    assert json.dumps(told["error"]["kind"]) == '"TooLittle"'
