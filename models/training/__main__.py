"""`python -m models.training`: what a training job runs. SageMaker's folders lie under --root.

Ends with 0 when a release was left, or when it was asked to stop and left a checkpoint; else with 1 and
a reason in output/failure.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Protocol

import torch

from models.training import classifier, embedding
from models.training.assignment import Assignment, assigned
from models.training.crew import Crew, gathered, launch, leads_host, must_launch
from models.training.errors import BadRecipe
from models.training.folders import Folders
from models.training.interruption import Interrupted, Notice
from models.training.progress import Progress, device


class Task(Protocol):
    """What a job can be asked for."""

    def __call__(self, job: Assignment, *, crew: Crew, notice: Notice, progress: Progress) -> None: ...


TASKS: Mapping[str, Task] = {"classifier": classifier.learn, "embedding": embedding.learn}


class Failing:
    """Whatever ends the job badly is written to the failure file on its way out; it is not stopped."""

    def __init__(self, folders: Folders) -> None:
        self._folders = folders

    def __enter__(self) -> None:
        """Nothing is needed before."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and error is not None and not issubclass(kind, SystemExit):
            self._folders.fail(f"{kind.__name__}: {error}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m models.training", description="Run one training job.")
    parser.add_argument("--root", type=Path, default=Path("/opt/ml"), help="where the job's folders are")
    parser.add_argument("--processes", type=int, default=0, help="on this host; 0: one a GPU, or one")
    parser.add_argument("--threads", type=int, default=0, help="a process; 0: as many as torch finds good")
    said = parser.parse_args()
    folders = Folders(said.root)
    with Failing(folders):
        hosts, current = folders.hosts()
        processes = said.processes or max(torch.cuda.device_count(), 1)
        if leads_host():
            folders.clear()
        if must_launch(len(hosts), processes):
            command = [
                "--module",
                "models.training",
                "--root",
                str(said.root),
                "--threads",
                str(said.threads),
            ]
            launch(hosts, current, processes=processes, command=command)
        else:
            work(folders, said.threads)


def work(folders: Folders, threads: int) -> None:
    """This process's part of the job."""
    if threads:
        torch.set_num_threads(threads)
    notice = Notice()
    notice.listen()
    job = assigned(folders)
    if job.task not in TASKS:
        raise BadRecipe(f"hyperparameter task {job.task!r} is none of {', '.join(TASKS)}")
    with gathered() as crew:
        progress = Progress(told=crew.leads)
        progress.say(f"device {device()}")
        try:
            TASKS[job.task](job, crew=crew, notice=notice, progress=progress)
        except Interrupted as interruption:
            progress.say(f"interrupted {interruption}")


if __name__ == "__main__":
    main()
