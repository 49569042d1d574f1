"""Uploads what a packaged template points at, each thing under the hash of its contents."""

import hashlib
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from infra.package.archive import zip_folder
from infra.package.patch import FUNCTION, LAYER, Template

_POINTERS = {FUNCTION: "CodeUri", LAYER: "ContentUri"}

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Store:
    """Where artefacts go; `account` must own the bucket, or nothing is written."""

    s3: Any
    bucket: str
    account: str
    tell: Progress

    def holds(self, key: str) -> bool:
        """Whether these contents were uploaded before."""
        try:
            self.s3.head_object(Bucket=self.bucket, Key=key, ExpectedBucketOwner=self.account)
        except ClientError as error:
            if error.response["Error"]["Code"] in {"404", "NoSuchKey"}:
                return False
            raise
        return True

    def put(self, path: Path, key: str) -> None:
        """Upload a file, in parts where it is large."""
        self.tell(f"uploading {key} ({path.stat().st_size / 1_048_576:.1f} MB)")
        owner = {"ExpectedBucketOwner": self.account}
        self.s3.upload_file(Filename=str(path), Bucket=self.bucket, Key=key, ExtraArgs=owner)


def upload(template: Template, folder: Path, store: Store) -> Template:
    """Upload the code and layers that lie under `folder`; returns the template pointing to them on S3."""
    places: dict[str, str] = {}
    resources = {}
    for name, resource in template["Resources"].items():
        pointer = _POINTERS.get(resource["Type"])
        if pointer is None:
            resources[name] = resource
            continue
        path = resource["Properties"][pointer]
        if path not in places:
            places[path] = _uploaded(folder / path, store)
        properties = {**resource["Properties"], pointer: {"Bucket": store.bucket, "Key": places[path]}}
        resources[name] = {**resource, "Properties": properties}
    return {**template, "Resources": resources}


def upload_template(template: Template, store: Store) -> str:
    """Upload the template itself (CloudFormation takes 51 kB inline, ours is larger); returns its URL."""
    body = json.dumps(template, indent=1, sort_keys=True)
    key = f"template/{hashlib.sha256(body.encode()).hexdigest()}.json"
    if not store.holds(key):
        owner = {"ExpectedBucketOwner": store.account}
        store.s3.put_object(Bucket=store.bucket, Key=key, Body=body.encode(), **owner)
    region = store.s3.meta.region_name
    return f"https://{store.bucket}.s3.{region}.amazonaws.com/{key}"


def digest(path: Path) -> str:
    """Hash a file's bytes, or a folder's names and bytes: equal before compression, equal after."""
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    whole = hashlib.sha256()
    for found in sorted(path.rglob("*")):
        if found.is_file():
            content = hashlib.sha256(found.read_bytes()).hexdigest()
            whole.update(f"{found.relative_to(path).as_posix()} {content}\n".encode())
    return whole.hexdigest()


def _uploaded(path: Path, store: Store) -> str:
    key = f"{path.stem}/{digest(path)}.zip"
    if store.holds(key):
        return key
    if path.is_file():
        store.put(path, key)
        return key
    store.tell(f"zipping the {path.name} layer")
    with tempfile.TemporaryDirectory() as workshop:
        zipped = Path(workshop) / "layer.zip"
        zip_folder(path, zipped)
        store.put(zipped, key)
    return key
