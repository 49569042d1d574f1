"""Persistence of S3: every version of an object is on the disk before its upload is acknowledged."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from typing import Any

from moto.s3.models import FakeBucket, FakeDeleteMarker, FakeKey, S3Backend
from moto.s3.utils import _VersionedKeyStore

from infra.local.persistence.store import StateStore

ObjectVersion = FakeKey | FakeDeleteMarker

_UNSAVED_ATTRIBUTES = ("_value_buffer", "lock", "multipart", "save_attributes")
"""Attributes of a version that are not saved with it; its contents are saved separately."""


def persist_objects(store: StateStore) -> None:
    """Persist changes of objects in moto's process."""
    S3Backend.create_bucket = _restore_on_create(S3Backend.create_bucket, store)  # type: ignore[method-assign]
    FakeKey.set_metadata = _persist_metadata(FakeKey.set_metadata)  # type: ignore[method-assign]


class StoredBody:
    """The contents of a version, read from the store; replaces moto's buffer."""

    def __init__(self, store: StateStore, key: str) -> None:
        self._store, self._key, self._position = store, key, 0

    def seek(self, position: int) -> None:
        """Set the position."""
        self._position = position

    def read(self, size: int = -1) -> bytes:
        """Read from the position."""
        remaining = self._store.load_body(self._key)[self._position :]
        part = remaining if size < 0 else remaining[:size]
        self._position += len(part)
        return part

    def close(self) -> None:
        """Do nothing; there is no resource to release."""


class PersistentVersions(_VersionedKeyStore):
    """The versions of one bucket's objects; each change is saved."""

    def __init__(self, bucket: str, store: StateStore) -> None:
        super().__init__()
        self._kind = f"objects/{bucket}"
        self._store = store
        self._saved: dict[str, dict[str, ObjectVersion]] = {}
        for ident, state in store.load_all(self._kind):
            self._restore_version(ident, state)

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        self._save(key)

    def setlist(self, key: Any, list_: Any) -> None:
        """Set all versions of a key."""
        super().setlist(key, list_)
        self._save(key)

    def pop(self, key: str) -> None:  # type: ignore[override]
        """Delete a key with all its versions."""
        super().pop(key)
        self._save(key)

    def _save(self, key: str) -> None:
        saved = self._saved.get(key, {})
        current: dict[str, ObjectVersion] = {one.version_id: one for one in self.getlist(key, [])}
        with self._store.durable_transaction():
            for version in saved.keys() - current.keys():
                self._store.delete(self._kind, _version_id(key, version))
                self._store.delete_body(f"{self._kind}/{_version_id(key, version)}")
            for version, entry in current.items():
                if saved.get(version) is not entry:
                    self._save_version(_version_id(key, version), entry)
        self._saved[key] = current
        if saved.keys() - current.keys():
            self._store.purge_deleted()

    def _save_version(self, ident: str, entry: ObjectVersion) -> None:
        if isinstance(entry, FakeDeleteMarker):
            marker = {"last_modified": entry.last_modified, "_version_id": entry.version_id}
            self._store.save(self._kind, ident, marker)
            return
        body_key = f"{self._kind}/{ident}"
        entry.etag  # noqa: B018 - moto computes it from the buffer, which is closed below
        self._store.save_body(body_key, entry.value)
        entry._value_buffer.close()
        self._attach_body(ident, entry)
        self._save_attributes(ident, entry)

    def _save_attributes(self, ident: str, entry: FakeKey) -> None:
        state = {name: value for name, value in vars(entry).items() if name not in _UNSAVED_ATTRIBUTES}
        self._store.save(self._kind, ident, state)

    def _restore_version(self, ident: str, state: dict[str, Any]) -> None:
        key, version = ident.rsplit("\n", 1)
        entry: Any
        if "name" in state:
            entry = object.__new__(FakeKey)
            vars(entry).update(state, lock=threading.Lock(), multipart=None)
            self._attach_body(ident, entry)
        else:
            entry = object.__new__(FakeDeleteMarker)
            vars(entry).update(state, name=key, key=self.get(key))
        super().__setitem__(key, entry)
        self._saved.setdefault(key, {})[version] = entry

    def _attach_body(self, ident: str, entry: FakeKey) -> None:
        """Let a version read its contents from the store and save its attributes when they change."""
        changed: Any = entry
        changed._value_buffer = StoredBody(self._store, f"{self._kind}/{ident}")
        changed.save_attributes = lambda: self._save_attributes(ident, entry)


def _version_id(key: str, version: str) -> str:
    return f"{key}\n{version}"


def _restore_on_create(create: Callable[..., FakeBucket], store: StateStore) -> Callable[..., FakeBucket]:
    @wraps(create)
    def restored(backend: S3Backend, bucket_name: str, *arguments: Any, **named: Any) -> FakeBucket:
        bucket = create(backend, bucket_name, *arguments, **named)
        bucket.keys = PersistentVersions(bucket_name, store)
        return bucket

    return restored


def _persist_metadata(change: Callable[..., None]) -> Callable[..., None]:
    """Save metadata, which moto sets only after it stored the object."""

    @wraps(change)
    def changed(key: FakeKey, *arguments: Any, **named: Any) -> None:
        change(key, *arguments, **named)
        save = getattr(key, "save_attributes", None)
        if save is not None:
            save()

    return changed
