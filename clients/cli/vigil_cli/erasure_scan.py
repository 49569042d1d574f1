"""Searches of everything that a deployment stores for remains of an erased person."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from cloud.dynamodb.unknown_subjects import DynamoUnknownFaces
from cloud.errors import error_code
from cloud.s3.datasets import DATASETS_PREFIX, MANIFEST_NAME, SUMMARY_NAME
from cloud.s3.objects import S3ObjectStore
from vigil.people.search import extract_probe
from vigil.training.dataset import parse_manifest
from vigil_cli.deployment import Deployment
from vigil_cli.offline import load_models


class UnknownFaceScan:
    """Stored unknown faces that are similar to the face in a photo.

    `scanned` counts the faces in the embedding space of this machine's model; others cannot be compared.
    """

    def __init__(self, cloud: Deployment, photo: Path) -> None:
        """Raises Rejected if the photo cannot be read or does not show exactly one face."""
        self._faces = DynamoUnknownFaces(cloud.client("dynamodb"), cloud.outputs["FacesTable"])
        self._probe = extract_probe(
            load_models().get("faces").predict(photo.read_bytes(), {}, lambda _: None).sightings
        )
        self.scanned = 0

    def matches(self) -> Iterator[str]:
        """Where a similar face is stored: in sightings, and in time windows of unknown subjects."""
        for place, matches in self._faces.matches(self._probe.embedding_space, self._probe.vector):
            self.scanned += 1
            if matches:
                yield place


LOG_RETENTION_DAYS = 30
"""How long log groups keep their lines."""

SCANNED_TABLES = ("RecordsTable", "FacesTable", "PeopleTable", "CallersTable")
"""Every table but the audit log, which keeps the random person id on purpose, and no name."""


class ErasureScan:
    """A search for texts in object versions, data sets, rows, queued messages and logs.

    A hit names a place, never its content. `scanned` counts what was read in each place.

    needles    texts to search for, such as a person's id and name
    logs       data folder of the local cloud; None on AWS, where the logs are in CloudWatch
    signature  of the receipt: the response stored under the Idempotency-Key of the erasure contains the
               receipt for a day, which is no hit
    """

    def __init__(
        self, cloud: Deployment, needles: Sequence[str], logs: Path | None, *, signature: str = ""
    ) -> None:
        self._cloud = cloud
        self._needles = [needle.encode().lower() for needle in needles]
        self._logs, self._signature = logs, signature
        self.scanned: Counter[str] = Counter()

    @property
    def scans(self) -> dict[str, Callable[[], Iterator[str]]]:
        """Name of a place -> its search."""
        return {
            "object versions": self._scan_objects,
            "hidden photos": self._scan_hidden_photos,
            "data sets": self._scan_datasets,
            "rows": self._scan_rows,
            "queues": self._scan_queues,
            "log lines": self._scan_logs,
        }

    def _scan_objects(self) -> Iterator[str]:
        """Search keys and contents of every object version in both buckets."""
        s3 = self._cloud.client("s3")
        for bucket in (self._cloud.outputs["PhotosBucket"], self._cloud.outputs["StoreBucket"]):
            for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
                for entry in page.get("Versions", ()):
                    self.scanned["object versions"] += 1
                    version = {"Bucket": bucket, "Key": entry["Key"], "VersionId": entry["VersionId"]}
                    if self._contains_needle(entry["Key"].encode()) or self._contains_needle(
                        self._read_version(s3, version)
                    ):
                        yield f"s3://{bucket}/{entry['Key']} version {entry['VersionId']}"

    def _scan_hidden_photos(self) -> Iterator[str]:
        """Find photos that are readable below a delete marker: nobody sees in a list that they are stored."""
        s3, bucket = self._cloud.client("s3"), self._cloud.outputs["PhotosBucket"]
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            hidden = {marker["Key"] for marker in page.get("DeleteMarkers", ()) if marker["IsLatest"]}
            for entry in page.get("Versions", ()):
                self.scanned["hidden photos"] += 1
                if entry["Key"] in hidden:
                    yield f"s3://{bucket}/{entry['Key']} version {entry['VersionId']}: below a delete marker"

    def _scan_datasets(self) -> Iterator[str]:
        """Find pictures that no manifest lists any more: their person is unknown."""
        library = S3ObjectStore(self._cloud.client("s3"), self._cloud.outputs["StoreBucket"])
        referenced: dict[str, set[str]] = {}
        for listed in library.list_versions(f"{DATASETS_PREFIX}/"):
            folder, _, name = listed["Key"].rpartition("/")
            self.scanned["data sets"] += 1
            if name in (MANIFEST_NAME, SUMMARY_NAME):
                continue
            if folder not in referenced:
                text = library.get_object(f"{folder}/{MANIFEST_NAME}").decode()
                referenced[folder] = {entry.key for entry in parse_manifest(text)}
            if name not in referenced[folder]:
                yield f"s3://{library.bucket}/{listed['Key']} version {listed['VersionId']}: in no manifest"

    def _read_version(self, s3: Any, version: dict[str, str]) -> bytes:
        try:
            return bytes(s3.get_object(**version)["Body"].read())
        except ClientError as error:
            if error_code(error) not in {"NoSuchKey", "NoSuchVersion"}:
                raise
            return b""

    def _scan_rows(self) -> Iterator[str]:
        dynamodb = self._cloud.client("dynamodb")
        for table in (self._cloud.outputs[name] for name in SCANNED_TABLES):
            for page in dynamodb.get_paginator("scan").paginate(TableName=table):
                for row in page["Items"]:
                    self.scanned["rows"] += 1
                    text = repr(row)
                    is_receipt = bool(self._signature) and self._signature in text
                    if self._contains_needle(text.encode()) and not is_receipt:
                        yield f"table {table}: {next(iter(row.values()))}"

    def _scan_queues(self) -> Iterator[str]:
        """Search waiting messages; each becomes visible to its consumers again after a second."""
        sqs = self._cloud.client("sqs")
        for url in (text for name, text in self._cloud.outputs.items() if _is_queue(name)):
            deadline = time.monotonic() + 2
            while time.monotonic() < deadline:
                response = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=1)
                if not response.get("Messages"):
                    break
                for message in response["Messages"]:
                    self.scanned["queues"] += 1
                    if self._contains_needle(message["Body"].encode()):
                        yield f"queue {url.rsplit('/', 1)[-1]}: message {message['MessageId']}"

    def _scan_logs(self) -> Iterator[str]:
        lines = self._cloudwatch_log_lines() if self._logs is None else self._local_log_lines(self._logs)
        for location, line in lines:
            self.scanned["log lines"] += 1
            if self._contains_needle(line.encode()):
                yield f"log {location}"

    def _local_log_lines(self, data: Path) -> Iterator[tuple[str, str]]:
        for file in sorted((data / "logs").glob("*.log")):
            for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1):
                yield f"{file.name} line {number}", line

    def _cloudwatch_log_lines(self) -> Iterator[tuple[str, str]]:
        logs, since = self._cloud.client("logs"), int((time.time() - LOG_RETENTION_DAYS * 86_400) * 1000)
        prefix = "/aws/lambda/" + self._cloud.outputs["APIHandlerName"].removesuffix("api")
        for page in logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix):
            for group in page["logGroups"]:
                name = group["logGroupName"]
                request = {"logGroupName": name, "startTime": since}
                for events in logs.get_paginator("filter_log_events").paginate(**request):
                    yield from ((f"{name} {one['eventId']}", one["message"]) for one in events["events"])

    def _contains_needle(self, data: bytes) -> bool:
        lowered = data.lower()
        return any(needle in lowered for needle in self._needles)


def _is_queue(name: str) -> bool:
    return name.endswith(("QueueUrl", "DeadLettersUrl"))
