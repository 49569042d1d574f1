"""Training jobs at work: each in a process of its own, its states told on the default bus."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from infra.local.health import Health
from infra.local.nursery import Nursery, kill
from infra.local.training.folders import Folders
from infra.local.training.job import ENDS, Job
from infra.trainer.environment import ROOT, NoTrainer, environment, trainer_python

Tell = Callable[[str, str, Mapping[str, Any]], None]
"""Emits (source, detail type, detail)."""


class Jobs:
    """All jobs of this cloud. For fault injection:

    refusals  so many calls of CreateTrainingJob are refused for want of capacity
    silent    state changes are told to nobody
    """

    def __init__(self, folder: Path, *, s3: Any, tell: Tell, nursery: Nursery, health: Health) -> None:
        self._folder, self._s3, self._tell = folder, s3, tell
        self._nursery, self._health = nursery, health
        self.jobs: dict[str, Job] = {}
        self.refusals = 0
        self.silent = False

    def start(self, asked: Mapping[str, Any], arn: str) -> Job:
        """A new job; it runs in the background."""
        job = self.jobs[asked["TrainingJobName"]] = Job(asked, arn, datetime.now(UTC))
        self._say(job)
        self._health.start(f"training {job.name}", lambda: self._run(job))
        return job

    def stop(self, name: str) -> None:
        """Ask a job to end; it may leave a checkpoint first."""
        job = self.jobs[name]
        job.stopping.set()
        self._signal(job, signal.SIGTERM)

    def interrupt(self, name: str) -> bool:
        """Take spot capacity back; whether the job was running."""
        job = self.jobs[name]
        job.interrupted.set()
        return self._signal(job, signal.SIGTERM)

    def kill(self, name: str) -> bool:
        """SIGKILL a job's process; whether there was one."""
        return self._signal(self.jobs[name], signal.SIGKILL)

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
        """Until its end, also over interruptions."""
        root = self._folder / job.name
        shutil.rmtree(root, ignore_errors=True)
        folders = Folders(root / "ml", self._s3)
        self._on(job, "InProgress", "Downloading")
        folders.fill(job.asked)
        job.began = datetime.now(UTC)
        status = self._container(job, folders)
        while job.interrupted.is_set() and not folders.model and not job.stopping.is_set():
            job.interrupted.clear()
            job.interruptions += 1
            self._on(job, "InProgress", "Interrupted")
            status = self._container(job, folders)
        self._end(job, folders, status)

    def _container(self, job: Job, folders: Folders) -> int:
        """One run of the entry point; its exit status."""
        try:
            python = trainer_python()
        except NoTrainer as error:
            job.reason = str(error)
            return 1
        # One thread: several wait for one another by spinning, and the cloud needs the other cores.
        with (self._folder / job.name / "log").open("ab") as log:
            job.process = self._nursery.start(
                ["models.training", "--root", str(folders.root), "--threads", "1"],
                python=[str(python)],
                environment=environment(),
                folder=ROOT,
                output=log.fileno(),
            )
        self._on(job, "InProgress", "Training")
        status = self._waited(job, job.process)
        folders.keep_checkpoints(job.asked)
        return status

    def _waited(self, job: Job, process: subprocess.Popen[bytes]) -> int:
        limit_s = job.asked["StoppingCondition"]["MaxRuntimeInSeconds"]
        try:
            return process.wait(limit_s)
        except subprocess.TimeoutExpired:
            kill(process)
            job.reason = f"MaxRuntimeExceeded: {limit_s} s"
            return 1

    def _end(self, job: Job, folders: Folders, status: int) -> None:
        job.ended = datetime.now(UTC)
        if status == 0 and folders.model:
            folders.keep_model(job.artefact)
            self._on(job, "Completed", "Completed")
        elif job.stopping.is_set():
            self._on(job, "Stopped", "Stopped")
        else:
            ended = f"AlgorithmError: {folders.failure or f'the container ended with {status}'}"
            job.reason = job.reason or ended
            self._on(job, "Failed", "Failed")

    def _on(self, job: Job, status: str, secondary: str) -> None:
        job.status, job.secondary = status, secondary
        self._say(job)

    def _say(self, job: Job) -> None:
        if not self.silent and not self._health.stopping.is_set():
            self._tell("aws.sagemaker", "SageMaker Training Job State Change", job.described())

    def _signal(self, job: Job, number: int) -> bool:
        running = job.process is not None and job.process.poll() is None and job.status not in ENDS
        if running and job.process is not None:
            job.process.send_signal(number)
        return running
