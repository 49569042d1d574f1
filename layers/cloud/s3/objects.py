"""Objects in S3: input in the photos bucket, and all that Vigil stores in its own bucket."""

import json
import re
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from shutil import copyfileobj
from typing import Any

from botocore.exceptions import ClientError, ParamValidationError

from cloud.errors import error_code, is_invalid_request, translate_errors
from cloud.polling_cache import PollingCache
from vigil.alerts.rules import InvalidRules, RuleSet, default_rules, read_rules
from vigil.drops.messages import S3Object
from vigil.errors import Dependency, EmptyFile, InvalidConfiguration, ObjectNotFound, ObjectTooLarge
from vigil.releases.manifest import (
    InvalidReleaseManifest,
    ReleaseManifest,
    RemovedTrainingData,
    format_release_manifest,
    mark_removed,
    parse_release_manifest,
    verify_file,
)

RULES_KEY = "rules.toml"
RULES_HISTORY_PREFIX = "rules/"
MANIFEST_FILE = "manifest.json"
LINK_EXPIRY_S = 300
_CHUNK_BYTES = 1 << 20
_RELEASE_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_NOT_FOUND_CODES = {
    "NoSuchKey",
    "NoSuchVersion",
    "404",
    "NotFound",
    "MethodNotAllowed",
    "InvalidArgument",
    "KeyTooLongError",
}
"""MethodNotAllowed: the version is a delete marker. InvalidArgument: the version id is malformed.

S3 answers AccessDenied for a missing key to a role without s3:ListBucket, so each role that reads has it:
https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
"""


class S3InputReader:
    """Reads the input of drops; the size of an object is checked before its body is read."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def fetch(self, item: S3Object, max_bytes: int) -> bytes:
        with self._open(item, max_bytes) as body:
            return bytes(body.read())

    def download(self, item: S3Object, file: Path, max_bytes: int) -> None:
        with self._open(item, max_bytes) as body, file.open("wb") as written:
            copyfileobj(body, written, _CHUNK_BYTES)
        if not file.stat().st_size:
            raise EmptyFile("the object has no bytes")

    @contextmanager
    def _open(self, item: S3Object, max_bytes: int) -> Iterator[Any]:
        """The body of an object; its errors while it is read are translated too."""
        with translate_errors("photos", "read object"):
            try:
                answer = self._client.get_object(Bucket=item.bucket, Key=item.key, **_version(item))
            except (ClientError, ParamValidationError) as error:
                if is_invalid_request(error):
                    raise ObjectNotFound("no object can have this key or version") from error
                if error_code(error) not in _NOT_FOUND_CODES:
                    raise
                raise ObjectNotFound("the object was deleted before it was read") from error
            with answer["Body"] as body:
                if answer["ContentLength"] > max_bytes:
                    raise ObjectTooLarge(f"{answer['ContentLength']} bytes are more than {max_bytes}")
                yield body

    def with_version(self, item: S3Object) -> S3Object:
        if item.version:
            return item
        with translate_errors("photos", "read object version"):
            try:
                answer = self._client.head_object(Bucket=item.bucket, Key=item.key)
            except (ClientError, ParamValidationError) as error:
                if not is_invalid_request(error) and error_code(error) not in _NOT_FOUND_CODES:
                    raise
                raise ObjectNotFound("the object was deleted before it was read") from error
        return S3Object(item.bucket, item.key, str(answer.get("VersionId", "")))


class S3Frames:
    """Port FrameStore in the photos bucket: S3 announces each frame that is stored as a drop."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client, self._bucket = client, bucket

    def put_frame(self, key: str, data: bytes) -> bool:
        """S3 refuses a second object under a key, whose version would be another drop.

        https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
        """
        with translate_errors("photos", "store frame"):
            try:
                self._client.put_object(
                    Bucket=self._bucket, Key=key, Body=data, ContentType="image/jpeg", IfNoneMatch="*"
                )
            except ClientError as error:
                if error_code(error) != "PreconditionFailed":
                    raise
                return False
        return True


@dataclass(frozen=True, slots=True)
class PresignedForm:
    """An HTML form: POST a file to `url` with these fields before it."""

    url: str
    fields: dict[str, str]


class PresignedPhotos:
    """Forms to upload a photo and links to download one, without credentials and until they expire."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self.bucket = bucket

    def upload_form(self, key: str, *, content_type: str, max_bytes: int, expires_s: int) -> PresignedForm:
        """A form for one object of this type, which must not be empty or larger than this."""
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
                if error_code(error) not in _NOT_FOUND_CODES:
                    raise
                raise ObjectNotFound(f"there is no object {key}") from error
        return str(answer.get("VersionId", ""))

    def download_url(self, item: S3Object) -> str:
        """A link to one object version, valid for LINK_EXPIRY_S."""
        parameters = {"Bucket": item.bucket, "Key": item.key, **_version(item)}
        with translate_errors("photos", "sign download"):
            return str(
                self._client.generate_presigned_url("get_object", Params=parameters, ExpiresIn=LINK_EXPIRY_S)
            )


def list_versions(
    client: Any, bucket: str, prefix: str, *, dependency: Dependency
) -> Iterator[Mapping[str, Any]]:
    """Every object version below a prefix as S3 describes it, delete markers included."""
    markers: dict[str, str] = {}
    while True:
        with translate_errors(dependency, "list object versions"):
            answer = client.list_object_versions(Bucket=bucket, Prefix=prefix, **markers)
        yield from answer.get("Versions", ())
        yield from answer.get("DeleteMarkers", ())
        if not answer.get("IsTruncated"):
            return
        markers = {"KeyMarker": answer["NextKeyMarker"], "VersionIdMarker": answer["NextVersionIdMarker"]}


class S3ObjectStore:
    """Whole objects in the store bucket, by key."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client, self.bucket = client, bucket

    def exists(self, key: str) -> bool:
        with translate_errors("store", "find object"):
            try:
                self._client.head_object(Bucket=self.bucket, Key=key)
            except ClientError as error:
                if error_code(error) not in _NOT_FOUND_CODES:
                    raise
                return False
        return True

    def put_object(self, key: str, data: bytes) -> None:
        self._put_version(key, data)

    def get_object(self, key: str) -> bytes:
        with translate_errors("store", "read object"):
            return bytes(self._client.get_object(Bucket=self.bucket, Key=key)["Body"].read())

    def list_folders(self, prefix: str) -> Iterator[str]:
        """The names of the folders in a folder."""
        query = {"Bucket": self.bucket, "Prefix": f"{prefix}/", "Delimiter": "/"}
        while True:
            with translate_errors("store", "list folders"):
                answer = self._client.list_objects_v2(**query)
            for one in answer.get("CommonPrefixes", ()):
                yield one["Prefix"].removeprefix(f"{prefix}/").rstrip("/")
            if not answer.get("IsTruncated"):
                return
            query["ContinuationToken"] = answer["NextContinuationToken"]

    def list_versions(self, prefix: str) -> Iterator[Mapping[str, Any]]:
        """Every version below a prefix, delete markers included."""
        return list_versions(self._client, self.bucket, prefix, dependency="store")

    def delete_version(self, item: S3Object) -> None:
        """Delete one object version permanently."""
        with translate_errors("store", "delete object version"):
            self._client.delete_object(Bucket=item.bucket, Key=item.key, **_version(item))

    def delete_photo(self, item: S3Object) -> None:
        """Delete one version of a photo, or all versions if it is not known which one was read.

        Without a version S3 would only put a delete marker on top, below which the photo stays readable.
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeleteMarker.html
        """
        versions = [item.version]
        if not item.version:
            listed = list_versions(self._client, item.bucket, item.key, dependency="photos")
            versions = [one["VersionId"] for one in listed if one["Key"] == item.key]
        for version in versions:
            self.delete_version(S3Object(item.bucket, item.key, version))

    def delete_all_versions(self, key: str, *, except_newest: bool = False) -> None:
        """Delete every version of an object, delete markers too; or all but the newest."""
        for one in [one for one in self.list_versions(key) if one["Key"] == key]:
            if not (except_newest and one["IsLatest"]):
                self.delete_version(S3Object(self.bucket, key, one["VersionId"]))

    def _put_version(self, key: str, data: bytes) -> S3Object:
        with translate_errors("store", "store object"):
            answer = self._client.put_object(Bucket=self.bucket, Key=key, Body=data)
        return S3Object(self.bucket, key, answer.get("VersionId", ""))

    def url_for(self, key: str) -> str:
        return f"s3://{self.bucket}/{key}"

    def key_for(self, url: str) -> str:
        """The key that a URL in this bucket names."""
        return url.removeprefix(f"s3://{self.bucket}/")


class S3Store(S3ObjectStore):
    """The rules, segments of galleries and photos for enrolment.

    rules.toml                            the rules in use
    gallery/<gallery>/<version>-<random>  a segment; the gallery's pointer names those in use
    enrol/<person>/<random>.<type>        a photo that waits to be enrolled
    """

    def save_pending_photo(self, person: str, data: bytes) -> S3Object:
        """Store a photo until it is enrolled; then it is deleted."""
        return self._put_version(f"{_pending_photo_prefix(person)}{uuid.uuid4().hex}", data)

    def delete_pending_photos(self, person: str) -> int:
        """Delete every version of a person's photos that wait to be enrolled; returns their number."""
        return self._delete_versions(list(self.list_versions(_pending_photo_prefix(person))))

    def save_gallery_segment(self, gallery: str, version: int, data: bytes) -> str:
        """Store a segment under a new key, which takes effect when the gallery pointer names it."""
        return self._put_version(f"gallery/{gallery}/{version:08}-{uuid.uuid4().hex}", data).key

    def delete_unused_segments(self, gallery: str, version: int, keys: Collection[str]) -> int:
        """Delete every version of a gallery's segments but those of these keys; returns their number.

        A segment with a number above `version`, the one in use, belongs to an enrolment in progress, which
        will point to it: it is not deleted. One with a lower number can no longer be put in use.
        """
        listed = self.list_versions(f"gallery/{gallery}/")
        return self._delete_versions(
            [one for one in listed if _segment_version(one["Key"]) <= version and one["Key"] not in keys]
        )

    def read_rules(self) -> str:
        """The text of the stored rules; empty if none were ever stored."""
        with translate_errors("store", "read rules"):
            try:
                answer = self._client.get_object(Bucket=self.bucket, Key=RULES_KEY)
            except ClientError as error:
                if error_code(error) != "NoSuchKey":
                    raise
                return ""
            return str(answer["Body"].read().decode("utf-8-sig", "replace"))

    def save_rules(self, text: str, *, version: str, caller: str, now: datetime) -> None:
        """Put rules into use, and keep them in their history; the caller has parsed them."""
        key = f"{RULES_HISTORY_PREFIX}{_countdown(now)}-{now:%Y%m%dT%H%M%SZ}-{version}.json"
        entry = {"at": now.isoformat(), "version": version, "caller": caller, "toml": text}
        self.put_object(key, json.dumps(entry).encode())
        self.put_object(RULES_KEY, text.encode())

    def rules_history(self, limit: int) -> list[Mapping[str, str]]:
        """Rules that were put into use, newest first: `at`, `version`, `caller` and `toml`."""
        with translate_errors("store", "list rules"):
            listed = self._client.list_objects_v2(
                Bucket=self.bucket, Prefix=RULES_HISTORY_PREFIX, MaxKeys=limit
            )
        return [json.loads(self.get_object(one["Key"])) for one in listed.get("Contents", ())]

    def _delete_versions(self, versions: Collection[Mapping[str, Any]]) -> int:
        for one in versions:
            self.delete_version(S3Object(self.bucket, one["Key"], one["VersionId"]))
        return len(versions)


class CachedRules(PollingCache[RuleSet]):
    """The last valid stored rules, or the default ones if none were ever stored."""

    def __init__(
        self,
        client: Any,
        bucket: str,
        *,
        max_age_s: float,
        on_invalid: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__(default_rules(), max_age_s=max_age_s, is_usable=True, on_invalid=on_invalid)
        self._client, self._bucket, self._etag = client, bucket, ""

    def _read(self) -> RuleSet:
        unless = {"IfNoneMatch": self._etag} if self._etag else {}
        with translate_errors("store", "read rules"):
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=RULES_KEY, **unless)
            except ClientError as error:
                if error_code(error) not in {"NoSuchKey", "304", "NotModified"}:
                    raise
                return self._value
            data = bytes(answer["Body"].read())
        try:
            rules = read_rules(RULES_KEY, data)
        except InvalidRules as error:
            raise InvalidConfiguration(str(error)) from error
        self._etag = answer["ETag"]
        return rules


class S3ReleaseStore:
    """Releases under releases/<model>/<id>/: a manifest and the files that it names.

    The files are stored before the manifest, so that a release is either complete or absent.
    """

    def __init__(self, client: Any, bucket: str) -> None:
        self._objects = S3ObjectStore(client, bucket)

    def put_release(self, manifest: ReleaseManifest, files: Mapping[str, bytes]) -> None:
        """Store a release; storing it again changes nothing, since its id is the hash of its content."""
        for name, data in files.items():
            key = _release_key(manifest.model, manifest.id, name)
            self._objects.put_object(key, verify_file(manifest, name, data))
        self._put_manifest(manifest)

    def record_removed_data(self, model: str, release: str, removed: RemovedTrainingData) -> None:
        """Record in a release's manifest what was removed from its data set."""
        self._put_manifest(mark_removed(self.read_manifest(model, release), removed))

    def read_manifest(self, model: str, release: str) -> ReleaseManifest:
        """Raises InvalidReleaseManifest, Transient."""
        data = self._objects.get_object(_release_key(model, release, MANIFEST_FILE))
        manifest = parse_release_manifest(data)
        if (manifest.model, manifest.id) != (model, release):
            raise InvalidReleaseManifest(f"releases/{model}/{release} is {manifest.id} of {manifest.model}")
        return manifest

    def fetch(self, model: str, release: str, folder: Path) -> None:
        """Write a release's files to a folder and verify their hashes.

        Raises InvalidReleaseManifest, Transient.
        """
        manifest = self.read_manifest(model, release)
        for name in manifest.digests:
            if not _RELEASE_FILE.fullmatch(name):
                raise InvalidReleaseManifest(f"{name[:80]!r} is not a valid file name in a release")
            data = self._objects.get_object(_release_key(model, release, name))
            (folder / name).write_bytes(verify_file(manifest, name, data))

    def _put_manifest(self, manifest: ReleaseManifest) -> None:
        key = _release_key(manifest.model, manifest.id, MANIFEST_FILE)
        self._objects.put_object(key, format_release_manifest(manifest))


def _version(item: S3Object) -> dict[str, str]:
    return {"VersionId": item.version} if item.version else {}


def _countdown(now: datetime) -> str:
    """Falls as time passes, because S3 lists in the order of keys."""
    return f"{10**13 - int(now.timestamp() * 1000):013}"


def _pending_photo_prefix(person: str) -> str:
    return f"enrol/{person}/"


def _segment_version(key: str) -> int:
    """The version of the gallery in a segment's key."""
    return int(key.rsplit("/", 1)[-1].split("-", 1)[0])


def _release_key(model: str, release: str, name: str) -> str:
    return f"releases/{model}/{release}/{name}"
