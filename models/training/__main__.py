"""`python -m models.training`: runs one training job on SageMaker's folders under --root.

Exits with 0 after writing a release, or a checkpoint after SIGTERM; else with 1, and the reason is in
output/failure.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Protocol

import torch

from models.training import classifier, embedding
from models.training.errors import InvalidRecipe
from models.training.job import JobConfig, load_job_config
from models.training.sagemaker_paths import SageMakerPaths
from models.training.trainer import (
    ProgressLog,
    StopSignal,
    TrainingGroup,
    TrainingInterrupted,
    device_description,
    is_launcher,
    launch,
    training_group,
)


class Task(Protocol):
    """A task of a job."""

    def __call__(
        self, job: JobConfig, *, group: TrainingGroup, stop_signal: StopSignal, progress: ProgressLog
    ) -> None: ...


TASKS: Mapping[str, Task] = {
    "classifier": classifier.train_classifier,
    "embedding": embedding.train_embedding,
}


class FailureRecorder:
    """Writes an exception that leaves the block to the failure file."""

    def __init__(self, paths: SageMakerPaths) -> None:
        self._paths = paths

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and error is not None and not issubclass(kind, SystemExit):
            self._paths.write_failure(f"{kind.__name__}: {error}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m models.training", description="Run one training job.")
    parser.add_argument("--root", type=Path, default=Path("/opt/ml"), help="folder of the job's folders")
    parser.add_argument("--processes", type=int, default=0, help="processes; 0: one for each GPU, or one")
    parser.add_argument("--threads", type=int, default=0, help="threads per process; 0: torch's default")
    arguments = parser.parse_args()
    paths = SageMakerPaths(arguments.root)
    with FailureRecorder(paths):
        processes = arguments.processes or max(torch.cuda.device_count(), 1)
        if is_launcher():
            paths.clear_failure()
        if processes > 1 and is_launcher():
            command = [
                "--module",
                "models.training",
                "--root",
                str(arguments.root),
                "--threads",
                str(arguments.threads),
            ]
            launch(processes, command)
        else:
            run_process(paths, arguments.threads)


def run_process(paths: SageMakerPaths, threads: int) -> None:
    if threads:
        torch.set_num_threads(threads)
    stop_signal = StopSignal()
    stop_signal.install()
    job = load_job_config(paths)
    if job.task not in TASKS:
        raise InvalidRecipe(f"hyperparameter task {job.task!r} is none of {', '.join(TASKS)}")
    with training_group() as group:
        progress = ProgressLog(enabled=group.is_leader)
        progress.log(f"device {device_description()}")
        try:
            TASKS[job.task](job, group=group, stop_signal=stop_signal, progress=progress)
        except TrainingInterrupted as interruption:
            progress.log(f"interrupted {interruption}")


if __name__ == "__main__":
    main()
