"""Releases on S3: releases/<model>/<id>/, a pedigree and the files that it names."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cloud.errors import translate_errors
from vigil.releases.manifest import (
    InvalidReleaseManifest,
    ReleaseManifest,
    RemovedTrainingData,
    format_release_manifest,
    mark_removed,
    parse_release_manifest,
    verify_file,
)

MANIFEST_FILE = "manifest.json"
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class S3ReleaseStore:
    """Files are put before the pedigree that names them: a release is there whole or not at all."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client, self._bucket = client, bucket

    def put_release(self, manifest: ReleaseManifest, files: Mapping[str, bytes]) -> None:
        """Store a release; storing it again changes nothing, since its id is its content's."""
        for name, data in files.items():
            self._put(
                _release_object_key(manifest.model, manifest.id, name),
                verify_file(manifest, name, data),
            )
        self._put(
            _release_object_key(manifest.model, manifest.id, MANIFEST_FILE),
            format_release_manifest(manifest),
        )

    def record_removed_data(self, model: str, release: str, removed: RemovedTrainingData) -> None:
        """Note in a release's pedigree what is no longer in its data set."""
        updated = mark_removed(self.read_manifest(model, release), removed)
        self._put(
            _release_object_key(model, release, MANIFEST_FILE),
            format_release_manifest(updated),
        )

    def read_manifest(self, model: str, release: str) -> ReleaseManifest:
        """Raises BadPedigree, Transient."""
        manifest = parse_release_manifest(self._get(_release_object_key(model, release, MANIFEST_FILE)))
        if (manifest.model, manifest.id) != (model, release):
            raise InvalidReleaseManifest(f"releases/{model}/{release} is {manifest.id} of {manifest.model}")
        return manifest

    def fetch(self, model: str, release: str, folder: Path) -> None:
        """Write a release's files, each with its pedigree's hash. Raises BadPedigree, Transient."""
        manifest = self.read_manifest(model, release)
        for name in manifest.digests:
            if not _FILE_NAME.fullmatch(name):
                raise InvalidReleaseManifest(f"{name[:80]!r} is no file of a release")
            data = verify_file(manifest, name, self._get(_release_object_key(model, release, name)))
            (folder / name).write_bytes(data)

    def _get(self, key: str) -> bytes:
        with translate_errors("store", "read object"):
            return bytes(self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read())

    def _put(self, key: str, data: bytes) -> None:
        with translate_errors("store", "store object"):
            self._client.put_object(Bucket=self._bucket, Key=key, Body=data)


def _release_object_key(model: str, release: str, name: str) -> str:
    return f"releases/{model}/{release}/{name}"
