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

from cloud.bucket import Bucket
from cloud.inventory import Inventory
from tests.memory import NOON, Hands
from vigil.flow.reconcile import Shelves
from vigil.steady.reconcile import Listed

SCHEMA = ("Bucket", "Key", "VersionId", "IsLatest", "IsDeleteMarker", "Size", "LastModifiedDate")
FOLDER = "inventory/photos/vigil"
KEYS = [
    *(f"live/faces/door/{n}.jpg" for n in range(7)),
    'live/faces/door/ä b+c,"d".jpg',
    "bulk/faces/x/1.jpg",
]


@dataclass
class Press:
    """S3, as far as it writes inventories of a bucket."""

    s3: Any

    def print(self, at: str = "2026-03-02T01-00Z", *, parts: int = 3, hours_ago: float = 11) -> str:
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
        self.put(f"{FOLDER}/{at}/manifest.json", manifest)
        self.put(f"{FOLDER}/{at}/manifest.checksum", _md5(manifest).encode())
        return f"{FOLDER}/{at}/manifest.json"

    def damage(self) -> None:
        """One part that is not what its manifest says."""
        listed = self.s3.list_objects_v2(Bucket="store", Prefix=f"{FOLDER}/data/")["Contents"]
        self.put(listed[-1]["Key"], gzip.compress(b""))

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
        self.put(key, data)
        return {"key": key, "size": len(data), "MD5checksum": _md5(data)}

    def put(self, key: str, data: bytes) -> None:
        self.s3.put_object(Bucket="store", Key=key, Body=data)


@pytest.fixture
def press(aws: Callable[[str], Any]) -> Press:
    s3 = aws("s3")
    for bucket in ("photos", "store"):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_bucket_versioning(Bucket="photos", VersioningConfiguration={"Status": "Enabled"})
    for key in (*KEYS, KEYS[0], "elsewhere/a.jpg"):
        s3.put_object(Bucket="photos", Key=key, Body=b"x")
    s3.delete_object(Bucket="photos", Key=KEYS[1])
    return Press(s3)


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def shelves(press: Press, *, page: int = 2) -> Inventory:
    listing = Bucket(press.s3, "photos", page=page)
    fresh = timedelta(days=3)
    return Inventory(
        press.s3, "store", bucket="photos", fresh=fresh, clock=Hands(NOON), otherwise=listing, page=page
    )


def walked(shelf: Shelves, cursor: str = "", *, anew: Callable[[], Shelves] | None = None) -> list[Listed]:
    """All of it; with `anew`, as if each page were another invocation's."""
    found: list[Listed] = []
    for _ in range(100):
        page, cursor = (anew() if anew else shelf).page(cursor)
        found += page
        if not cursor:
            return sorted(found, key=lambda one: (one.item.key, one.item.version))
    raise AssertionError("a walk without end")


def listed(press: Press) -> list[Listed]:
    return walked(Bucket(press.s3, "photos"))


@pytest.mark.parametrize("page", [1, 2, 3, 1000])
def test_an_inventory_shows_the_same_versions_as_a_listing(press: Press, page: int):
    press.print()

    found = walked(shelves(press, page=page))

    assert [one.item for one in found] == [one.item for one in listed(press)]
    assert [one.at for one in found] == [one.at.replace(microsecond=0) for one in listed(press)]
    assert {one.item.key for one in found} == set(KEYS)


def test_a_walk_goes_on_in_another_invocation(press: Press):
    press.print()

    found = walked(shelves(press), anew=lambda: shelves(press))

    assert [one.item for one in found] == [one.item for one in listed(press)]


def test_what_came_after_the_inventory_waits_for_the_next(press: Press):
    press.print()
    press.s3.put_object(Bucket="photos", Key="live/faces/door/late.jpg", Body=b"x")
    before = {one.item.key for one in walked(shelves(press))}
    press.print("2026-03-02T09-00Z", hours_ago=3)

    assert "live/faces/door/late.jpg" not in before
    assert "live/faces/door/late.jpg" in {one.item.key for one in walked(shelves(press))}
    assert shelves(press).edition() == f"{FOLDER}/2026-03-02T09-00Z/manifest.json"


def test_one_that_is_not_whole_yet_is_not_read(press: Press):
    whole = press.print()
    newer = press.print("2026-03-02T09-00Z").replace(".json", ".checksum")
    press.s3.delete_object(Bucket="store", Key=newer)

    assert shelves(press).edition() == whole


@pytest.mark.parametrize("hours_ago", [None, 73])
def test_without_a_fresh_one_the_bucket_is_listed(press: Press, hours_ago: float | None):
    if hours_ago is not None:
        press.print(hours_ago=hours_ago)
    shelf = shelves(press)
    press.s3.put_object(Bucket="photos", Key="live/faces/door/late.jpg", Body=b"x")

    assert (walked(shelf), shelf.edition()) == (listed(press), "")


def test_one_that_is_damaged_is_given_up_for_a_listing(press: Press):
    press.print()
    press.damage()

    assert set(map(str, listed(press))) <= set(map(str, walked(shelves(press))))


def test_one_that_is_gone_in_the_middle_of_a_walk_is_given_up_for_a_listing(press: Press):
    manifest = press.print()
    _, cursor = shelves(press).page("")
    press.s3.delete_object(Bucket="store", Key=manifest)

    assert walked(shelves(press), cursor) == listed(press)


def test_an_empty_inventory_is_an_empty_bucket(press: Press):
    press.print()
    manifest = f"{FOLDER}/2026-03-02T01-00Z/manifest.json"
    told = json.loads(press.s3.get_object(Bucket="store", Key=manifest)["Body"].read()) | {"files": []}
    data = json.dumps(told).encode()
    press.put(manifest, data)
    press.put(manifest.replace(".json", ".checksum"), _md5(data).encode())

    assert walked(shelves(press)) == []


def test_what_was_deleted_since_the_inventory_is_seen_to_be_gone(press: Press):
    press.print()
    first, second = walked(shelves(press))[:2]
    press.s3.delete_object(Bucket="photos", Key=first.item.key, VersionId=first.item.version)

    assert [shelves(press).holds(one.item) for one in (first, second)] == [False, True]
