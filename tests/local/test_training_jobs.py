"""SageMaker training jobs: completed, stopped, interrupted, killed, refused and resumed after a restart."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from infra.local.process import ThreadSupervisor
from infra.local.sagemaker.jobs import SageMakerApi, TrainingJobs
from tests.local.waiting import wait_until

ENTRY = '''
"""Writes checkpoints 1 to 5, waits for the file `go`, then writes a model.

Exits on SIGTERM unless hyperparameter `ignores_sigterm` is set.
"""
import json, pathlib, signal, sys, time
root = pathlib.Path(sys.argv[1])
hyperparameters = json.loads((root / "input/config/hyperparameters.json").read_text())
stop_requested = []
signal.signal(signal.SIGTERM, lambda *_: stop_requested.append(1))
checkpoint = root / "checkpoints" / "step"
checkpoint.parent.mkdir(exist_ok=True)
step = int(checkpoint.read_text()) if checkpoint.exists() else 0
print(f"from {step}", flush=True)
while step < 5 or not (root.parents[1] / "go").exists():
    if stop_requested and "ignores_sigterm" not in hyperparameters:
        sys.exit(0)
    time.sleep(0.02)
    step = min(step + 1, 5)
    checkpoint.with_suffix(".new").write_text(str(step))
    checkpoint.with_suffix(".new").replace(checkpoint)
(root / "model").mkdir()
(root / "model" / "weights").write_text(str(step))
'''
ARN = "arn:aws:sagemaker:eu-west-1:123456789012:training-job/j"


class FakePaginator:
    """S3's paginator over the objects of a fake bucket."""

    def __init__(self, objects: Mapping[str, bytes]) -> None:
        self._objects = objects

    def paginate(self, *, Bucket: str, Prefix: str) -> Iterator[dict[str, Any]]:  # noqa: N803 - S3's words
        yield {"Contents": [{"Key": key} for key in sorted(self._objects) if key.startswith(Prefix)]}


@dataclass
class FakeBucket:
    """The part of an S3 client that training jobs use."""

    objects: dict[str, bytes] = field(default_factory=dict)

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> None:  # noqa: N803 - S3's words
        self.objects[Key] = Body

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - S3's words
        return {"Body": BytesIO(self.objects[Key])}

    def get_paginator(self, _: str) -> FakePaginator:
        return FakePaginator(self.objects)


@dataclass
class TrainingHarness:
    """The jobs of one cloud, on a folder and a bucket that the next cloud can use again."""

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

    def start_job(self, name: str = "j", *, limit_s: float = 600, **hyperparameters: str) -> None:
        """Start a job that trains until `finish_training`."""
        request = {
            "TrainingJobName": name,
            "HyperParameters": hyperparameters,
            "OutputDataConfig": {"S3OutputPath": "s3://b/jobs"},
            "CheckpointConfig": {"S3Uri": "s3://b/checkpoints/lineage/"},
            "StoppingCondition": {"MaxRuntimeInSeconds": limit_s},
        }
        self.jobs.start(request, ARN)

    def wait_for_checkpoint(self, name: str = "j") -> int:
        """Wait until a checkpoint exists, and return its step."""
        checkpoint = self.folder / name / "ml" / "checkpoints" / "step"
        wait_until(checkpoint.exists)
        return int(checkpoint.read_text())

    def finish_training(self) -> None:
        """Let every container finish its training."""
        (self.folder / "go").touch()

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


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[TrainingHarness]:
    running = TrainingHarness(tmp_path)
    yield running
    running.close()


def first_steps(log: str) -> list[int]:
    """The step at which each run of the container began."""
    return [int(line.removeprefix("from ")) for line in log.splitlines()]


def test_a_job_completes_and_uploads_its_model(harness: TrainingHarness):
    harness.start_job()
    harness.finish_training()

    description = harness.wait_for_end()

    assert description["TrainingJobStatus"] == "Completed"
    assert description["ModelArtifacts"]["S3ModelArtifacts"] == "s3://b/jobs/j/output/model.tar.gz"
    assert "jobs/j/output/model.tar.gz" in harness.bucket.objects
    assert [secondary for _, secondary in harness.status_changes] == [
        "Starting",
        "Downloading",
        "Training",
        "Completed",
    ]
    assert first_steps(harness.jobs.log("j")) == [0]


def test_a_stopped_job_uploads_a_checkpoint_and_no_model(harness: TrainingHarness):
    harness.start_job()
    at = harness.wait_for_checkpoint()

    harness.jobs.stop("j")

    assert harness.wait_for_end()["TrainingJobStatus"] == "Stopped"
    assert int(harness.bucket.objects["checkpoints/lineage/step"]) >= at
    assert not [key for key in harness.bucket.objects if key.startswith("jobs/")]


def test_a_job_that_is_stopped_before_its_container_runs_ends_as_stopped(harness: TrainingHarness):
    harness.start_job()
    harness.jobs.stop("j")

    assert harness.wait_for_end()["TrainingJobStatus"] == "Stopped"


def test_an_interrupted_job_continues_from_its_checkpoint(harness: TrainingHarness):
    harness.start_job()
    at = harness.wait_for_checkpoint()

    harness.jobs.interrupt("j")
    wait_until(lambda: harness.jobs.jobs["j"].interruptions == 1)
    harness.finish_training()
    description = harness.wait_for_end()

    assert description["TrainingJobStatus"] == "Completed"
    assert ("InProgress", "Interrupted") in harness.status_changes
    first, second = first_steps(harness.jobs.log("j"))
    assert (first, second >= at) == (0, True)
    assert harness.jobs.jobs["j"].interruptions == 1


def test_a_container_that_ignores_sigterm_is_killed_and_continues_from_its_checkpoint(
    harness: TrainingHarness,
):
    harness.start_job(ignores_sigterm="yes")
    at = harness.wait_for_checkpoint()

    harness.jobs.interrupt("j")
    wait_until(lambda: harness.jobs.jobs["j"].interruptions == 1)
    harness.finish_training()

    assert harness.wait_for_end()["TrainingJobStatus"] == "Completed"
    assert first_steps(harness.jobs.log("j"))[1] >= at


def test_a_killed_process_fails_its_job_and_the_next_attempt_continues_from_its_checkpoint(
    harness: TrainingHarness,
):
    harness.start_job("first")
    at = harness.wait_for_checkpoint("first")

    assert harness.jobs.kill("first")
    failed = harness.wait_for_end("first")
    harness.start_job("second")
    harness.finish_training()

    assert failed["TrainingJobStatus"] == "Failed"
    assert failed["FailureReason"] == "AlgorithmError: , exit code: 137"
    assert harness.wait_for_end("second")["TrainingJobStatus"] == "Completed"
    assert first_steps(harness.jobs.log("second"))[0] >= at


def test_a_job_that_exceeds_its_maximum_run_time_is_stopped(harness: TrainingHarness):
    harness.start_job(limit_s=0.5)

    description = harness.wait_for_end()

    assert (description["TrainingJobStatus"], description["SecondaryStatus"]) == (
        "Stopped",
        "MaxRuntimeExceeded",
    )


def test_a_job_continues_after_a_restart_of_the_cloud(harness: TrainingHarness, tmp_path: Path):
    harness.start_job()
    at = harness.wait_for_checkpoint()
    harness.close()

    again = TrainingHarness(tmp_path, harness.bucket)
    again.jobs.resume_unfinished()
    again.finish_training()
    description = again.wait_for_end()
    again.close()

    assert description["TrainingJobStatus"] == "Completed"
    assert list(again.jobs.jobs) == ["j"]
    assert first_steps(again.jobs.log("j"))[1] >= at


def test_an_ended_job_is_not_resumed_after_a_restart(harness: TrainingHarness, tmp_path: Path):
    harness.start_job()
    harness.finish_training()
    before = harness.wait_for_end()
    harness.close()

    again = TrainingHarness(tmp_path, harness.bucket)
    again.jobs.resume_unfinished()

    assert again.jobs.jobs["j"].describe() == before
    assert not again.status_changes


def test_the_api_describes_lists_and_stops_jobs_and_refuses_a_second_job_of_a_name(harness: TrainingHarness):
    harness.start_job()
    harness.finish_training()
    ended = harness.wait_for_end()
    api = SageMakerApi(harness.jobs)

    assert call_api(api, "DescribeTrainingJob") == ended
    assert call_api(api, "ListTrainingJobs")["TrainingJobSummaries"][0]["TrainingJobStatus"] == "Completed"
    assert "in status Completed" in call_api(api, "StopTrainingJob")["message"]
    assert call_api(api, "CreateTrainingJob")["__type"] == "ResourceInUse"


def test_a_job_that_is_refused_for_lack_of_capacity_does_not_exist(harness: TrainingHarness):
    harness.jobs.capacity_refusals = 1

    assert call_api(SageMakerApi(harness.jobs), "CreateTrainingJob")["__type"] == "ResourceLimitExceeded"
    assert not harness.jobs.jobs


def test_a_job_without_events_still_changes_its_status(harness: TrainingHarness):
    harness.jobs.events_suppressed = True

    harness.start_job()
    harness.finish_training()
    wait_until(lambda: harness.jobs.jobs["j"].status == "Completed")

    assert not harness.status_changes


def call_api(api: SageMakerApi, call: str) -> dict[str, Any]:
    answer = api.handle(f"SageMaker.{call}", json.dumps({"TrainingJobName": "j"}).encode())
    assert isinstance(answer.body, dict)
    return answer.body
