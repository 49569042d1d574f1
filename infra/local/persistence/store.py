"""The SQLite file of the state: entries by kind and key in order of insertion, and bodies."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from infra.local.errors import StartupFailed
from infra.local.persistence.encoding import NotEncoded, decode, encode

_TABLES = """
CREATE TABLE IF NOT EXISTS entries (kind TEXT, key TEXT, value BLOB, PRIMARY KEY (kind, key));
CREATE TABLE IF NOT EXISTS bodies (key TEXT PRIMARY KEY, body BLOB);
"""
_UPSERT = (
    "INSERT INTO entries VALUES (?, ?, ?) ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value "
    "WHERE entries.value <> excluded.value"
)


def check_state_file(file: Path) -> None:
    """Raise StartupFailed for a file of another form or moto version, whose objects may differ."""
    if not file.exists():
        return
    try:
        saved_version = StateStore(file).load("format", "moto")
    except NotEncoded as error:
        raise StartupFailed(
            f"{file} is no state file, or one of an older version: use another data folder"
        ) from error
    if saved_version not in (None, version("moto")):
        raise StartupFailed(
            f"{file} was written with moto {saved_version}, not {version('moto')}: use another data folder"
        )


class StateStore:
    """A store for all threads of one process.

    When a call returns, its write survives the end of the process. Within `durable_transaction` it also
    survives a crash of the machine; other recent writes may be lost then.
    """

    def __init__(self, file: Path) -> None:
        self._lock = threading.RLock()
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))  # faces and keys, for this user alone
        self._db = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("PRAGMA secure_delete = ON")
        self._db.executescript(_TABLES)
        if self.load("format", "moto") is None:
            self.save("format", "moto", version("moto"))

    def save(self, kind: str, key: str, value: Any) -> None:
        """Save an entry; replacing an entry keeps its place in the order."""
        with self._lock:
            self._db.execute(_UPSERT, (kind, key, encode(value)))

    def delete(self, kind: str, key: str) -> None:
        """Delete an entry, if it exists."""
        with self._lock:
            self._db.execute("DELETE FROM entries WHERE kind = ? AND key = ?", (kind, key))

    def delete_kind(self, kind: str) -> None:
        """Delete all entries of a kind."""
        with self._lock:
            self._db.execute("DELETE FROM entries WHERE kind = ?", (kind,))

    def load(self, kind: str, key: str) -> Any:
        """Return the value of an entry, or None."""
        with self._lock:
            found = self._db.execute("SELECT value FROM entries WHERE kind = ? AND key = ?", (kind, key))
            row = found.fetchone()
        return None if row is None else decode(row[0])

    def load_all(self, kind: str) -> list[tuple[str, Any]]:
        """Return the keys and values of a kind, oldest first."""
        with self._lock:
            found = self._db.execute("SELECT key, value FROM entries WHERE kind = ? ORDER BY rowid", (kind,))
            rows = found.fetchall()
        return [(key, decode(value)) for key, value in rows]

    def save_body(self, key: str, body: bytes) -> None:
        """Save the contents of an object."""
        with self._lock:
            self._db.execute("INSERT OR REPLACE INTO bodies VALUES (?, ?)", (key, body))

    def load_body(self, key: str) -> bytes:
        """Return the contents of an object. Raises KeyError if they were deleted."""
        with self._lock:
            row = self._db.execute("SELECT body FROM bodies WHERE key = ?", (key,)).fetchone()
        if row is None:
            raise KeyError(key)
        return bytes(row[0])

    def delete_body(self, key: str) -> None:
        """Delete the contents of an object; see `purge_deleted`."""
        with self._lock:
            self._db.execute("DELETE FROM bodies WHERE key = ?", (key,))

    def purge_deleted(self) -> None:
        """Remove all deleted data from the disk."""
        with self._lock:
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Save all writes of the block, or none of them."""
        with self._lock:
            if self._db.in_transaction:
                yield
                return
            with self._begin_and_commit():
                yield

    @contextmanager
    def durable_transaction(self) -> Iterator[None]:
        """A transaction that is on the disk before the block ends."""
        with self._lock:
            self._db.execute("PRAGMA synchronous = FULL")
            with self._begin_and_commit():
                yield
            self._db.execute("PRAGMA synchronous = NORMAL")

    @contextmanager
    def _begin_and_commit(self) -> Iterator[None]:
        self._db.execute("BEGIN")
        with ExitStack() as undo:
            undo.callback(self._db.execute, "ROLLBACK")
            yield
            undo.pop_all()
        self._db.execute("COMMIT")
