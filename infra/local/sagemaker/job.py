"""One training job as SageMaker tells of it, and as it is kept on disk."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

TERMINAL_STATUSES = ("Completed", "Failed", "Stopped")
_JOB_FILE = "job.json"


@dataclass
class TrainingJob:
    """What was asked for, and how far it is; only its own runner changes its status.

    stop_requested  somebody asked for its end
    interrupted     spot capacity was taken back: it begins again by itself
    kill_deadline   on time.monotonic: when a container that was told to leave is killed
    """

    request: Mapping[str, Any]
    arn: str
    created_at: datetime
    status: str = "InProgress"
    secondary_status: str = "Starting"
    failure_reason: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    process: subprocess.Popen[bytes] | None = None
    interruptions: int = 0
    kill_deadline: float = float("inf")
    stop_requested: threading.Event = field(default_factory=threading.Event)
    interrupted: threading.Event = field(default_factory=threading.Event)

    @property
    def name(self) -> str:
        return str(self.request["TrainingJobName"])

    @property
    def is_stopping(self) -> bool:
        """Whether its container has been told to leave."""
        return self.stop_requested.is_set() or self.interrupted.is_set()

    @property
    def model_url(self) -> str:
        """Where its model goes: a URL."""
        return (
            f"{self.request['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{self.name}/output/model.tar.gz"
        )

    def describe(self) -> dict[str, Any]:
        """As DescribeTrainingJob answers."""
        description = {
            **self.request,
            "TrainingJobArn": self.arn,
            "CreationTime": self.created_at.timestamp(),
        }
        description |= {"TrainingJobStatus": self.status, "SecondaryStatus": self.secondary_status}
        description |= (
            {"ModelArtifacts": {"S3ModelArtifacts": self.model_url}} if self.status == "Completed" else {}
        )
        description |= {"FailureReason": self.failure_reason} if self.failure_reason else {}
        if self.started_at is not None:
            seconds = int(((self.ended_at or datetime.now(UTC)) - self.started_at).total_seconds()) + 1
            description |= {"TrainingStartTime": self.started_at.timestamp()}
            description |= {"TrainingTimeInSeconds": seconds, "BillableTimeInSeconds": seconds}
        return description

    def save(self, folder: Path) -> None:
        """Whole or not at all."""
        names = ("request", "arn", "status", "secondary_status", "failure_reason", "interruptions")
        document = {name: getattr(self, name) for name in names}
        times = {"created_at": self.created_at, "started_at": self.started_at, "ended_at": self.ended_at}
        document |= {name: at.isoformat() for name, at in times.items() if at}
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / f"{_JOB_FILE}.new"
        draft.write_text(json.dumps(document), "utf-8")
        draft.replace(folder / _JOB_FILE)


def load_jobs(folder: Path) -> list[TrainingJob]:
    """The jobs that were saved in the folders of `folder`, oldest first."""
    documents = [json.loads(path.read_text("utf-8")) for path in folder.glob(f"*/{_JOB_FILE}")]
    return sorted(map(_parse_job, documents), key=lambda job: job.created_at)


def _parse_job(document: dict[str, Any]) -> TrainingJob:
    present = [name for name in ("created_at", "started_at", "ended_at") if name in document]
    return TrainingJob(**document | {name: datetime.fromisoformat(document[name]) for name in present})


# MERGED: A job's folders filled from S3 and emptied into it, as SageMaker does around a container.


class JobFolders:
    """`root` plays /opt/ml."""

    def __init__(self, root: Path, s3: Any) -> None:
        self.root, self._s3 = root, s3

    def download_inputs(self, request: Mapping[str, Any]) -> None:
        """Hyperparameters, channels, and checkpoints: those of earlier jobs of the lesson if it has none."""
        self._write_config("hyperparameters", request.get("HyperParameters", {}))
        self._write_config("resourceconfig", {"current_host": "algo-1", "hosts": ["algo-1"]})
        for channel in request.get("InputDataConfig", ()):
            s3_url = channel["DataSource"]["S3DataSource"]["S3Uri"]
            self._download(s3_url, self.root / "input" / "data" / channel["ChannelName"])
        checkpoints = self.root / "checkpoints"
        if "CheckpointConfig" in request and not (checkpoints.is_dir() and any(checkpoints.iterdir())):
            self._download(request["CheckpointConfig"]["S3Uri"], checkpoints)

    def upload_checkpoints(self, request: Mapping[str, Any]) -> None:
        """What the container left in checkpoints/."""
        if "CheckpointConfig" in request:
            bucket, prefix = split_s3_url(request["CheckpointConfig"]["S3Uri"])
            for path in (path for path in (self.root / "checkpoints").rglob("*") if path.is_file()):
                key = f"{prefix}{path.relative_to(self.root / 'checkpoints')}"
                self._s3.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())

    def upload_model(self, url: str) -> None:
        """What the container left in model/, as model.tar.gz."""
        bucket, key = split_s3_url(url)
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            for path in sorted((self.root / "model").iterdir()):
                archive.add(path, path.name)
        self._s3.put_object(Bucket=bucket, Key=key, Body=packed.getvalue())

    @property
    def has_model(self) -> bool:
        """Whether there is any."""
        return (self.root / "model").is_dir() and any((self.root / "model").iterdir())

    @property
    def failure_text(self) -> str:
        path = self.root / "output" / "failure"
        return path.read_text("utf-8") if path.is_file() else ""

    def _write_config(self, name: str, document: Mapping[str, Any]) -> None:
        path = self.root / "input" / "config" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(dict(document)), "utf-8")

    def _download(self, url: str, folder: Path) -> None:
        bucket, prefix = split_s3_url(url)
        folder.mkdir(parents=True, exist_ok=True)
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for row in page.get("Contents", ()):
                target = folder / row["Key"].removeprefix(prefix)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(self._s3.get_object(Bucket=bucket, Key=row["Key"])["Body"].read())


def split_s3_url(url: str) -> tuple[str, str]:
    """s3://bucket/key → bucket, key."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    return bucket, key
