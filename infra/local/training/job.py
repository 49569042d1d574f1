"""One training job as SageMaker tells of it, and as it is kept on disk."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ENDS = ("Completed", "Failed", "Stopped")
_FILE = "job.json"


@dataclass
class Job:
    """What was asked for, and how far it is; only its own runner changes its status.

    stopping     somebody asked for its end
    interrupted  spot capacity was taken back: it begins again by itself
    leave_by     on time.monotonic: when a container that was told to leave is killed
    """

    asked: Mapping[str, Any]
    arn: str
    created: datetime
    status: str = "InProgress"
    secondary: str = "Starting"
    reason: str = ""
    began: datetime | None = None
    ended: datetime | None = None
    process: subprocess.Popen[bytes] | None = None
    interruptions: int = 0
    leave_by: float = float("inf")
    stopping: threading.Event = field(default_factory=threading.Event)
    interrupted: threading.Event = field(default_factory=threading.Event)

    @property
    def name(self) -> str:
        return str(self.asked["TrainingJobName"])

    @property
    def leaving(self) -> bool:
        """Whether its container has been told to leave."""
        return self.stopping.is_set() or self.interrupted.is_set()

    @property
    def artefact(self) -> str:
        """Where its model goes: a URL."""
        return f"{self.asked['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{self.name}/output/model.tar.gz"

    def described(self) -> dict[str, Any]:
        """As DescribeTrainingJob answers."""
        told = {**self.asked, "TrainingJobArn": self.arn, "CreationTime": self.created.timestamp()}
        told |= {"TrainingJobStatus": self.status, "SecondaryStatus": self.secondary}
        told |= {"ModelArtifacts": {"S3ModelArtifacts": self.artefact}} if self.status == "Completed" else {}
        told |= {"FailureReason": self.reason} if self.reason else {}
        if self.began is not None:
            seconds = int(((self.ended or datetime.now(UTC)) - self.began).total_seconds()) + 1
            told |= {"TrainingStartTime": self.began.timestamp()}
            told |= {"TrainingTimeInSeconds": seconds, "BillableTimeInSeconds": seconds}
        return told

    def save(self, folder: Path) -> None:
        """Whole or not at all."""
        names = ("asked", "arn", "status", "secondary", "reason", "interruptions")
        told = {name: getattr(self, name) for name in names}
        times = {"created": self.created, "began": self.began, "ended": self.ended}
        told |= {name: at.isoformat() for name, at in times.items() if at}
        folder.mkdir(parents=True, exist_ok=True)
        fresh = folder / f"{_FILE}.new"
        fresh.write_text(json.dumps(told), "utf-8")
        fresh.replace(folder / _FILE)


def kept(folder: Path) -> list[Job]:
    """The jobs that were saved in the folders of `folder`, oldest first."""
    told = [json.loads(path.read_text("utf-8")) for path in folder.glob(f"*/{_FILE}")]
    return sorted(map(_job, told), key=lambda job: job.created)


def _job(told: dict[str, Any]) -> Job:
    given = [name for name in ("created", "began", "ended") if name in told]
    return Job(**told | {name: datetime.fromisoformat(told[name]) for name in given})
