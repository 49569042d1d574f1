"""Releases on S3: releases/<model>/<id>/, a pedigree and the files that it names."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cloud.faults import faults
from vigil.learn import pedigree
from vigil.learn.pedigree import BadPedigree, Forgotten, Pedigree

PEDIGREE = "pedigree.json"
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class Depot:
    """Files are put before the pedigree that names them: a release is there whole or not at all."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client, self._bucket = client, bucket

    def put(self, release: Pedigree, files: Mapping[str, bytes]) -> None:
        """Store a release; storing it again changes nothing, since its id is its content's."""
        for name, data in files.items():
            self._put(_key(release.model, release.id, name), pedigree.check(release, name, data))
        self._put(_key(release.model, release.id, PEDIGREE), pedigree.written(release).encode())

    def mark(self, model: str, release: str, forgotten: Forgotten) -> None:
        """Note in a release's pedigree what is no longer in its data set."""
        marked = pedigree.forget(self.pedigree(model, release), forgotten)
        self._put(_key(model, release, PEDIGREE), pedigree.written(marked).encode())

    def pedigree(self, model: str, release: str) -> Pedigree:
        """Raises BadPedigree, Transient."""
        told = pedigree.read(self._get(_key(model, release, PEDIGREE)).decode())
        if (told.model, told.id) != (model, release):
            raise BadPedigree(f"releases/{model}/{release} is {told.id} of {told.model}")
        return told

    def fetch(self, model: str, release: str, folder: Path) -> None:
        """Write a release's files, each with its pedigree's hash. Raises BadPedigree, Transient."""
        told = self.pedigree(model, release)
        for name in told.digests:
            if not _FILE.fullmatch(name):
                raise BadPedigree(f"{name[:80]!r} is no file of a release")
            data = pedigree.check(told, name, self._get(_key(model, release, name)))
            (folder / name).write_bytes(data)

    def _get(self, key: str) -> bytes:
        with faults(f"read {key}"):
            return bytes(self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read())

    def _put(self, key: str, data: bytes) -> None:
        with faults(f"store {key}"):
            self._client.put_object(Bucket=self._bucket, Key=key, Body=data)


def _key(model: str, release: str, name: str) -> str:
    return f"releases/{model}/{release}/{name}"
