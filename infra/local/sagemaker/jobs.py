"""SageMaker training jobs as local processes, and the part of SageMaker's API for them."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from infra.local.lambda_.api import ApiResponse, api_response
from infra.local.process import ProcessGroup, ThreadSupervisor, kill_process
from infra.local.sagemaker.job import TERMINAL_STATUSES, JobFolders, TrainingJob, load_jobs
from models.training.environment import (
    ROOT,
    TRAINING_MODULE,
    TrainingEnvironmentError,
    training_environment,
    training_python,
)

EmitEvent = Callable[[str, str, Mapping[str, Any]], None]
"""Emits (source, detail type, detail)."""

StartContainer = Callable[[Path, int], subprocess.Popen[bytes]]
"""Starts the entry point on a root folder, with output to a descriptor. Raises ContainerUnavailable."""

POLL_INTERVAL_S = 0.05
TARGET_PREFIX = "SageMaker."
TRAINING_JOB_ARN = "arn:aws:sagemaker:eu-west-1:123456789012:training-job/{}"
_JOB_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")


class ContainerUnavailable(Exception):
    """The training environment does not exist; the message says why."""


class TrainingJobs:
    """All training jobs of a cloud.

    grace_s            seconds between SIGTERM and SIGKILL
    capacity_refusals  for fault injection: number of CreateTrainingJob calls to refuse for lack of capacity
    events_suppressed  for fault injection: state changes are not published
    """

    def __init__(
        self,
        folder: Path,
        *,
        s3: Any,
        emit_event: EmitEvent,
        start_container: StartContainer,
        supervisor: ThreadSupervisor,
        grace_s: float = 120.0,
    ) -> None:
        self._folder, self._s3, self._emit_event = folder, s3, emit_event
        self._start_container, self._supervisor, self._grace_s = start_container, supervisor, grace_s
        self.jobs: dict[str, TrainingJob] = {job.name: job for job in load_jobs(folder)}
        self.capacity_refusals = 0
        self.events_suppressed = False

    def resume_unfinished(self) -> None:
        """Resume the jobs that ran when the last cloud ended, from their checkpoints."""
        for job in self.jobs.values():
            if job.status not in TERMINAL_STATUSES:
                self._supervisor.start_thread(f"training {job.name}", partial(self._run_job, job))

    def start(self, request: Mapping[str, Any], arn: str) -> TrainingJob:
        """Start a job in the background."""
        job = self.jobs[request["TrainingJobName"]] = TrainingJob(request, arn, datetime.now(UTC))
        shutil.rmtree(self._folder / job.name, ignore_errors=True)
        self._set_status(job, "InProgress", "Starting")
        self._supervisor.start_thread(f"training {job.name}", partial(self._run_job, job))
        return job

    def stop(self, name: str) -> None:
        """Request the end of a job; it can write a checkpoint first."""
        job = self.jobs[name]
        job.stop_requested.set()
        self._request_stop(job)

    def interrupt(self, name: str) -> None:
        """Interrupt a job as spot capacity does: its container is stopped and started again."""
        job = self.jobs[name]
        job.interrupted.set()
        self._request_stop(job)

    def kill(self, name: str) -> bool:
        """Kill a job's process; returns whether there was one."""
        return _send_signal(self.jobs[name], signal.SIGKILL)

    def log(self, name: str) -> str:
        """Return the output of a job's container."""
        path = self._folder / name / "log"
        return path.read_text("utf-8", "replace") if path.is_file() else ""

    def kill_all(self) -> None:
        """Kill the processes of all jobs."""
        for job in self.jobs.values():
            if job.process is not None:
                kill_process(job.process)

    def _run_job(self, job: TrainingJob) -> None:
        """Run a job to its end, with interruptions, or until the cloud stops."""
        folders = JobFolders(self._folder / job.name / "ml", self._s3)
        self._set_status(job, "InProgress", "Downloading")
        folders.download_inputs(job.request)
        job.started_at = job.started_at or datetime.now(UTC)
        status = self._run_container(job, folders)
        while job.interrupted.is_set() and not folders.has_model and not job.stop_requested.is_set():
            job.interrupted.clear()
            job.interruptions, job.kill_deadline = job.interruptions + 1, float("inf")
            self._set_status(job, "InProgress", "Interrupted")
            status = self._run_container(job, folders)
        if not self._supervisor.stopping.is_set():
            self._finish(job, folders, status)

    def _run_container(self, job: TrainingJob, folders: JobFolders) -> int:
        """Run the entry point once; returns its exit status."""
        with (self._folder / job.name / "log").open("ab") as log:
            try:
                job.process = self._start_container(folders.root, log.fileno())
            except ContainerUnavailable as error:
                job.failure_reason = str(error)
                return 1
        self._set_status(job, "InProgress", "Training")
        if job.is_stopping:  # requested before the process existed
            self._request_stop(job)
        status = self._wait_for_exit(job, job.process)
        if not self._supervisor.stopping.is_set():
            folders.upload_checkpoints(job.request)
        return status

    def _wait_for_exit(self, job: TrainingJob, process: subprocess.Popen[bytes]) -> int:
        """Return the exit status; the process is stopped at its maximum run time, and killed if needed."""
        deadline = time.monotonic() + job.request["StoppingCondition"]["MaxRuntimeInSeconds"]
        while process.poll() is None:
            if time.monotonic() > deadline and not job.is_stopping:
                job.failure_reason = "MaxRuntimeExceeded"
                self.stop(job.name)
            if time.monotonic() > job.kill_deadline:
                kill_process(process)
            time.sleep(POLL_INTERVAL_S)
        return process.returncode

    def _finish(self, job: TrainingJob, folders: JobFolders, status: int) -> None:
        job.ended_at = datetime.now(UTC)
        if status == 0 and folders.has_model:
            folders.upload_model(job.model_url)
            self._set_status(job, "Completed", "Completed")
        elif job.stop_requested.is_set():
            secondary_status, job.failure_reason = job.failure_reason or "Stopped", ""
            self._set_status(job, "Stopped", secondary_status)
        else:
            code = 128 - status if status < 0 else status
            job.failure_reason = (
                job.failure_reason or f"AlgorithmError: {folders.failure_text}, exit code: {code}"
            )
            self._set_status(job, "Failed", "Failed")

    def _set_status(self, job: TrainingJob, status: str, secondary_status: str) -> None:
        """Save and publish a status; a stopping cloud does neither."""
        job.status, job.secondary_status = status, secondary_status
        if self._supervisor.stopping.is_set():
            return
        job.save(self._folder / job.name)
        if not self.events_suppressed:
            self._emit_event("aws.sagemaker", "SageMaker Training Job State Change", job.describe())

    def _request_stop(self, job: TrainingJob) -> None:
        job.kill_deadline = time.monotonic() + self._grace_s
        _send_signal(job, signal.SIGTERM)


def _send_signal(job: TrainingJob, number: int) -> bool:
    running = job.process is not None and job.process.poll() is None and job.status not in TERMINAL_STATUSES
    if running and job.process is not None:
        job.process.send_signal(number)
    return running


def start_container(processes: ProcessGroup, root: Path, output: int) -> subprocess.Popen[bytes]:
    """Start the image's entry point in the training environment. Raises ContainerUnavailable."""
    try:
        python = training_python()
    except TrainingEnvironmentError as error:
        raise ContainerUnavailable(str(error)) from error
    # More threads would wait for one another by spinning on cores that the cloud needs.
    return processes.start(
        [TRAINING_MODULE, "--root", str(root), "--threads", "1"],
        python=[str(python)],
        environment=training_environment(),
        folder=ROOT,
        output=output,
    )


class SageMakerApi:
    """Implements the operations of training jobs by X-Amz-Target."""

    def __init__(self, jobs: TrainingJobs) -> None:
        self._jobs = jobs
        self._operations: Mapping[str, Callable[[dict[str, Any]], ApiResponse]] = {
            "CreateTrainingJob": self._create_training_job,
            "DescribeTrainingJob": self._describe_training_job,
            "StopTrainingJob": self._stop_training_job,
            "ListTrainingJobs": self._list_training_jobs,
        }

    def handle(self, target: str, body: bytes) -> ApiResponse:
        """Answer one API call."""
        operation = self._operations.get(target.removeprefix(TARGET_PREFIX))
        if operation is None:
            return _error_response("UnknownOperationException", f"the local cloud does not support {target}")
        return operation(json.loads(body or b"{}"))

    def _create_training_job(self, request: dict[str, Any]) -> ApiResponse:
        name = request["TrainingJobName"]
        if not _JOB_NAME.fullmatch(name):
            return _error_response(
                "ValidationException", f"TrainingJobName {name!r} must be letters, digits, hyphens"
            )
        if name in self._jobs.jobs:
            return _error_response("ResourceInUse", f"Training job names must be unique: {name}")
        if self._jobs.capacity_refusals > 0:
            self._jobs.capacity_refusals -= 1
            return _error_response("ResourceLimitExceeded", "no capacity (injected fault)")
        return api_response({"TrainingJobArn": self._jobs.start(request, TRAINING_JOB_ARN.format(name)).arn})

    def _describe_training_job(self, request: dict[str, Any]) -> ApiResponse:
        job = self._jobs.jobs.get(request["TrainingJobName"])
        return api_response(job.describe()) if job else _not_found(request)

    def _stop_training_job(self, request: dict[str, Any]) -> ApiResponse:
        job = self._jobs.jobs.get(request["TrainingJobName"])
        if job is None:
            return _not_found(request)
        if job.status in TERMINAL_STATUSES:
            text = f"The request was rejected because the training job is in status {job.status}."
            return _error_response("ValidationException", text)
        self._jobs.stop(job.name)
        return api_response({})

    def _list_training_jobs(self, _request: dict[str, Any]) -> ApiResponse:
        names = ("TrainingJobArn", "CreationTime", "TrainingJobStatus", "TrainingJobName")
        descriptions = [job.describe() for job in self._jobs.jobs.values()]
        return api_response(
            {"TrainingJobSummaries": [{name: one[name] for name in names} for one in descriptions]}
        )


def _not_found(request: Mapping[str, Any]) -> ApiResponse:
    return _error_response(
        "ValidationException", f"Requested resource not found: {request['TrainingJobName']}"
    )


def _error_response(code: str, text: str) -> ApiResponse:
    return api_response({"__type": code, "message": text}, 400)
