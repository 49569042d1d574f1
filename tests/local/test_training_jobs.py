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

from infra.local.health import Health
from infra.local.training.api import SageMakerApi
from infra.local.training.jobs import Jobs

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


class Pages:
    """S3's paginator over what is held."""

    def __init__(self, held: Mapping[str, bytes]) -> None:
        self._held = held

    def paginate(self, *, Bucket: str, Prefix: str) -> Iterator[dict[str, Any]]:  # noqa: N803 - S3's words
        yield {"Contents": [{"Key": key} for key in sorted(self._held) if key.startswith(Prefix)]}


@dataclass
class Bucket:
    """As much of an S3 client as folders need."""

    held: dict[str, bytes] = field(default_factory=dict)

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> None:  # noqa: N803 - S3's words
        self.held[Key] = Body

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - S3's words
        return {"Body": BytesIO(self.held[Key])}

    def get_paginator(self, _: str) -> Pages:
        return Pages(self.held)


@dataclass
class Yard:
    """One cloud's jobs, over a folder and a bucket that outlive it."""

    folder: Path
    bucket: Bucket = field(default_factory=Bucket)
    told: list[tuple[str, str]] = field(default_factory=list)
    health: Health = field(default_factory=Health)

    def __post_init__(self) -> None:
        self.jobs = Jobs(
            self.folder,
            s3=self.bucket,
            tell=lambda _, __, job: self.told.append((job["TrainingJobStatus"], job["SecondaryStatus"])),
            container=_started,
            health=self.health,
            grace_s=0.3,
        )

    def begin(self, name: str = "j", *, limit_s: float = 60, **told: str) -> None:
        """A job that takes half a minute, if nothing else is said."""
        asked = {
            "TrainingJobName": name,
            "HyperParameters": {"steps": "1500"} | told,
            "OutputDataConfig": {"S3OutputPath": "s3://b/jobs"},
            "CheckpointConfig": {"S3Uri": "s3://b/checkpoints/lesson/"},
            "StoppingCondition": {"MaxRuntimeInSeconds": limit_s},
        }
        self.jobs.start(asked, ARN)

    def at_work(self, name: str = "j", runs: int = 1) -> int:
        """The step that is reached, once a checkpoint of so many runs is left."""
        mark = self.folder / name / "ml" / "checkpoints" / "at"
        until(lambda: self.jobs.log(name).count("from ") == runs and mark.exists())
        at = int(mark.read_text())
        until(lambda: int(mark.read_text()) > at)
        return at

    def ended(self, name: str = "j") -> dict[str, Any]:
        until(lambda: self.jobs.jobs[name].ended is not None and self.told[-1][0] != "InProgress")
        return self.jobs.jobs[name].described()

    def close(self) -> None:
        self.health.stopping.set()
        self.jobs.close()


def _started(root: Path, output: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", ENTRY, str(root)], stdout=output, start_new_session=True)


def until(holds: Callable[[], bool], within_s: float = 20.0) -> None:
    ends = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < ends, "did not come to hold"
        time.sleep(0.01)


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    made = Yard(tmp_path)
    yield made
    made.close()


def begun(log: str) -> list[int]:
    """At which step each run of the container began."""
    return [int(line.removeprefix("from ")) for line in log.splitlines()]


def test_a_job_runs_to_its_end_and_leaves_its_model(yard: Yard):
    yard.begin(steps="2")

    told = yard.ended()

    assert told["TrainingJobStatus"] == "Completed"
    assert told["ModelArtifacts"]["S3ModelArtifacts"] == "s3://b/jobs/j/output/model.tar.gz"
    assert "jobs/j/output/model.tar.gz" in yard.bucket.held
    assert [secondary for _, secondary in yard.told] == ["Starting", "Downloading", "Training", "Completed"]
    assert begun(yard.jobs.log("j")) == [0]


def test_a_stopped_job_leaves_a_checkpoint_and_no_model(yard: Yard):
    yard.begin()
    at = yard.at_work()

    yard.jobs.stop("j")

    assert yard.ended()["TrainingJobStatus"] == "Stopped"
    assert int(yard.bucket.held["checkpoints/lesson/at"]) >= at
    assert not [key for key in yard.bucket.held if key.startswith("jobs/")]


def test_a_job_stopped_before_its_container_runs_is_stopped_all_the_same(yard: Yard):
    yard.begin()
    yard.jobs.stop("j")

    assert yard.ended()["TrainingJobStatus"] == "Stopped"


def test_spot_capacity_taken_back_costs_nothing_but_time(yard: Yard):
    yard.begin(steps="60")
    at = yard.at_work()

    yard.jobs.interrupt("j")
    told = yard.ended()

    assert told["TrainingJobStatus"] == "Completed"
    assert ("InProgress", "Interrupted") in yard.told
    first, second = begun(yard.jobs.log("j"))
    assert (first, second >= at) == (0, True)
    assert yard.jobs.jobs["j"].interruptions == 1


def test_a_container_that_will_not_leave_is_killed_and_begins_again_where_it_was(yard: Yard):
    yard.begin(steps="60", deaf="yes")
    at = yard.at_work()

    yard.jobs.interrupt("j")

    assert yard.ended()["TrainingJobStatus"] == "Completed"
    assert begun(yard.jobs.log("j"))[1] >= at


def test_a_killed_process_fails_its_job_and_the_next_attempt_goes_on_from_its_checkpoint(yard: Yard):
    yard.begin("first", steps="60")
    at = yard.at_work("first")

    assert yard.jobs.kill("first")
    failed = yard.ended("first")
    yard.begin("second", steps="60")

    assert failed["TrainingJobStatus"] == "Failed"
    assert failed["FailureReason"] == "AlgorithmError: , exit code: 137"
    assert yard.ended("second")["TrainingJobStatus"] == "Completed"
    assert begun(yard.jobs.log("second"))[0] >= at


def test_a_job_that_takes_too_long_is_stopped(yard: Yard):
    yard.begin(limit_s=0.5)

    told = yard.ended()

    assert (told["TrainingJobStatus"], told["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")


def test_a_job_goes_on_after_the_cloud_was_ended(yard: Yard, tmp_path: Path):
    yard.begin(steps="100")
    at = yard.at_work()
    yard.close()

    again = Yard(tmp_path, yard.bucket)
    again.jobs.resume()
    told = again.ended()
    again.close()

    assert told["TrainingJobStatus"] == "Completed"
    assert list(again.jobs.jobs) == ["j"]
    assert begun(again.jobs.log("j"))[1] >= at


def test_what_ended_stays_ended_after_a_restart(yard: Yard, tmp_path: Path):
    yard.begin(steps="1")
    before = yard.ended()
    yard.close()

    again = Yard(tmp_path, yard.bucket)
    again.jobs.resume()

    assert again.jobs.jobs["j"].described() == before
    assert not again.told


def test_the_api_tells_lists_stops_and_makes_no_second_job_of_a_name(yard: Yard):
    yard.begin(steps="1")
    ended = yard.ended()
    api = SageMakerApi(yard.jobs)

    assert _called(api, "DescribeTrainingJob") == ended
    assert _called(api, "ListTrainingJobs")["TrainingJobSummaries"][0]["TrainingJobStatus"] == "Completed"
    assert "in status Completed" in _called(api, "StopTrainingJob")["message"]
    assert _called(api, "CreateTrainingJob")["__type"] == "ResourceInUse"


def test_a_refused_job_is_no_job(yard: Yard):
    yard.jobs.refusals = 1

    assert _called(SageMakerApi(yard.jobs), "CreateTrainingJob")["__type"] == "ResourceLimitExceeded"
    assert not yard.jobs.jobs


def test_a_silent_cloud_tells_nobody_and_knows_it_all_the_same(yard: Yard):
    yard.jobs.silent = True

    yard.begin(steps="1")
    until(lambda: yard.jobs.jobs["j"].status == "Completed")

    assert not yard.told


def _called(api: SageMakerApi, call: str) -> dict[str, Any]:
    answer = api.call(f"SageMaker.{call}", json.dumps({"TrainingJobName": "j"}).encode())
    assert isinstance(answer.body, dict)
    return answer.body
