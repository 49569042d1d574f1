"""Port Library: data sets, recipes and what jobs leave, in Vigil's own bucket."""

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

    def url(self, key: str) -> str:
        return f"s3://{self.bucket}/{key}"

    def key(self, url: str) -> str:
        """The key that a URL in this bucket names."""
        return url.removeprefix(f"s3://{self.bucket}/")
