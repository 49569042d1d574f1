"""S3: every version of every object, on the disk before its upload is acknowledged."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from typing import Any

from moto.s3.models import FakeBucket, FakeDeleteMarker, FakeKey, S3Backend
from moto.s3.utils import _VersionedKeyStore

from infra.local.state.store import Store

Entry = FakeKey | FakeDeleteMarker

_HELD = ("_value_buffer", "lock", "multipart", "kept")
"""What of a version is not written with it: its bytes are a body of their own."""


def keep(store: Store) -> None:
    """From here on, in this process."""
    S3Backend.create_bucket = _filled(S3Backend.create_bucket, store)  # type: ignore[method-assign]
    FakeKey.set_metadata = _noted(FakeKey.set_metadata)  # type: ignore[method-assign]


class Body:
    """The bytes of a version, read from the store whenever they are asked for, in place of moto's buffer."""

    def __init__(self, store: Store, key: str) -> None:
        self._store, self._key, self._at = store, key, 0

    def seek(self, place: int) -> None:
        """Go there."""
        self._at = place

    def read(self, most: int = -1) -> bytes:
        """From here on."""
        left = self._store.body(self._key)[self._at :]
        part = left if most < 0 else left[:most]
        self._at += len(part)
        return part

    def close(self) -> None:
        """There is nothing to let go."""


class KeptVersions(_VersionedKeyStore):
    """The versions of one bucket's objects, each change written down."""

    def __init__(self, bucket: str, store: Store) -> None:
        super().__init__()
        self._kind = f"objects/{bucket}"
        self._store = store
        self._written: dict[str, dict[str, Entry]] = {}
        for ident, state in store.all(self._kind):
            self._put_back(ident, state)

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        self._write(key)

    def setlist(self, key: Any, list_: Any) -> None:
        """All versions of a key at once."""
        super().setlist(key, list_)
        self._write(key)

    def pop(self, key: str) -> None:  # type: ignore[override]
        """The key and all its versions."""
        super().pop(key)
        self._write(key)

    def _write(self, key: str) -> None:
        before = self._written.get(key, {})
        now: dict[str, Entry] = {one.version_id: one for one in self.getlist(key, [])}
        with self._store.durably():
            for version in before.keys() - now.keys():
                self._store.delete(self._kind, _ident(key, version))
                self._store.delete_body(f"{self._kind}/{_ident(key, version)}")
            for version, entry in now.items():
                if before.get(version) is not entry:
                    self._write_one(_ident(key, version), entry)
        self._written[key] = now
        if before.keys() - now.keys():
            self._store.erase()

    def _write_one(self, ident: str, entry: Entry) -> None:
        if isinstance(entry, FakeDeleteMarker):
            marker = {"last_modified": entry.last_modified, "_version_id": entry.version_id}
            self._store.put(self._kind, ident, marker)
            return
        place = f"{self._kind}/{ident}"
        entry.etag  # noqa: B018 - moto works it out from the bytes, which are about to go
        self._store.put_body(place, entry.value)
        entry._value_buffer.close()
        self._hold(ident, entry)
        self._put(ident, entry)

    def _put(self, ident: str, entry: FakeKey) -> None:
        state = {name: thing for name, thing in vars(entry).items() if name not in _HELD}
        self._store.put(self._kind, ident, state)

    def _put_back(self, ident: str, state: dict[str, Any]) -> None:
        key, version = ident.rsplit("\n", 1)
        entry: Any
        if "name" in state:
            entry = object.__new__(FakeKey)
            vars(entry).update(state, lock=threading.Lock(), multipart=None)
            self._hold(ident, entry)
        else:
            entry = object.__new__(FakeDeleteMarker)
            vars(entry).update(state, name=key, key=self.get(key))
        super().__setitem__(key, entry)
        self._written.setdefault(key, {})[version] = entry

    def _hold(self, ident: str, entry: FakeKey) -> None:
        """Let the version read its bytes from the store, and write itself again when it is changed."""
        changed: Any = entry
        changed._value_buffer = Body(self._store, f"{self._kind}/{ident}")
        changed.kept = lambda: self._put(ident, entry)


def _ident(key: str, version: str) -> str:
    return f"{key}\n{version}"


def _filled(create: Callable[..., FakeBucket], store: Store) -> Callable[..., FakeBucket]:
    @wraps(create)
    def made(backend: S3Backend, bucket_name: str, *arguments: Any, **named: Any) -> FakeBucket:
        bucket = create(backend, bucket_name, *arguments, **named)
        bucket.keys = KeptVersions(bucket_name, store)
        return bucket

    return made


def _noted(change: Callable[..., None]) -> Callable[..., None]:
    """moto says what an object's headers are only after it was put."""

    @wraps(change)
    def changed(key: FakeKey, *arguments: Any, **named: Any) -> None:
        change(key, *arguments, **named)
        kept = getattr(key, "kept", None)
        if kept is not None:
            kept()

    return changed
