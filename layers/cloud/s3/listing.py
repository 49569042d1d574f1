"""Port Shelves: the photos bucket's object versions, a page of one lane's folder at a time."""

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

from cloud.errors import error_code, translate_errors
from vigil.drops.messages import S3Object
from vigil.drops.ports import Clock
from vigil.reliability.reconcile import ListedObject, ObjectListing

LANE_PREFIXES = ("live/", "bulk/")


class BucketListing:
    """A cursor is JSON: folder, key and version to go on after. Deleted versions are not listed."""

    def __init__(self, client: Any, name: str, *, page_size: int = 1000) -> None:
        self._client, self._name, self._page_size = client, name, page_size

    def snapshot_id(self) -> str:
        """A listing is of this moment."""
        return ""

    def exists(self, _item: S3Object) -> bool:
        """What was listed was there a moment ago; who is faster finds that it is gone."""
        return True

    def list_page(self, cursor: str) -> tuple[Sequence[ListedObject], str]:
        prefix, *marker = json.loads(cursor) if cursor else [LANE_PREFIXES[0]]
        names = ("KeyMarker", "VersionIdMarker")
        after = {name: text for name, text in zip(names, marker, strict=False) if text}
        with translate_errors("photos", "list objects"):
            response = self._client.list_object_versions(
                Bucket=self._name, Prefix=prefix, MaxKeys=self._page_size, **after
            )
        listed = [self._listed_object(version) for version in response.get("Versions", ())]
        return listed, _next_bucket_cursor(prefix, response)

    def _listed_object(self, version: dict[str, Any]) -> ListedObject:
        return ListedObject(
            S3Object(self._name, version["Key"], version["VersionId"]), version["LastModified"]
        )


def _next_bucket_cursor(prefix: str, response: dict[str, Any]) -> str:
    if response["IsTruncated"]:
        return json.dumps([prefix, response["NextKeyMarker"], response.get("NextVersionIdMarker", "")])
    following = LANE_PREFIXES.index(prefix) + 1
    return json.dumps([LANE_PREFIXES[following]]) if following < len(LANE_PREFIXES) else ""


# MERGED: Port Shelves, at scale: the photos bucket by its newest S3 Inventory, part by part, without a
#   listing.

INVENTORY_PREFIX = "inventory"
INVENTORY_NAME = "vigil"
"""Where the template has S3 put its inventories, and what it calls them."""

_CHUNK_BYTES = 1024 * 1024


class InventoryUnusable(Exception):
    """An inventory that is incomplete, damaged or gone: the bucket is listed instead."""


@dataclass(frozen=True, slots=True)
class InventoryPosition:
    """Where a walk is in an inventory: its manifest, the part, and the line to go on at."""

    manifest: str
    part: int
    line: int


@dataclass(frozen=True, slots=True)
class InventoryManifest:
    """What S3 says of one inventory; `parts` are (key, MD5 in hex)."""

    created: datetime
    columns: Sequence[str]
    parts: Sequence[tuple[str, str]]


class InventoryListing:
    """A cursor is JSON: an object for a place in an inventory, a list for one in the listing.

    fresh      an inventory that is older than this is not worth reading
    otherwise  the listing, for as long as there is no inventory that can be used
    """

    def __init__(
        self,
        client: Any,
        inventory_bucket: str,
        *,
        bucket: str,
        max_age: timedelta,
        clock: Clock,
        fallback: ObjectListing,
        page_size: int = 1000,
    ) -> None:
        self._client, self._inventory_bucket, self._bucket = client, inventory_bucket, bucket
        self._max_age, self._clock, self._fallback = max_age, clock, fallback
        self._page_size = page_size
        self._cached_manifest: tuple[str, InventoryManifest] | None = None
        self._open_part: tuple[InventoryPosition, Iterator[list[str]]] | None = None

    def snapshot_id(self) -> str:
        """The newest inventory that can be used, by its manifest; "" where there is none."""
        try:
            return self._newest_manifest()
        except InventoryUnusable:
            return ""

    def exists(self, item: S3Object) -> bool:
        """Asked of S3: what a day-old inventory names may have been erased meanwhile."""
        with translate_errors("photos", "find object version"):
            answer = self._client.list_object_versions(Bucket=self._bucket, Prefix=item.key)
        return any(
            (one["Key"], one["VersionId"]) == (item.key, item.version) for one in answer.get("Versions", ())
        )

    def list_page(self, cursor: str) -> tuple[Sequence[ListedObject], str]:
        cursor_value = json.loads(cursor) if cursor else {}
        if isinstance(cursor_value, list):
            return self._fallback.list_page(cursor)
        try:
            position = (
                InventoryPosition(**cursor_value)
                if cursor_value
                else InventoryPosition(self._newest_manifest(), 0, 0)
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
        return listed, "" if is_last else json.dumps(
            {name: getattr(next_position, name) for name in InventoryPosition.__slots__}
        )

    def _part_lines(self, position: InventoryPosition, manifest: InventoryManifest) -> Iterator[list[str]]:
        """Lines of a part from a place on; one that is open there already goes on."""
        if self._open_part is None or self._open_part[0] != position:
            rows = _csv_rows(self._download_part(*manifest.parts[position.part]))
            next(islice(rows, position.line, position.line), None)
            self._open_part = (position, rows)
        return self._open_part[1]

    def _download_part(self, key: str, digest: str) -> IO[bytes]:
        """A part on disk, as S3 packed it. Raises Unusable where it is not what its manifest says."""
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
        """The manifest of the newest inventory that is whole and fresh."""
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
        with translate_errors("store", "read inventory"):
            try:
                expected_digest = (
                    self._get_object(manifest.replace(".json", ".checksum")).read().decode().strip()
                )
                content = self._get_object(manifest).read()
            except InventoryUnusable:
                return False
        return bool(hashlib.md5(content, usedforsecurity=False).hexdigest() == expected_digest)

    def _load_manifest(self, key: str) -> InventoryManifest:
        """Read once a walk, not once a page."""
        if self._cached_manifest is None or self._cached_manifest[0] != key:
            with translate_errors("store", "read inventory"):
                document = json.loads(self._get_object(key).read())
            self._cached_manifest = (key, _parse_manifest(document))
        return self._cached_manifest[1]

    def _get_object(self, key: str) -> Any:
        with translate_errors("store", "read inventory"):
            try:
                return self._client.get_object(Bucket=self._inventory_bucket, Key=key)["Body"]
            except ClientError as error:
                if error_code(error) not in {"NoSuchKey", "404"}:
                    raise
                raise InventoryUnusable(f"{key} is gone") from error

    def _listed_object(self, row: Mapping[str, str]) -> ListedObject | None:
        """None for what was deleted, and for what lies in no lane's folder."""
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
