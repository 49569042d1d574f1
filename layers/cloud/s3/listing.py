"""Lists the objects of the photos bucket page by page, by listing it or by its newest S3 Inventory."""

import csv
import gzip
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from tempfile import TemporaryFile
from typing import IO, Any
from urllib.parse import unquote_plus

from botocore.exceptions import ClientError

from cloud.errors import error_code, translate_errors
from cloud.s3.objects import list_versions
from vigil.drops.messages import S3Object
from vigil.reliability.reconcile import ListedObject, ObjectListing

LANE_PREFIXES = ("live/", "bulk/")

INVENTORY_PREFIX = "inventory"
INVENTORY_NAME = "vigil"
"""Where S3 writes its inventories, and the name of their configuration; both are set in the template."""

_CHUNK_BYTES = 1024 * 1024


class BucketListing:
    """Lists the bucket; a cursor is a JSON list: a folder, and the key and version to continue after."""

    def __init__(self, client: Any, name: str, *, page_size: int = 1000) -> None:
        self._client, self._name, self._page_size = client, name, page_size

    def snapshot_id(self) -> str:
        """Empty: a listing shows the current objects."""
        return ""

    def exists(self, _item: S3Object) -> bool:
        """True: the object was listed a moment ago."""
        return True

    def list_page(self, cursor: str) -> tuple[Sequence[ListedObject], str]:
        prefix, *marker = json.loads(cursor) if cursor else [LANE_PREFIXES[0]]
        names = ("KeyMarker", "VersionIdMarker")
        after = {name: text for name, text in zip(names, marker, strict=False) if text}
        with translate_errors("photos", "list objects"):
            response = self._client.list_object_versions(
                Bucket=self._name, Prefix=prefix, MaxKeys=self._page_size, **after
            )
        listed = [
            ListedObject(S3Object(self._name, one["Key"], one["VersionId"]), one["LastModified"])
            for one in response.get("Versions", ())
        ]
        return listed, _next_bucket_cursor(prefix, response)


def _next_bucket_cursor(prefix: str, response: Mapping[str, Any]) -> str:
    if response["IsTruncated"]:
        return json.dumps([prefix, response["NextKeyMarker"], response.get("NextVersionIdMarker", "")])
    following = LANE_PREFIXES.index(prefix) + 1
    return json.dumps([LANE_PREFIXES[following]]) if following < len(LANE_PREFIXES) else ""


def is_in_inventory(cursor: str) -> bool:
    """Whether a cursor is a place in an inventory."""
    return cursor.startswith("{")


class InventoryUnusable(Exception):
    """An inventory is incomplete, damaged, old or gone; the bucket is listed instead."""


@dataclass(frozen=True, slots=True)
class InventoryPosition:
    """A place in an inventory: its manifest, the number of the part, and the next line."""

    manifest: str
    part: int
    line: int


@dataclass(frozen=True, slots=True)
class InventoryManifest:
    """S3's description of one inventory; `parts` are (key, MD5 in hex)."""

    created: datetime
    columns: Sequence[str]
    parts: Sequence[tuple[str, str]]


class InventoryListing:
    """Reads the newest inventory; a cursor is a JSON object, or a list for a place in the fallback.

    max_age   an older inventory is not used
    fallback  lists the bucket while there is no inventory that can be used
    """

    def __init__(
        self,
        client: Any,
        inventory_bucket: str,
        *,
        bucket: str,
        max_age: timedelta,
        clock: Callable[[], datetime],
        fallback: ObjectListing,
        page_size: int = 1000,
    ) -> None:
        self._client, self._inventory_bucket, self._bucket = client, inventory_bucket, bucket
        self._max_age, self._clock, self._fallback = max_age, clock, fallback
        self._page_size = page_size
        self._cached_manifest: tuple[str, InventoryManifest] | None = None
        self._open_part: tuple[InventoryPosition, Iterator[list[str]]] | None = None

    def snapshot_id(self) -> str:
        """The manifest of the newest usable inventory; empty if there is none."""
        try:
            return self._newest_manifest()
        except InventoryUnusable:
            return ""

    def exists(self, item: S3Object) -> bool:
        """Ask S3, because objects in an inventory that is a day old may be deleted since."""
        versions = list_versions(self._client, self._bucket, item.key, dependency="photos")
        return any(
            (one["Key"], one["VersionId"]) == (item.key, item.version) and "ETag" in one for one in versions
        )

    def list_page(self, cursor: str) -> tuple[Sequence[ListedObject], str]:
        fields = json.loads(cursor) if cursor else {}
        if isinstance(fields, list):
            return self._fallback.list_page(cursor)
        try:
            position = (
                InventoryPosition(**fields) if fields else InventoryPosition(self._newest_manifest(), 0, 0)
            )
            return self._read_page(position)
        except InventoryUnusable:
            return self._fallback.list_page("")

    def _read_page(self, position: InventoryPosition) -> tuple[list[ListedObject], str]:
        manifest = self._load_manifest(position.manifest)
        if position.part >= len(manifest.parts):
            return [], ""
        rows = list(islice(self._part_lines(position, manifest), self._page_size))
        next_position = InventoryPosition(position.manifest, position.part, position.line + len(rows))
        if len(rows) < self._page_size:
            next_position = InventoryPosition(position.manifest, position.part + 1, 0)
        elif self._open_part:
            self._open_part = (next_position, self._open_part[1])
        is_last = next_position.part >= len(manifest.parts)
        by_column = (dict(zip(manifest.columns, row, strict=True)) for row in rows)
        listed = [one for row in by_column if (one := self._listed_object(row)) is not None]
        return listed, "" if is_last else json.dumps(asdict(next_position))

    def _part_lines(self, position: InventoryPosition, manifest: InventoryManifest) -> Iterator[list[str]]:
        """The lines of a part from a position on; a part that is open at this position is continued."""
        if self._open_part is None or self._open_part[0] != position:
            rows = _csv_rows(self._download_part(*manifest.parts[position.part]))
            next(islice(rows, position.line, position.line), None)
            self._open_part = (position, rows)
        return self._open_part[1]

    def _download_part(self, key: str, digest: str) -> IO[bytes]:
        """A compressed part in a temporary file. Raises InventoryUnusable if its hash is wrong."""
        digest_found = hashlib.md5(usedforsecurity=False)
        with ExitStack() as undo, translate_errors("store", "read inventory"):
            file = undo.enter_context(TemporaryFile())
            body = self._get_object(key)
            for chunk in iter(lambda: body.read(_CHUNK_BYTES), b""):
                digest_found.update(chunk)
                file.write(chunk)
            if digest_found.hexdigest() != digest:
                raise InventoryUnusable(f"{key} is damaged")
            undo.pop_all()
        file.seek(0)
        return file

    def _newest_manifest(self) -> str:
        """The key of the manifest of the newest complete inventory. Raises InventoryUnusable if it is old."""
        folder = f"{INVENTORY_PREFIX}/{self._bucket}/{INVENTORY_NAME}/"
        with translate_errors("store", "list inventories"):
            answer = self._client.list_objects_v2(
                Bucket=self._inventory_bucket, Prefix=f"{folder}20", Delimiter="/"
            )
        for one in sorted((row["Prefix"] for row in answer.get("CommonPrefixes", ())), reverse=True):
            manifest = f"{one}manifest.json"
            if self._is_complete(manifest):
                if self._clock() - self._load_manifest(manifest).created > self._max_age:
                    raise InventoryUnusable(f"{manifest} is old")
                return manifest
        raise InventoryUnusable("there is no inventory yet")

    def _is_complete(self, manifest: str) -> bool:
        """S3 writes the checksum last."""
        try:
            expected_digest = self._read(manifest.replace(".json", ".checksum")).decode().strip()
            content = self._read(manifest)
        except InventoryUnusable:
            return False
        return hashlib.md5(content, usedforsecurity=False).hexdigest() == expected_digest

    def _load_manifest(self, key: str) -> InventoryManifest:
        """The manifest is read once for all pages."""
        if self._cached_manifest is None or self._cached_manifest[0] != key:
            self._cached_manifest = (key, _parse_manifest(json.loads(self._read(key))))
        return self._cached_manifest[1]

    def _read(self, key: str) -> bytes:
        with translate_errors("store", "read inventory"):
            return bytes(self._get_object(key).read())

    def _get_object(self, key: str) -> Any:
        with translate_errors("store", "read inventory"):
            try:
                return self._client.get_object(Bucket=self._inventory_bucket, Key=key)["Body"]
            except ClientError as error:
                if error_code(error) not in {"NoSuchKey", "404"}:
                    raise
                raise InventoryUnusable(f"{key} is gone") from error

    def _listed_object(self, row: Mapping[str, str]) -> ListedObject | None:
        """None for a delete marker and for an object in no lane's folder."""
        key = unquote_plus(row["Key"])
        if row.get("IsDeleteMarker") == "true" or not key.startswith(LANE_PREFIXES):
            return None
        at = datetime.fromisoformat(row["LastModifiedDate"].replace("Z", "+00:00"))
        return ListedObject(S3Object(self._bucket, key, row["VersionId"]), at)


def _csv_rows(packed: IO[bytes]) -> Iterator[list[str]]:
    with packed, gzip.open(packed, "rt", encoding="utf-8", newline="") as text:
        yield from csv.reader(text)


def _parse_manifest(document: Mapping[str, Any]) -> InventoryManifest:
    return InventoryManifest(
        created=datetime.fromtimestamp(int(document["creationTimestamp"]) / 1000, UTC),
        columns=[name.strip() for name in document["fileSchema"].split(",")],
        parts=[(one["key"], one["MD5checksum"]) for one in document["files"]],
    )
