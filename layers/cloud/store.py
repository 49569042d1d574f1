"""Vigil's own bucket: gallery snapshots, the watch file in force, photos that wait to be enrolled."""

import time
import uuid
from collections.abc import Collection
from typing import Any

from botocore.exceptions import ClientError

from cloud.faults import code, faults
from vigil.drops import Object
from vigil.watch.rules import Watch, default_watch, read_watch

WATCH_KEY = "watch.toml"


class Store:
    """Whole objects in, whole objects out."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client, self._bucket = client, bucket

    def get(self, key: str) -> bytes:
        with faults(f"read {key}"):
            return bytes(self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read())

    def put_photo(self, person: str, data: bytes, suffix: str) -> Object:
        """Store a photo of somebody that waits to be enrolled; it is erased once it was examined."""
        key = f"{_waiting(person)}{uuid.uuid4().hex}{suffix}"
        with faults("store photo"):
            answer = self._client.put_object(Bucket=self._bucket, Key=key, Body=data)
        return Object(self._bucket, key, answer.get("VersionId", ""))

    def discard_photos(self, person: str) -> int:
        """Delete every version of photos of somebody that wait to be enrolled; how many."""
        left = self._versions(_waiting(person))
        for one in left:
            self.erase(one)
        return len(left)

    def put_gallery(self, version: int, data: bytes) -> str:
        """Store a snapshot under a key never used before; nothing is in force until a pointer says so."""
        key = f"gallery/{version:08}-{uuid.uuid4().hex}"
        with faults("store gallery"):
            self._client.put_object(Bucket=self._bucket, Key=key, Body=data)
        return key

    def watch(self) -> str:
        """The stored watch file's text, "" where none was ever put."""
        with faults("read watch file"):
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=WATCH_KEY)
            except ClientError as error:
                if code(error) != "NoSuchKey":
                    raise
                return ""
            return str(answer["Body"].read().decode())

    def put_watch(self, text: str) -> None:
        """Put a watch file in force; it has been read before."""
        with faults("store watch file"):
            self._client.put_object(Bucket=self._bucket, Key=WATCH_KEY, Body=text.encode())

    def keep_only(self, version: int, keys: Collection[str]) -> int:
        """Delete every version of every gallery snapshot but those of these keys; how many.

        One that is numbered above `version`, the one in force, is of an enrolment that is on its way: it was
        stored and is about to be pointed to.
        """
        old = [one for one in self._versions("gallery/") if _number(one.key) <= version]
        gone = [one for one in old if one.key not in keys]
        for one in gone:
            self.erase(one)
        return len(gone)

    def _versions(self, prefix: str) -> list[Object]:
        """Every version below a prefix, delete markers included."""
        found: list[Object] = []
        marks: dict[str, Any] = {}
        while True:
            with faults("list versions"):
                answer = self._client.list_object_versions(Bucket=self._bucket, Prefix=prefix, **marks)
            rows = [*answer.get("Versions", ()), *answer.get("DeleteMarkers", ())]
            found += [Object(self._bucket, row["Key"], row["VersionId"]) for row in rows]
            if not answer.get("IsTruncated"):
                return found
            marks = {"KeyMarker": answer["NextKeyMarker"], "VersionIdMarker": answer["NextVersionIdMarker"]}

    def erase(self, item: Object) -> None:
        """Delete one object version for good."""
        version = {"VersionId": item.version} if item.version else {}
        with faults("erase object"):
            self._client.delete_object(Bucket=item.bucket, Key=item.key, **version)


def _waiting(person: str) -> str:
    return f"enrol/{person}/"


def _number(key: str) -> int:
    """The version of the gallery that a snapshot's key names."""
    return int(key.rsplit("/", 1)[-1].split("-", 1)[0])


class WatchInForce:
    """Port Watches: the stored watch file, or the default one where none was ever put.

    fresh_s  seconds for which a look at S3 is good
    """

    def __init__(self, client: Any, bucket: str, *, fresh_s: float) -> None:
        self._client, self._bucket, self._fresh_s = client, bucket, fresh_s
        self._watch, self._etag, self._looked = default_watch(), "", float("-inf")

    def __call__(self) -> Watch:
        now = time.monotonic()
        if now - self._looked >= self._fresh_s:
            self._look()
            self._looked = now
        return self._watch

    def _look(self) -> None:
        unless = {"IfNoneMatch": self._etag} if self._etag else {}
        with faults("read watch file"):
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=WATCH_KEY, **unless)
            except ClientError as error:
                if code(error) not in {"NoSuchKey", "304", "NotModified"}:
                    raise
                return
            self._watch = read_watch(answer["Body"].read().decode())
        self._etag = answer["ETag"]
