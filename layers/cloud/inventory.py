"""Port Shelves, at scale: the photos bucket by its newest S3 Inventory, part by part, without a listing."""

import csv
import gzip
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from tempfile import TemporaryFile
from typing import IO, Any
from urllib.parse import unquote_plus

from botocore.exceptions import ClientError

from cloud.bucket import FOLDERS
from cloud.faults import code, faults
from vigil.drops import Object
from vigil.flow.reconcile import Shelves
from vigil.ports import Clock
from vigil.steady.reconcile import Listed

PREFIX = "inventory"
CONFIGURATION = "vigil"
"""Where the template has S3 put its inventories, and what it calls them."""

_CHUNK = 1024 * 1024


class Unusable(Exception):
    """An inventory that is incomplete, damaged or gone: the bucket is listed instead."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a walk is in an inventory: its manifest, the part, and the line to go on at."""

    manifest: str
    part: int
    line: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What S3 says of one inventory; `parts` are (key, MD5 in hex)."""

    created: datetime
    columns: Sequence[str]
    parts: Sequence[tuple[str, str]]


class Inventory:
    """A cursor is JSON: an object for a place in an inventory, a list for one in the listing.

    fresh      an inventory that is older than this is not worth reading
    otherwise  the listing, for as long as there is no inventory that can be used
    """

    def __init__(
        self,
        client: Any,
        store: str,
        *,
        bucket: str,
        fresh: timedelta,
        clock: Clock,
        otherwise: Shelves,
        page: int = 1000,
    ) -> None:
        self._client, self._store, self._bucket = client, store, bucket
        self._fresh, self._clock, self._otherwise = fresh, clock, otherwise
        self._page = page
        self._known: tuple[str, Manifest] | None = None
        self._open: tuple[Place, Iterator[list[str]]] | None = None

    def edition(self) -> str:
        """The newest inventory that can be used, by its manifest; "" where there is none."""
        try:
            return self._newest()
        except Unusable:
            return ""

    def holds(self, item: Object) -> bool:
        """Asked of S3: what a day-old inventory names may have been erased meanwhile."""
        with faults("look for object"):
            answer = self._client.list_object_versions(Bucket=self._bucket, Prefix=item.key)
        return any(
            (one["Key"], one["VersionId"]) == (item.key, item.version) for one in answer.get("Versions", ())
        )

    def page(self, cursor: str) -> tuple[Sequence[Listed], str]:
        at = json.loads(cursor) if cursor else {}
        if isinstance(at, list):
            return self._otherwise.page(cursor)
        try:
            place = Place(**at) if at else Place(self._newest(), 0, 0)
            return self._read(place)
        except Unusable:
            return self._otherwise.page("")

    def _read(self, place: Place) -> tuple[list[Listed], str]:
        manifest = self._manifest(place.manifest)
        if place.part >= len(manifest.parts):
            return [], ""
        rows = list(islice(self._lines(place, manifest), self._page))
        after = Place(place.manifest, place.part, place.line + len(rows))
        if len(rows) < self._page:
            after = Place(place.manifest, place.part + 1, 0)
        elif self._open:
            self._open = (after, self._open[1])
        ended = after.part >= len(manifest.parts)
        named = (dict(zip(manifest.columns, row, strict=True)) for row in rows)
        listed = [one for row in named if (one := self._listed(row)) is not None]
        return listed, "" if ended else json.dumps({name: getattr(after, name) for name in Place.__slots__})

    def _lines(self, place: Place, manifest: Manifest) -> Iterator[list[str]]:
        """Lines of a part from a place on; one that is open there already goes on."""
        if self._open is None or self._open[0] != place:
            rows = _rows(self._part(*manifest.parts[place.part]))
            next(islice(rows, place.line, place.line), None)
            self._open = (place, rows)
        return self._open[1]

    def _part(self, key: str, digest: str) -> IO[bytes]:
        """A part on disk, as S3 packed it. Raises Unusable where it is not what its manifest says."""
        found = hashlib.md5(usedforsecurity=False)
        with ExitStack() as undo, faults("read inventory"):
            file = undo.enter_context(TemporaryFile())
            body = self._object(key)
            for chunk in iter(lambda: body.read(_CHUNK), b""):
                found.update(chunk)
                file.write(chunk)
            if found.hexdigest() != digest:
                raise Unusable(f"{key} is damaged")
            undo.pop_all()
        file.seek(0)
        return file

    def _newest(self) -> str:
        """The manifest of the newest inventory that is whole and fresh."""
        folder = f"{PREFIX}/{self._bucket}/{CONFIGURATION}/"
        with faults("list inventories"):
            answer = self._client.list_objects_v2(Bucket=self._store, Prefix=f"{folder}20", Delimiter="/")
        for one in sorted((row["Prefix"] for row in answer.get("CommonPrefixes", ())), reverse=True):
            manifest = f"{one}manifest.json"
            if self._whole(manifest):
                if self._clock() - self._manifest(manifest).created > self._fresh:
                    raise Unusable(f"{manifest} is old")
                return manifest
        raise Unusable("there is no inventory yet")

    def _whole(self, manifest: str) -> bool:
        """S3 writes the checksum last."""
        with faults("read inventory"):
            try:
                told = self._object(manifest.replace(".json", ".checksum")).read().decode().strip()
                found = self._object(manifest).read()
            except Unusable:
                return False
        return bool(hashlib.md5(found, usedforsecurity=False).hexdigest() == told)

    def _manifest(self, key: str) -> Manifest:
        """Read once a walk, not once a page."""
        if self._known is None or self._known[0] != key:
            with faults("read inventory"):
                told = json.loads(self._object(key).read())
            self._known = (key, _manifest(told))
        return self._known[1]

    def _object(self, key: str) -> Any:
        with faults("read inventory"):
            try:
                return self._client.get_object(Bucket=self._store, Key=key)["Body"]
            except ClientError as error:
                if code(error) not in {"NoSuchKey", "404"}:
                    raise
                raise Unusable(f"{key} is gone") from error

    def _listed(self, row: Mapping[str, str]) -> Listed | None:
        """None for what was deleted, and for what lies in no lane's folder."""
        key = unquote_plus(row["Key"])
        if row.get("IsDeleteMarker") == "true" or not key.startswith(FOLDERS):
            return None
        at = datetime.fromisoformat(row["LastModifiedDate"].replace("Z", "+00:00"))
        return Listed(Object(self._bucket, key, row["VersionId"]), at)


def _rows(packed: IO[bytes]) -> Iterator[list[str]]:
    with packed, gzip.open(packed, "rt", encoding="utf-8", newline="") as text:
        yield from csv.reader(text)


def _manifest(told: Mapping[str, Any]) -> Manifest:
    return Manifest(
        created=datetime.fromtimestamp(int(told["creationTimestamp"]) / 1000, UTC),
        columns=[name.strip() for name in told["fileSchema"].split(",")],
        parts=[(one["key"], one["MD5checksum"]) for one in told["files"]],
    )
