"""One training job as SageMaker tells of it."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

ENDS = ("Completed", "Failed", "Stopped")


@dataclass
class Job:
    """What was asked for, and how far it is; only its own runner changes its status.

    stopping     somebody asked for its end
    interrupted  spot capacity was taken back: it begins again by itself
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
    stopping: threading.Event = field(default_factory=threading.Event)
    interrupted: threading.Event = field(default_factory=threading.Event)

    @property
    def name(self) -> str:
        return str(self.asked["TrainingJobName"])

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
