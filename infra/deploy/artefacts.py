"""Uploads what a packaged template points at, each thing under the hash of its contents."""

import hashlib
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from infra.package.artifacts import zip_folder
from infra.package.template import FUNCTION_TYPE, LAYER_TYPE, Template

_ARTEFACT_PROPERTIES = {FUNCTION_TYPE: "CodeUri", LAYER_TYPE: "ContentUri"}

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ArtefactBucket:
    """Where artefacts go; `account` must own the bucket, or nothing is written."""

    s3: Any
    bucket: str
    account: str
    on_progress: Progress

    def contains(self, key: str) -> bool:
        """Whether these contents were uploaded before."""
        try:
            self.s3.head_object(Bucket=self.bucket, Key=key, ExpectedBucketOwner=self.account)
        except ClientError as error:
            if error.response["Error"]["Code"] in {"404", "NoSuchKey"}:
                return False
            raise
        return True

    def upload_file(self, path: Path, key: str) -> None:
        """Upload a file, in parts where it is large."""
        self.on_progress(f"uploading {key} ({path.stat().st_size / 1_048_576:.1f} MB)")
        owner = {"ExpectedBucketOwner": self.account}
        self.s3.upload_file(Filename=str(path), Bucket=self.bucket, Key=key, ExtraArgs=owner)


def upload_artefacts(template: Template, folder: Path, bucket: ArtefactBucket) -> Template:
    """Upload the code and layers that lie under `folder`; returns the template pointing to them on S3."""
    keys: dict[str, str] = {}
    resources = {}
    for name, resource in template["Resources"].items():
        property_name = _ARTEFACT_PROPERTIES.get(resource["Type"])
        if property_name is None:
            resources[name] = resource
            continue
        path = resource["Properties"][property_name]
        if path not in keys:
            keys[path] = _upload_artefact(folder / path, bucket)
        properties = {**resource["Properties"], property_name: {"Bucket": bucket.bucket, "Key": keys[path]}}
        resources[name] = {**resource, "Properties": properties}
    return {**template, "Resources": resources}


def upload_template(template: Template, bucket: ArtefactBucket) -> str:
    """Upload the template itself (CloudFormation takes 51 kB inline, ours is larger); returns its URL."""
    body = json.dumps(template, indent=1, sort_keys=True)
    key = f"template/{hashlib.sha256(body.encode()).hexdigest()}.json"
    if not bucket.contains(key):
        owner = {"ExpectedBucketOwner": bucket.account}
        bucket.s3.put_object(Bucket=bucket.bucket, Key=key, Body=body.encode(), **owner)
    region = bucket.s3.meta.region_name
    return f"https://{bucket.bucket}.s3.{region}.amazonaws.com/{key}"


def content_digest(path: Path) -> str:
    """Hash a file's bytes, or a folder's names and bytes: equal before compression, equal after."""
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    folder_digest = hashlib.sha256()
    for file in sorted(path.rglob("*")):
        if file.is_file():
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            folder_digest.update(f"{file.relative_to(path).as_posix()} {content}\n".encode())
    return folder_digest.hexdigest()


def _upload_artefact(path: Path, bucket: ArtefactBucket) -> str:
    key = f"{path.stem}/{content_digest(path)}.zip"
    if bucket.contains(key):
        return key
    if path.is_file():
        bucket.upload_file(path, key)
        return key
    bucket.on_progress(f"zipping the {path.name} layer")
    with tempfile.TemporaryDirectory() as workspace:
        zipped = Path(workspace) / "layer.zip"
        zip_folder(path, zipped)
        bucket.upload_file(zipped, key)
    return key
