"""A training job: its description, its file on disk, and its folders that are synchronised with S3."""

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
    """The request and the state of a job; only the thread that runs it changes its status.

    stop_requested  StopTrainingJob was called
    interrupted     spot capacity was withdrawn; the job restarts by itself
    kill_deadline   time.monotonic at which a stopping container is killed
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
        """Whether its container was asked to stop."""
        return self.stop_requested.is_set() or self.interrupted.is_set()

    @property
    def model_url(self) -> str:
        """S3 URL of the model."""
        return (
            f"{self.request['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{self.name}/output/model.tar.gz"
        )

    def describe(self) -> dict[str, Any]:
        """Return the response of DescribeTrainingJob."""
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
        """Write the job's file atomically."""
        names = ("request", "arn", "status", "secondary_status", "failure_reason", "interruptions")
        document = {name: getattr(self, name) for name in names}
        times = {"created_at": self.created_at, "started_at": self.started_at, "ended_at": self.ended_at}
        document |= {name: at.isoformat() for name, at in times.items() if at}
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / f"{_JOB_FILE}.new"
        draft.write_text(json.dumps(document), "utf-8")
        draft.replace(folder / _JOB_FILE)


def load_jobs(folder: Path) -> list[TrainingJob]:
    """Return the jobs that were saved below a folder, oldest first."""
    documents = [json.loads(path.read_text("utf-8")) for path in folder.glob(f"*/{_JOB_FILE}")]
    return sorted(map(_parse_job, documents), key=lambda job: job.created_at)


def _parse_job(document: dict[str, Any]) -> TrainingJob:
    present = [name for name in ("created_at", "started_at", "ended_at") if name in document]
    return TrainingJob(**document | {name: datetime.fromisoformat(document[name]) for name in present})


class JobFolders:
    """The folders of a container's /opt/ml below `root`."""

    def __init__(self, root: Path, s3: Any) -> None:
        self.root, self._s3 = root, s3

    def download_inputs(self, request: Mapping[str, Any]) -> None:
        """Write hyperparameters and channels, and download checkpoints if there are none yet."""
        self._write_config("hyperparameters", request.get("HyperParameters", {}))
        self._write_config("resourceconfig", {"current_host": "algo-1", "hosts": ["algo-1"]})
        for channel in request.get("InputDataConfig", ()):
            s3_url = channel["DataSource"]["S3DataSource"]["S3Uri"]
            self._download(s3_url, self.root / "input" / "data" / channel["ChannelName"])
        checkpoints = self.root / "checkpoints"
        if "CheckpointConfig" in request and not (checkpoints.is_dir() and any(checkpoints.iterdir())):
            self._download(request["CheckpointConfig"]["S3Uri"], checkpoints)

    def upload_checkpoints(self, request: Mapping[str, Any]) -> None:
        """Upload the files in checkpoints/."""
        if "CheckpointConfig" in request:
            bucket, prefix = split_s3_url(request["CheckpointConfig"]["S3Uri"])
            for path in (path for path in (self.root / "checkpoints").rglob("*") if path.is_file()):
                key = f"{prefix}{path.relative_to(self.root / 'checkpoints')}"
                self._s3.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())

    def upload_model(self, url: str) -> None:
        """Upload the files in model/ as model.tar.gz."""
        bucket, key = split_s3_url(url)
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            for path in sorted((self.root / "model").iterdir()):
                archive.add(path, path.name)
        self._s3.put_object(Bucket=bucket, Key=key, Body=packed.getvalue())

    @property
    def has_model(self) -> bool:
        """Whether the container wrote a model."""
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
    """Return bucket and key of an S3 URL."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    return bucket, key
