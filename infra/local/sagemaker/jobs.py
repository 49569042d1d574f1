"""Training jobs at work: each in a process of its own, its states told on the default bus."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from infra.local.process import ProcessGroup, kill_process
from infra.local.sagemaker.job import TERMINAL_STATUSES, JobFolders, TrainingJob, load_jobs
from infra.local.threads import ThreadSupervisor
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
"""Starts the entry point over a root folder, its output going to a file descriptor. Raises NoContainer."""

POLL_INTERVAL_S = 0.05


class ContainerUnavailable(Exception):
    """Nothing can be started; the message says why."""


class TrainingJobs:
    """All jobs of this cloud; those that were at work when it ended go on from their checkpoints.

    grace_s  that a container has for leaving, once it is told to

    For fault injection:

    refusals  so many calls of CreateTrainingJob are refused for want of capacity
    silent    state changes are told to nobody
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
        """Go on with what was at work when the cloud ended."""
        for job in self.jobs.values():
            if job.status not in TERMINAL_STATUSES:
                self._supervisor.start_thread(f"training {job.name}", partial(self._run_job, job))

    def start(self, request: Mapping[str, Any], arn: str) -> TrainingJob:
        """A new job; it runs in the background."""
        job = self.jobs[request["TrainingJobName"]] = TrainingJob(request, arn, datetime.now(UTC))
        shutil.rmtree(self._folder / job.name, ignore_errors=True)
        self._set_status(job, "InProgress", "Starting")
        self._supervisor.start_thread(f"training {job.name}", partial(self._run_job, job))
        return job

    def stop(self, name: str) -> None:
        """Ask a job to end; it may leave a checkpoint first."""
        job = self.jobs[name]
        job.stop_requested.set()
        self._request_stop(job)

    def interrupt(self, name: str) -> None:
        """Take spot capacity back: the container is told to leave, and starts again elsewhere."""
        job = self.jobs[name]
        job.interrupted.set()
        self._request_stop(job)

    def kill(self, name: str) -> bool:
        """SIGKILL a job's process; whether there was one."""
        return _send_signal(self.jobs[name], signal.SIGKILL)

    def log(self, name: str) -> str:
        """What a job's container has printed."""
        path = self._folder / name / "log"
        return path.read_text("utf-8", "replace") if path.is_file() else ""

    def kill_all(self) -> None:
        """End every process."""
        for job in self.jobs.values():
            if job.process is not None:
                kill_process(job.process)

    def _run_job(self, job: TrainingJob) -> None:
        """Until its end, also over interruptions; not over the cloud's own end."""
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
        """One run of the entry point; its exit status."""
        with (self._folder / job.name / "log").open("ab") as log:
            try:
                job.process = self._start_container(folders.root, log.fileno())
            except ContainerUnavailable as error:
                job.failure_reason = str(error)
                return 1
        self._set_status(job, "InProgress", "Training")
        if job.is_stopping:  # it was told before there was anybody to tell
            self._request_stop(job)
        status = self._wait_for_exit(job, job.process)
        if not self._supervisor.stopping.is_set():
            folders.upload_checkpoints(job.request)
        return status

    def _wait_for_exit(self, job: TrainingJob, process: subprocess.Popen[bytes]) -> int:
        """Its exit status: it is told to leave when its time is up, and killed if it does not."""
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
        """Written down before it is told; of a cloud that ends, nothing more."""
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


# MERGED: The container's entry point as a process of this machine, in the training environment.


def start_container(processes: ProcessGroup, root: Path, output: int) -> subprocess.Popen[bytes]:
    """Starts what the image's ENTRYPOINT starts. Raises NoContainer."""
    try:
        python = training_python()
    except TrainingEnvironmentError as error:
        raise ContainerUnavailable(str(error)) from error
    # One thread: several wait for one another by spinning, and the cloud needs the other cores.
    return processes.start(
        [TRAINING_MODULE, "--root", str(root), "--threads", "1"],
        python=[str(python)],
        environment=training_environment(),
        folder=ROOT,
        output=output,
    )
