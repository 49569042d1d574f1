"""SageMaker's training jobs on this machine: stopped, interrupted, killed, refused, there after a restart."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from infra.local.sagemaker.api import SageMakerApi
from infra.local.sagemaker.jobs import TrainingJobs
from infra.local.threads import ThreadSupervisor

ENTRY = '''
"""Counts to hyperparameter `steps`, a checkpoint a step; leaves when it is told to, unless it is deaf."""
import json, pathlib, signal, sys, time
root = pathlib.Path(sys.argv[1])
told = json.loads((root / "input/config/hyperparameters.json").read_text())
leaving = []
signal.signal(signal.SIGTERM, lambda *_: leaving.append(1))
mark = root / "checkpoints" / "at"
mark.parent.mkdir(exist_ok=True)
at = int(mark.read_text()) if mark.exists() else 0
print(f"from {at}", flush=True)
while at < int(told["steps"]):
    if leaving and "deaf" not in told:
        sys.exit(0)
    time.sleep(0.02)
    at += 1
    mark.with_suffix(".new").write_text(str(at))
    mark.with_suffix(".new").replace(mark)
(root / "model").mkdir()
(root / "model" / "weights").write_text(str(at))
'''
ARN = "arn:aws:sagemaker:eu-west-1:123456789012:training-job/j"


class FakePaginator:
    """S3's paginator over what is held."""

    def __init__(self, objects: Mapping[str, bytes]) -> None:
        self._objects = objects

    def paginate(self, *, Bucket: str, Prefix: str) -> Iterator[dict[str, Any]]:  # noqa: N803 - S3's words
        yield {"Contents": [{"Key": key} for key in sorted(self._objects) if key.startswith(Prefix)]}


@dataclass
class FakeBucket:
    """As much of an S3 client as folders need."""

    objects: dict[str, bytes] = field(default_factory=dict)

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> None:  # noqa: N803 - S3's words
        self.objects[Key] = Body

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - S3's words
        return {"Body": BytesIO(self.objects[Key])}

    def get_paginator(self, _: str) -> FakePaginator:
        return FakePaginator(self.objects)


@dataclass
class TrainingHarness:
    """One cloud's jobs, over a folder and a bucket that outlive it."""

    folder: Path
    bucket: FakeBucket = field(default_factory=FakeBucket)
    status_changes: list[tuple[str, str]] = field(default_factory=list)
    supervisor: ThreadSupervisor = field(default_factory=ThreadSupervisor)

    def __post_init__(self) -> None:
        self.jobs = TrainingJobs(
            self.folder,
            s3=self.bucket,
            emit_event=lambda _, __, job: self.status_changes.append(
                (job["TrainingJobStatus"], job["SecondaryStatus"])
            ),
            start_container=start_entry_point,
            supervisor=self.supervisor,
            grace_s=0.3,
        )

    def start_job(self, name: str = "j", *, limit_s: float = 60, **hyperparameters: str) -> None:
        """A job that takes half a minute, if nothing else is said."""
        request = {
            "TrainingJobName": name,
            "HyperParameters": {"steps": "1500"} | hyperparameters,
            "OutputDataConfig": {"S3OutputPath": "s3://b/jobs"},
            "CheckpointConfig": {"S3Uri": "s3://b/checkpoints/lesson/"},
            "StoppingCondition": {"MaxRuntimeInSeconds": limit_s},
        }
        self.jobs.start(request, ARN)

    def wait_for_checkpoint(self, name: str = "j", runs: int = 1) -> int:
        """The step that is reached, once a checkpoint of so many runs is left."""
        checkpoint = self.folder / name / "ml" / "checkpoints" / "at"
        wait_until(lambda: self.jobs.log(name).count("from ") == runs and checkpoint.exists())
        step = int(checkpoint.read_text())
        wait_until(lambda: int(checkpoint.read_text()) > step)
        return step

    def wait_for_end(self, name: str = "j") -> dict[str, Any]:
        wait_until(
            lambda: self.jobs.jobs[name].ended_at is not None and self.status_changes[-1][0] != "InProgress"
        )
        return self.jobs.jobs[name].describe()

    def close(self) -> None:
        self.supervisor.stopping.set()
        self.jobs.kill_all()


def start_entry_point(root: Path, output: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", ENTRY, str(root)], stdout=output, start_new_session=True)


def wait_until(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "did not come to hold"
        time.sleep(0.01)


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[TrainingHarness]:
    running = TrainingHarness(tmp_path)
    yield running
    running.close()


def first_steps(log: str) -> list[int]:
    """At which step each run of the container began."""
    return [int(line.removeprefix("from ")) for line in log.splitlines()]


def test_a_job_runs_to_its_end_and_leaves_its_model(harness: TrainingHarness):
    harness.start_job(steps="2")

    told = harness.wait_for_end()

    assert told["TrainingJobStatus"] == "Completed"
    assert told["ModelArtifacts"]["S3ModelArtifacts"] == "s3://b/jobs/j/output/model.tar.gz"
    assert "jobs/j/output/model.tar.gz" in harness.bucket.objects
    assert [secondary for _, secondary in harness.status_changes] == [
        "Starting",
        "Downloading",
        "Training",
        "Completed",
    ]
    assert first_steps(harness.jobs.log("j")) == [0]


def test_a_stopped_job_leaves_a_checkpoint_and_no_model(harness: TrainingHarness):
    harness.start_job()
    at = harness.wait_for_checkpoint()

    harness.jobs.stop("j")

    assert harness.wait_for_end()["TrainingJobStatus"] == "Stopped"
    assert int(harness.bucket.objects["checkpoints/lesson/at"]) >= at
    assert not [key for key in harness.bucket.objects if key.startswith("jobs/")]


def test_a_job_stopped_before_its_container_runs_is_stopped_all_the_same(harness: TrainingHarness):
    harness.start_job()
    harness.jobs.stop("j")

    assert harness.wait_for_end()["TrainingJobStatus"] == "Stopped"


def test_spot_capacity_taken_back_costs_nothing_but_time(harness: TrainingHarness):
    harness.start_job(steps="60")
    at = harness.wait_for_checkpoint()

    harness.jobs.interrupt("j")
    told = harness.wait_for_end()

    assert told["TrainingJobStatus"] == "Completed"
    assert ("InProgress", "Interrupted") in harness.status_changes
    first, second = first_steps(harness.jobs.log("j"))
    assert (first, second >= at) == (0, True)
    assert harness.jobs.jobs["j"].interruptions == 1


def test_a_container_that_will_not_leave_is_killed_and_begins_again_where_it_was(harness: TrainingHarness):
    harness.start_job(steps="60", deaf="yes")
    at = harness.wait_for_checkpoint()

    harness.jobs.interrupt("j")

    assert harness.wait_for_end()["TrainingJobStatus"] == "Completed"
    assert first_steps(harness.jobs.log("j"))[1] >= at


def test_a_killed_process_fails_its_job_and_the_next_attempt_goes_on_from_its_checkpoint(
    harness: TrainingHarness,
):
    harness.start_job("first", steps="60")
    at = harness.wait_for_checkpoint("first")

    assert harness.jobs.kill("first")
    failed = harness.wait_for_end("first")
    harness.start_job("second", steps="60")

    assert failed["TrainingJobStatus"] == "Failed"
    assert failed["FailureReason"] == "AlgorithmError: , exit code: 137"
    assert harness.wait_for_end("second")["TrainingJobStatus"] == "Completed"
    assert first_steps(harness.jobs.log("second"))[0] >= at


def test_a_job_that_takes_too_long_is_stopped(harness: TrainingHarness):
    harness.start_job(limit_s=0.5)

    told = harness.wait_for_end()

    assert (told["TrainingJobStatus"], told["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")


def test_a_job_goes_on_after_the_cloud_was_ended(harness: TrainingHarness, tmp_path: Path):
    harness.start_job(steps="100")
    at = harness.wait_for_checkpoint()
    harness.close()

    again = TrainingHarness(tmp_path, harness.bucket)
    again.jobs.resume_unfinished()
    told = again.wait_for_end()
    again.close()

    assert told["TrainingJobStatus"] == "Completed"
    assert list(again.jobs.jobs) == ["j"]
    assert first_steps(again.jobs.log("j"))[1] >= at


def test_what_ended_stays_ended_after_a_restart(harness: TrainingHarness, tmp_path: Path):
    harness.start_job(steps="1")
    before = harness.wait_for_end()
    harness.close()

    again = TrainingHarness(tmp_path, harness.bucket)
    again.jobs.resume_unfinished()

    assert again.jobs.jobs["j"].describe() == before
    assert not again.status_changes


def test_the_api_tells_lists_stops_and_makes_no_second_job_of_a_name(harness: TrainingHarness):
    harness.start_job(steps="1")
    ended = harness.wait_for_end()
    api = SageMakerApi(harness.jobs)

    assert call_api(api, "DescribeTrainingJob") == ended
    assert call_api(api, "ListTrainingJobs")["TrainingJobSummaries"][0]["TrainingJobStatus"] == "Completed"
    assert "in status Completed" in call_api(api, "StopTrainingJob")["message"]
    assert call_api(api, "CreateTrainingJob")["__type"] == "ResourceInUse"


def test_a_refused_job_is_no_job(harness: TrainingHarness):
    harness.jobs.capacity_refusals = 1

    assert call_api(SageMakerApi(harness.jobs), "CreateTrainingJob")["__type"] == "ResourceLimitExceeded"
    assert not harness.jobs.jobs


def test_a_silent_cloud_tells_nobody_and_knows_it_all_the_same(harness: TrainingHarness):
    harness.jobs.events_suppressed = True

    harness.start_job(steps="1")
    wait_until(lambda: harness.jobs.jobs["j"].status == "Completed")

    assert not harness.status_changes


def call_api(api: SageMakerApi, call: str) -> dict[str, Any]:
    answer = api.handle(f"SageMaker.{call}", json.dumps({"TrainingJobName": "j"}).encode())
    assert isinstance(answer.body, dict)
    return answer.body
