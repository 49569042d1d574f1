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

from infra.local.health import Health
from infra.local.nursery import kill
from infra.local.training.folders import Folders
from infra.local.training.job import ENDS, Job, kept

Tell = Callable[[str, str, Mapping[str, Any]], None]
"""Emits (source, detail type, detail)."""

Container = Callable[[Path, int], subprocess.Popen[bytes]]
"""Starts the entry point over a root folder, its output going to a file descriptor. Raises NoContainer."""

LOOK_S = 0.05


class NoContainer(Exception):
    """Nothing can be started; the message says why."""


class Jobs:
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
        tell: Tell,
        container: Container,
        health: Health,
        grace_s: float = 120.0,
    ) -> None:
        self._folder, self._s3, self._tell = folder, s3, tell
        self._start_container, self._health, self._grace_s = container, health, grace_s
        self.jobs: dict[str, Job] = {job.name: job for job in kept(folder)}
        self.refusals = 0
        self.silent = False

    def resume(self) -> None:
        """Go on with what was at work when the cloud ended."""
        for job in self.jobs.values():
            if job.status not in ENDS:
                self._health.start(f"training {job.name}", partial(self._run, job))

    def start(self, asked: Mapping[str, Any], arn: str) -> Job:
        """A new job; it runs in the background."""
        job = self.jobs[asked["TrainingJobName"]] = Job(asked, arn, datetime.now(UTC))
        shutil.rmtree(self._folder / job.name, ignore_errors=True)
        self._on(job, "InProgress", "Starting")
        self._health.start(f"training {job.name}", partial(self._run, job))
        return job

    def stop(self, name: str) -> None:
        """Ask a job to end; it may leave a checkpoint first."""
        job = self.jobs[name]
        job.stopping.set()
        self._dismiss(job)

    def interrupt(self, name: str) -> None:
        """Take spot capacity back: the container is told to leave, and starts again elsewhere."""
        job = self.jobs[name]
        job.interrupted.set()
        self._dismiss(job)

    def kill(self, name: str) -> bool:
        """SIGKILL a job's process; whether there was one."""
        return _signal(self.jobs[name], signal.SIGKILL)

    def log(self, name: str) -> str:
        """What a job's container has printed."""
        path = self._folder / name / "log"
        return path.read_text("utf-8", "replace") if path.is_file() else ""

    def close(self) -> None:
        """End every process."""
        for job in self.jobs.values():
            if job.process is not None:
                kill(job.process)

    def _run(self, job: Job) -> None:
        """Until its end, also over interruptions; not over the cloud's own end."""
        folders = Folders(self._folder / job.name / "ml", self._s3)
        self._on(job, "InProgress", "Downloading")
        folders.fill(job.asked)
        job.began = job.began or datetime.now(UTC)
        status = self._container(job, folders)
        while job.interrupted.is_set() and not folders.model and not job.stopping.is_set():
            job.interrupted.clear()
            job.interruptions, job.leave_by = job.interruptions + 1, float("inf")
            self._on(job, "InProgress", "Interrupted")
            status = self._container(job, folders)
        if not self._health.stopping.is_set():
            self._end(job, folders, status)

    def _container(self, job: Job, folders: Folders) -> int:
        """One run of the entry point; its exit status."""
        with (self._folder / job.name / "log").open("ab") as log:
            try:
                job.process = self._start_container(folders.root, log.fileno())
            except NoContainer as error:
                job.reason = str(error)
                return 1
        self._on(job, "InProgress", "Training")
        if job.leaving:  # it was told before there was anybody to tell
            self._dismiss(job)
        status = self._waited(job, job.process)
        if not self._health.stopping.is_set():
            folders.keep_checkpoints(job.asked)
        return status

    def _waited(self, job: Job, process: subprocess.Popen[bytes]) -> int:
        """Its exit status: it is told to leave when its time is up, and killed if it does not."""
        ends = time.monotonic() + job.asked["StoppingCondition"]["MaxRuntimeInSeconds"]
        while process.poll() is None:
            if time.monotonic() > ends and not job.leaving:
                job.reason = "MaxRuntimeExceeded"
                self.stop(job.name)
            if time.monotonic() > job.leave_by:
                kill(process)
            time.sleep(LOOK_S)
        return process.returncode

    def _end(self, job: Job, folders: Folders, status: int) -> None:
        job.ended = datetime.now(UTC)
        if status == 0 and folders.model:
            folders.keep_model(job.artefact)
            self._on(job, "Completed", "Completed")
        elif job.stopping.is_set():
            secondary, job.reason = job.reason or "Stopped", ""
            self._on(job, "Stopped", secondary)
        else:
            code = 128 - status if status < 0 else status
            job.reason = job.reason or f"AlgorithmError: {folders.failure}, exit code: {code}"
            self._on(job, "Failed", "Failed")

    def _on(self, job: Job, status: str, secondary: str) -> None:
        """Written down before it is told; of a cloud that ends, nothing more."""
        job.status, job.secondary = status, secondary
        if self._health.stopping.is_set():
            return
        job.save(self._folder / job.name)
        if not self.silent:
            self._tell("aws.sagemaker", "SageMaker Training Job State Change", job.described())

    def _dismiss(self, job: Job) -> None:
        job.leave_by = time.monotonic() + self._grace_s
        _signal(job, signal.SIGTERM)


def _signal(job: Job, number: int) -> bool:
    running = job.process is not None and job.process.poll() is None and job.status not in ENDS
    if running and job.process is not None:
        job.process.send_signal(number)
    return running
