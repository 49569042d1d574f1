"""The bucket by its inventory, as S3 writes them, on moto: the same objects as by a listing."""

import csv
import gzip
import hashlib
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote_plus

import pytest

from cloud.s3.listing import BucketListing, InventoryListing
from tests.fakes.memory import NOON, FakeClock
from vigil.reliability.reconcile import ListedObject, ObjectListing

SCHEMA = ("Bucket", "Key", "VersionId", "IsLatest", "IsDeleteMarker", "Size", "LastModifiedDate")
FOLDER = "inventory/photos/vigil"
KEYS = [
    *(f"live/faces/door/{n}.jpg" for n in range(7)),
    'live/faces/door/ä b+c,"d".jpg',
    "bulk/faces/x/1.jpg",
]


@dataclass
class InventoryWriter:
    """S3, as far as it writes inventories of a bucket."""

    s3: Any

    def write(self, at: str = "2026-03-02T01-00Z", *, parts: int = 3, hours_ago: float = 11) -> str:
        """An inventory of all that is in the bucket now; its manifest's key."""
        rows = list(self._rows())
        files = [self._part(f"{at}-{n}", rows[n::parts]) for n in range(parts)]
        created = NOON - timedelta(hours=hours_ago)
        told = {
            "sourceBucket": "photos",
            "destinationBucket": "arn:aws:s3:::store",
            "version": "2016-11-30",
            "creationTimestamp": str(int(created.timestamp() * 1000)),
            "fileFormat": "CSV",
            "fileSchema": ", ".join(SCHEMA),
            "files": files,
        }
        manifest = json.dumps(told).encode()
        self.put_object(f"{FOLDER}/{at}/manifest.json", manifest)
        self.put_object(f"{FOLDER}/{at}/manifest.checksum", _md5(manifest).encode())
        return f"{FOLDER}/{at}/manifest.json"

    def damage(self) -> None:
        """One part that is not what its manifest says."""
        listed = self.s3.list_objects_v2(Bucket="store", Prefix=f"{FOLDER}/data/")["Contents"]
        self.put_object(listed[-1]["Key"], gzip.compress(b""))

    def _rows(self) -> Iterator[Sequence[Any]]:
        told = self.s3.list_object_versions(Bucket="photos")
        for kind, marker in (("Versions", "false"), ("DeleteMarkers", "true")):
            for one in told.get(kind, ()):
                at = one["LastModified"].strftime("%Y-%m-%dT%H:%M:%S.000Z")
                latest, size = str(one["IsLatest"]).lower(), one.get("Size", "")
                yield "photos", quote_plus(one["Key"]), one["VersionId"], latest, marker, size, at

    def _part(self, name: str, rows: Sequence[Sequence[Any]]) -> dict[str, Any]:
        text = io.StringIO()
        csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
        data = gzip.compress(text.getvalue().encode())
        key = f"{FOLDER}/data/{name}.csv.gz"
        self.put_object(key, data)
        return {"key": key, "size": len(data), "MD5checksum": _md5(data)}

    def put_object(self, key: str, data: bytes) -> None:
        self.s3.put_object(Bucket="store", Key=key, Body=data)


@pytest.fixture
def writer(aws: Callable[[str], Any]) -> InventoryWriter:
    s3 = aws("s3")
    for bucket in ("photos", "store"):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_bucket_versioning(Bucket="photos", VersioningConfiguration={"Status": "Enabled"})
    for key in (*KEYS, KEYS[0], "elsewhere/a.jpg"):
        s3.put_object(Bucket="photos", Key=key, Body=b"x")
    s3.delete_object(Bucket="photos", Key=KEYS[1])
    return InventoryWriter(s3)


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def inventory_listing(writer: InventoryWriter, *, page: int = 2) -> InventoryListing:
    listing = BucketListing(writer.s3, "photos", page_size=page)
    fresh = timedelta(days=3)
    return InventoryListing(
        writer.s3,
        "store",
        bucket="photos",
        max_age=fresh,
        clock=FakeClock(NOON),
        fallback=listing,
        page_size=page,
    )


def list_all(
    listing: ObjectListing, cursor: str = "", *, new_listing: Callable[[], ObjectListing] | None = None
) -> list[ListedObject]:
    """All of it; with `anew`, as if each page were another invocation's."""
    found: list[ListedObject] = []
    for _ in range(100):
        page, cursor = (new_listing() if new_listing else listing).list_page(cursor)
        found += page
        if not cursor:
            return sorted(found, key=lambda one: (one.s3_object.key, one.s3_object.version))
    raise AssertionError("a walk without end")


def list_bucket(writer: InventoryWriter) -> list[ListedObject]:
    return list_all(BucketListing(writer.s3, "photos"))


@pytest.mark.parametrize("page", [1, 2, 3, 1000])
def test_an_inventory_shows_the_same_versions_as_a_listing(writer: InventoryWriter, page: int):
    writer.write()

    found = list_all(inventory_listing(writer, page=page))

    assert [one.s3_object for one in found] == [one.s3_object for one in list_bucket(writer)]
    assert [one.stored_at for one in found] == [
        one.stored_at.replace(microsecond=0) for one in list_bucket(writer)
    ]
    assert {one.s3_object.key for one in found} == set(KEYS)


def test_a_walk_goes_on_in_another_invocation(writer: InventoryWriter):
    writer.write()

    found = list_all(inventory_listing(writer), new_listing=lambda: inventory_listing(writer))

    assert [one.s3_object for one in found] == [one.s3_object for one in list_bucket(writer)]


def test_what_came_after_the_inventory_waits_for_the_next(writer: InventoryWriter):
    writer.write()
    writer.s3.put_object(Bucket="photos", Key="live/faces/door/late.jpg", Body=b"x")
    before = {one.s3_object.key for one in list_all(inventory_listing(writer))}
    writer.write("2026-03-02T09-00Z", hours_ago=3)

    assert "live/faces/door/late.jpg" not in before
    assert "live/faces/door/late.jpg" in {one.s3_object.key for one in list_all(inventory_listing(writer))}
    assert inventory_listing(writer).snapshot_id() == f"{FOLDER}/2026-03-02T09-00Z/manifest.json"


def test_one_that_is_not_whole_yet_is_not_read(writer: InventoryWriter):
    whole = writer.write()
    newer = writer.write("2026-03-02T09-00Z").replace(".json", ".checksum")
    writer.s3.delete_object(Bucket="store", Key=newer)

    assert inventory_listing(writer).snapshot_id() == whole


@pytest.mark.parametrize("hours_ago", [None, 73])
def test_without_a_fresh_one_the_bucket_is_listed(writer: InventoryWriter, hours_ago: float | None):
    if hours_ago is not None:
        writer.write(hours_ago=hours_ago)
    shelf = inventory_listing(writer)
    writer.s3.put_object(Bucket="photos", Key="live/faces/door/late.jpg", Body=b"x")

    assert (list_all(shelf), shelf.snapshot_id()) == (list_bucket(writer), "")


def test_one_that_is_damaged_is_given_up_for_a_listing(writer: InventoryWriter):
    writer.write()
    writer.damage()

    assert set(map(str, list_bucket(writer))) <= set(map(str, list_all(inventory_listing(writer))))


def test_one_that_is_gone_in_the_middle_of_a_walk_is_given_up_for_a_listing(writer: InventoryWriter):
    manifest = writer.write()
    _, cursor = inventory_listing(writer).list_page("")
    writer.s3.delete_object(Bucket="store", Key=manifest)

    assert list_all(inventory_listing(writer), cursor) == list_bucket(writer)


def test_an_empty_inventory_is_an_empty_bucket(writer: InventoryWriter):
    writer.write()
    manifest = f"{FOLDER}/2026-03-02T01-00Z/manifest.json"
    told = json.loads(writer.s3.get_object(Bucket="store", Key=manifest)["Body"].read()) | {"files": []}
    data = json.dumps(told).encode()
    writer.put_object(manifest, data)
    writer.put_object(manifest.replace(".json", ".checksum"), _md5(data).encode())

    assert list_all(inventory_listing(writer)) == []


def test_what_was_deleted_since_the_inventory_is_seen_to_be_gone(writer: InventoryWriter):
    writer.write()
    first, second = list_all(inventory_listing(writer))[:2]
    writer.s3.delete_object(Bucket="photos", Key=first.s3_object.key, VersionId=first.s3_object.version)

    assert [inventory_listing(writer).exists(one.s3_object) for one in (first, second)] == [False, True]
