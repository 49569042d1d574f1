"""A job's folders filled from S3 and emptied into it, as SageMaker does around a container."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Folders:
    """`root` plays /opt/ml."""

    def __init__(self, root: Path, s3: Any) -> None:
        self.root, self._s3 = root, s3

    def fill(self, asked: Mapping[str, Any]) -> None:
        """Hyperparameters, channels, and checkpoints: those of earlier jobs of the lesson if it has none."""
        self._write("hyperparameters", asked.get("HyperParameters", {}))
        self._write("resourceconfig", {"current_host": "algo-1", "hosts": ["algo-1"]})
        for channel in asked.get("InputDataConfig", ()):
            where = channel["DataSource"]["S3DataSource"]["S3Uri"]
            self._download(where, self.root / "input" / "data" / channel["ChannelName"])
        own = self.root / "checkpoints"
        if "CheckpointConfig" in asked and not (own.is_dir() and any(own.iterdir())):
            self._download(asked["CheckpointConfig"]["S3Uri"], own)

    def keep_checkpoints(self, asked: Mapping[str, Any]) -> None:
        """What the container left in checkpoints/."""
        if "CheckpointConfig" in asked:
            bucket, prefix = parted(asked["CheckpointConfig"]["S3Uri"])
            for path in (path for path in (self.root / "checkpoints").rglob("*") if path.is_file()):
                key = f"{prefix}{path.relative_to(self.root / 'checkpoints')}"
                self._s3.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())

    def keep_model(self, url: str) -> None:
        """What the container left in model/, as model.tar.gz."""
        bucket, key = parted(url)
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            for path in sorted((self.root / "model").iterdir()):
                archive.add(path, path.name)
        self._s3.put_object(Bucket=bucket, Key=key, Body=packed.getvalue())

    @property
    def model(self) -> bool:
        """Whether there is any."""
        return (self.root / "model").is_dir() and any((self.root / "model").iterdir())

    @property
    def failure(self) -> str:
        path = self.root / "output" / "failure"
        return path.read_text("utf-8") if path.is_file() else ""

    def _write(self, name: str, told: Mapping[str, Any]) -> None:
        path = self.root / "input" / "config" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(dict(told)), "utf-8")

    def _download(self, url: str, folder: Path) -> None:
        bucket, prefix = parted(url)
        folder.mkdir(parents=True, exist_ok=True)
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for row in page.get("Contents", ()):
                target = folder / row["Key"].removeprefix(prefix)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(self._s3.get_object(Bucket=bucket, Key=row["Key"])["Body"].read())


def parted(url: str) -> tuple[str, str]:
    """s3://bucket/key → bucket, key."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    return bucket, key
