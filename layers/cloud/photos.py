"""The photos bucket for those outside: forms to put a photo with, links to look at one; both expire."""

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from cloud.faults import code, faults
from vigil.drops import Object
from vigil.errors import ObjectGone

LINK_S = 300


@dataclass(frozen=True, slots=True)
class Form:
    """An HTML form's worth: POST a file to `url` with these fields before it."""

    url: str
    fields: dict[str, str]


class Photos:
    """Links and forms are signed here; S3 checks them."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self.bucket = bucket

    def form(self, key: str, *, media: str, most_bytes: int, lasts_s: int) -> Form:
        """For one object of one type, not empty and not larger than that."""
        conditions = [{"Content-Type": media}, ["content-length-range", 1, most_bytes]]
        with faults("sign upload"):
            signed = self._client.generate_presigned_post(
                self.bucket, key, Fields={"Content-Type": media}, Conditions=conditions, ExpiresIn=lasts_s
            )
        return Form(signed["url"], signed["fields"])

    def version(self, key: str) -> str:
        """The newest version of an object. Raises ObjectGone."""
        with faults("look at object"):
            try:
                answer = self._client.head_object(Bucket=self.bucket, Key=key)
            except ClientError as error:
                if code(error) not in {"404", "NoSuchKey"}:
                    raise
                raise ObjectGone("there is no such object") from error
        return str(answer.get("VersionId", ""))

    def link(self, item: Object) -> str:
        """To look at one object version, for five minutes."""
        version = {"VersionId": item.version} if item.version else {}
        with faults("sign link"):
            return str(
                self._client.generate_presigned_url(
                    "get_object",
                    Params={"Bucket": item.bucket, "Key": item.key, **version},
                    ExpiresIn=LINK_S,
                )
            )
