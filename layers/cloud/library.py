"""Port Library: data sets, recipes and what jobs leave, in Vigil's own bucket."""

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from cloud.faults import code, faults


class S3Library:
    """Whole objects in, whole objects out."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client, self.bucket = client, bucket

    def has(self, key: str) -> bool:
        with faults(f"look for {key}"):
            try:
                self._client.head_object(Bucket=self.bucket, Key=key)
            except ClientError as error:
                if code(error) not in {"404", "NoSuchKey", "NotFound"}:
                    raise
                return False
        return True

    def put(self, key: str, data: bytes) -> None:
        with faults(f"store {key}"):
            self._client.put_object(Bucket=self.bucket, Key=key, Body=data)

    def get(self, key: str) -> bytes:
        with faults(f"read {key}"):
            return bytes(self._client.get_object(Bucket=self.bucket, Key=key)["Body"].read())

    def folders(self, place: str) -> Iterator[str]:
        """The names of the folders in a folder."""
        asked = {"Bucket": self.bucket, "Prefix": f"{place}/", "Delimiter": "/"}
        more: dict[str, str] = {}
        while True:
            with faults(f"list {place}"):
                answer = self._client.list_objects_v2(**asked, **more)
            for one in answer.get("CommonPrefixes", ()):
                yield one["Prefix"].removeprefix(f"{place}/").rstrip("/")
            if not answer.get("IsTruncated"):
                return
            more = {"ContinuationToken": answer["NextContinuationToken"]}

    def shred(self, key: str, *, but_newest: bool = False) -> None:
        """Delete every version of an object, delete markers too; or all but the newest."""
        for one in [one for one in self.versions(key) if one["Key"] == key]:
            if not (but_newest and one["IsLatest"]):
                with faults(f"shred {key}"):
                    self._client.delete_object(Bucket=self.bucket, Key=key, VersionId=one["VersionId"])

    def versions(self, prefix: str) -> Iterator[dict[str, Any]]:
        """Every version below a prefix, delete markers included."""
        more: dict[str, str] = {}
        while True:
            with faults(f"list versions of {prefix}"):
                answer = self._client.list_object_versions(Bucket=self.bucket, Prefix=prefix, **more)
            yield from answer.get("Versions", ())
            yield from answer.get("DeleteMarkers", ())
            if not answer.get("IsTruncated"):
                return
            more = {"KeyMarker": answer["NextKeyMarker"], "VersionIdMarker": answer["NextVersionIdMarker"]}

    def url(self, key: str) -> str:
        return f"s3://{self.bucket}/{key}"

    def key(self, url: str) -> str:
        """The key that a URL in this bucket names."""
        return url.removeprefix(f"s3://{self.bucket}/")
