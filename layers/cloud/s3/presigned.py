"""The photos bucket for those outside: forms to put a photo with, links to look at one; both expire."""

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from cloud.errors import error_code, translate_errors
from vigil.drops.messages import S3Object
from vigil.errors import ObjectNotFound

LINK_EXPIRY_S = 300


@dataclass(frozen=True, slots=True)
class PresignedForm:
    """An HTML form's worth: POST a file to `url` with these fields before it."""

    url: str
    fields: dict[str, str]


class PresignedPhotos:
    """Links and forms are signed here; S3 checks them."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self.bucket = bucket

    def upload_form(self, key: str, *, content_type: str, max_bytes: int, expires_s: int) -> PresignedForm:
        """For one object of one type, not empty and not larger than that."""
        conditions = [{"Content-Type": content_type}, ["content-length-range", 1, max_bytes]]
        with translate_errors("photos", "sign upload"):
            signed = self._client.generate_presigned_post(
                self.bucket,
                key,
                Fields={"Content-Type": content_type},
                Conditions=conditions,
                ExpiresIn=expires_s,
            )
        return PresignedForm(signed["url"], signed["fields"])

    def latest_version(self, key: str) -> str:
        """The newest version of an object. Raises ObjectNotFound."""
        with translate_errors("photos", "read object version"):
            try:
                answer = self._client.head_object(Bucket=self.bucket, Key=key)
            except ClientError as error:
                if error_code(error) not in {"404", "NoSuchKey"}:
                    raise
                raise ObjectNotFound("there is no such object") from error
        return str(answer.get("VersionId", ""))

    def download_url(self, item: S3Object) -> str:
        """To look at one object version, for five minutes."""
        version = {"VersionId": item.version} if item.version else {}
        with translate_errors("photos", "sign download"):
            return str(
                self._client.generate_presigned_url(
                    "get_object",
                    Params={"Bucket": item.bucket, "Key": item.key, **version},
                    ExpiresIn=LINK_EXPIRY_S,
                )
            )
