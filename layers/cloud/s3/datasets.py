"""Training datasets on S3: a folder for each split with its manifest and files, and a summary beside them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import msgspec

from vigil.training.dataset import InvalidDatasetManifest, format_manifest, parse_manifest
from vigil.training.dataset_store import DatasetCounts
from vigil.training.examples import DatasetEntry, Split

DATASETS_PREFIX = "data"
MANIFEST_NAME = "manifest.jsonl"
SUMMARY_NAME = "dataset.json"


class ObjectStore(Protocol):
    """Objects with versions by key. Raises Transient."""

    def exists(self, key: str) -> bool: ...
    def put_object(self, key: str, data: bytes) -> None: ...
    def get_object(self, key: str) -> bytes: ...
    def list_folders(self, prefix: str) -> Iterable[str]: ...
    def delete_all_versions(self, key: str, *, except_newest: bool = False) -> None: ...


def dataset_prefix(model: str, dataset_id: str) -> str:
    """The key prefix of a dataset, without the final slash."""
    return f"{DATASETS_PREFIX}/{model}/{dataset_id}"


class S3DatasetRepository:
    """Port DatasetRepository."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    def list_datasets(self) -> Iterator[tuple[str, str]]:
        for model in self._objects.list_folders(DATASETS_PREFIX):
            for dataset_id in self._objects.list_folders(f"{DATASETS_PREFIX}/{model}"):
                yield model, dataset_id

    def folder(self, model: str, dataset_id: str) -> str:
        return dataset_prefix(model, dataset_id)

    def read_entries(self, model: str, dataset_id: str, split: Split) -> tuple[DatasetEntry, ...]:
        key = _manifest_key(model, dataset_id, split)
        return parse_manifest(self._objects.get_object(key).decode()) if self._objects.exists(key) else ()

    def save_entries(
        self, model: str, dataset_id: str, split: Split, entries: Sequence[DatasetEntry]
    ) -> None:
        self._objects.put_object(_manifest_key(model, dataset_id, split), format_manifest(entries).encode())

    def delete_old_entries(self, model: str, dataset_id: str, split: Split) -> None:
        key = _manifest_key(model, dataset_id, split)
        if self._objects.exists(key):
            self._objects.delete_all_versions(key, except_newest=True)

    def put_file(self, model: str, dataset_id: str, split: Split, name: str, data: bytes) -> None:
        self._objects.put_object(f"{dataset_prefix(model, dataset_id)}/{split}/{name}", data)

    def get_file(self, model: str, dataset_id: str, split: Split, name: str) -> bytes:
        return self._objects.get_object(f"{dataset_prefix(model, dataset_id)}/{split}/{name}")

    def delete_file(self, model: str, dataset_id: str, split: Split, name: str) -> None:
        self._objects.delete_all_versions(f"{dataset_prefix(model, dataset_id)}/{split}/{name}")

    def read_summary(self, model: str, dataset_id: str) -> DatasetCounts | None:
        key = f"{dataset_prefix(model, dataset_id)}/{SUMMARY_NAME}"
        if not self._objects.exists(key):
            return None
        try:
            return msgspec.json.decode(self._objects.get_object(key), type=DatasetCounts)
        except msgspec.MsgspecError as error:
            raise InvalidDatasetManifest(f"{key}: {error}") from error

    def save_summary(self, model: str, dataset_id: str, summary: DatasetCounts) -> None:
        text = msgspec.json.format(msgspec.json.encode(summary), indent=1)
        self._objects.put_object(f"{dataset_prefix(model, dataset_id)}/{SUMMARY_NAME}", text)

    def delete_old_summaries(self, model: str, dataset_id: str) -> None:
        key = f"{dataset_prefix(model, dataset_id)}/{SUMMARY_NAME}"
        self._objects.delete_all_versions(key, except_newest=True)


def _manifest_key(model: str, dataset_id: str, split: Split) -> str:
    return f"{dataset_prefix(model, dataset_id)}/{split}/{MANIFEST_NAME}"
