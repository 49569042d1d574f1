"""Port Objects, on S3."""

from typing import Any

from botocore.exceptions import ClientError

from cloud.faults import code, faults
from vigil.drops import Object
from vigil.errors import ObjectGone, ObjectTooLarge

_GONE = {"NoSuchKey", "NoSuchVersion", "404", "MethodNotAllowed"}
"""MethodNotAllowed: the version asked for is a delete marker."""


class S3Objects:
    """Reads each object once, whole; its size is checked before its body is taken."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def fetch(self, item: Object, max_bytes: int) -> bytes:
        version = {"VersionId": item.version} if item.version else {}
        with faults("read object"):
            try:
                answer = self._client.get_object(Bucket=item.bucket, Key=item.key, **version)
            except ClientError as error:
                if code(error) not in _GONE:
                    raise
                raise ObjectGone("deleted before it was read") from error
            with answer["Body"] as body:
                if answer["ContentLength"] > max_bytes:
                    raise ObjectTooLarge(f"{answer['ContentLength']} bytes, at most {max_bytes} are read")
                return bytes(body.read())
