"""Port Objects, on S3."""

import time
import uuid
from collections.abc import Collection, Iterator
from typing import Any

from botocore.exceptions import ClientError

from cloud.errors import error_code, translate_errors
from vigil.alerts.rules import RuleSet, default_rules, parse_rules
from vigil.drops.messages import S3Object
from vigil.errors import ObjectNotFound, ObjectTooLarge

_NOT_FOUND_CODES = {"NoSuchKey", "NoSuchVersion", "404", "MethodNotAllowed"}
"""MethodNotAllowed: the version asked for is a delete marker."""


class S3InputReader:
    """Reads each object once, whole; its size is checked before its body is taken."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def fetch(self, item: S3Object, max_bytes: int) -> bytes:
        version = {"VersionId": item.version} if item.version else {}
        with translate_errors("photos", "read object"):
            try:
                answer = self._client.get_object(Bucket=item.bucket, Key=item.key, **version)
            except ClientError as error:
                if error_code(error) not in _NOT_FOUND_CODES:
                    raise
                raise ObjectNotFound("deleted before it was read") from error
            with answer["Body"] as body:
                if answer["ContentLength"] > max_bytes:
                    raise ObjectTooLarge(f"{answer['ContentLength']} bytes, at most {max_bytes} are read")
                return bytes(body.read())


# MERGED: Port Library: data sets, recipes and what jobs leave, in Vigil's own bucket.


class S3ObjectStore:
    """Whole objects in, whole objects out."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client, self.bucket = client, bucket

    def exists(self, key: str) -> bool:
        with translate_errors("store", "find object"):
            try:
                self._client.head_object(Bucket=self.bucket, Key=key)
            except ClientError as error:
                if error_code(error) not in {"404", "NoSuchKey", "NotFound"}:
                    raise
                return False
        return True

    def put_object(self, key: str, data: bytes) -> None:
        with translate_errors("store", "store object"):
            self._client.put_object(Bucket=self.bucket, Key=key, Body=data)

    def get_object(self, key: str) -> bytes:
        with translate_errors("store", "read object"):
            return bytes(self._client.get_object(Bucket=self.bucket, Key=key)["Body"].read())

    def list_folders(self, prefix: str) -> Iterator[str]:
        """The names of the folders in a folder."""
        query = {"Bucket": self.bucket, "Prefix": f"{prefix}/", "Delimiter": "/"}
        continuation: dict[str, str] = {}
        while True:
            with translate_errors("store", "list folders"):
                answer = self._client.list_objects_v2(**query, **continuation)
            for one in answer.get("CommonPrefixes", ()):
                yield one["Prefix"].removeprefix(f"{prefix}/").rstrip("/")
            if not answer.get("IsTruncated"):
                return
            continuation = {"ContinuationToken": answer["NextContinuationToken"]}

    def delete_all_versions(self, key: str, *, except_newest: bool = False) -> None:
        """Delete every version of an object, delete markers too; or all but the newest."""
        for one in [one for one in self.list_versions(key) if one["Key"] == key]:
            if not (except_newest and one["IsLatest"]):
                with translate_errors("store", "delete object version"):
                    self._client.delete_object(Bucket=self.bucket, Key=key, VersionId=one["VersionId"])

    def list_versions(self, prefix: str) -> Iterator[dict[str, Any]]:
        """Every version below a prefix, delete markers included."""
        continuation: dict[str, str] = {}
        while True:
            with translate_errors("store", "list object versions"):
                answer = self._client.list_object_versions(Bucket=self.bucket, Prefix=prefix, **continuation)
            yield from answer.get("Versions", ())
            yield from answer.get("DeleteMarkers", ())
            if not answer.get("IsTruncated"):
                return
            continuation = {
                "KeyMarker": answer["NextKeyMarker"],
                "VersionIdMarker": answer["NextVersionIdMarker"],
            }

    def url_for(self, key: str) -> str:
        return f"s3://{self.bucket}/{key}"

    def key_for(self, url: str) -> str:
        """The key that a URL in this bucket names."""
        return url.removeprefix(f"s3://{self.bucket}/")


# MERGED: Vigil's own bucket: gallery snapshots, the watch file in force, photos that wait to be enrolled.

RULES_KEY = "rules.toml"


class S3Store:
    """Whole objects in, whole objects out."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client, self._bucket = client, bucket

    def get(self, key: str) -> bytes:
        with translate_errors("store", "read object"):
            return bytes(self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read())

    def save_pending_photo(self, person: str, data: bytes, suffix: str) -> S3Object:
        """Store a photo of somebody that waits to be enrolled; it is erased once it was examined."""
        key = f"{_pending_photo_prefix(person)}{uuid.uuid4().hex}{suffix}"
        with translate_errors("store", "store photo"):
            answer = self._client.put_object(Bucket=self._bucket, Key=key, Body=data)
        return S3Object(self._bucket, key, answer.get("VersionId", ""))

    def delete_pending_photos(self, person: str) -> int:
        """Delete every version of photos of somebody that wait to be enrolled; how many."""
        versions = self._list_versions(_pending_photo_prefix(person))
        for one in versions:
            self.delete_version(one)
        return len(versions)

    def save_gallery_snapshot(self, version: int, data: bytes) -> str:
        """Store a snapshot under a key never used before; nothing is in force until a pointer says so."""
        key = f"gallery/{version:08}-{uuid.uuid4().hex}"
        with translate_errors("store", "store gallery"):
            self._client.put_object(Bucket=self._bucket, Key=key, Body=data)
        return key

    def read_rules(self) -> str:
        """The stored watch file's text, "" where none was ever put."""
        with translate_errors("store", "read rules"):
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=RULES_KEY)
            except ClientError as error:
                if error_code(error) != "NoSuchKey":
                    raise
                return ""
            return str(answer["Body"].read().decode())

    def save_rules(self, text: str) -> None:
        """Put a watch file in force; it has been read before."""
        with translate_errors("store", "store rules"):
            self._client.put_object(Bucket=self._bucket, Key=RULES_KEY, Body=text.encode())

    def delete_other_snapshots(self, version: int, keys: Collection[str]) -> int:
        """Delete every version of every gallery snapshot but those of these keys; how many.

        One that is numbered above `version`, the one in force, is of an enrolment that is on its way: it was
        stored and is about to be pointed to.
        """
        old = [one for one in self._list_versions("gallery/") if _snapshot_version(one.key) <= version]
        deleted = [one for one in old if one.key not in keys]
        for one in deleted:
            self.delete_version(one)
        return len(deleted)

    def _list_versions(self, prefix: str) -> list[S3Object]:
        """Every version below a prefix, delete markers included."""
        found: list[S3Object] = []
        markers: dict[str, Any] = {}
        while True:
            with translate_errors("store", "list object versions"):
                answer = self._client.list_object_versions(Bucket=self._bucket, Prefix=prefix, **markers)
            rows = [*answer.get("Versions", ()), *answer.get("DeleteMarkers", ())]
            found += [S3Object(self._bucket, row["Key"], row["VersionId"]) for row in rows]
            if not answer.get("IsTruncated"):
                return found
            markers = {"KeyMarker": answer["NextKeyMarker"], "VersionIdMarker": answer["NextVersionIdMarker"]}

    def delete_version(self, item: S3Object) -> None:
        """Delete one object version for good."""
        version = {"VersionId": item.version} if item.version else {}
        with translate_errors("store", "delete object version"):
            self._client.delete_object(Bucket=item.bucket, Key=item.key, **version)


def _pending_photo_prefix(person: str) -> str:
    return f"enrol/{person}/"


def _snapshot_version(key: str) -> int:
    """The version of the gallery that a snapshot's key names."""
    return int(key.rsplit("/", 1)[-1].split("-", 1)[0])


class CachedRules:
    """Port Watches: the stored watch file, or the default one where none was ever put.

    fresh_s  seconds for which a look at S3 is good
    """

    def __init__(self, client: Any, bucket: str, *, max_age_s: float) -> None:
        self._client, self._bucket, self._max_age_s = client, bucket, max_age_s
        self._rules, self._etag, self._checked_at = default_rules(), "", float("-inf")

    def __call__(self) -> RuleSet:
        now = time.monotonic()
        if now - self._checked_at >= self._max_age_s:
            self._refresh()
            self._checked_at = now
        return self._rules

    def _refresh(self) -> None:
        unless = {"IfNoneMatch": self._etag} if self._etag else {}
        with translate_errors("store", "read rules"):
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=RULES_KEY, **unless)
            except ClientError as error:
                if error_code(error) not in {"NoSuchKey", "304", "NotModified"}:
                    raise
                return
            self._rules = parse_rules(answer["Body"].read().decode())
        self._etag = answer["ETag"]
