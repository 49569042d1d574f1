"""Looks for words in everything that a deployment keeps: object versions, rows, queued messages, logs."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from cloud.faults import code
from cloud.library import S3Library
from infra.cli.deployment import Deployment
from vigil.flow.prune import DONE, MANIFEST, ROOT
from vigil.learn.manifest import read

DAYS = 30
"""As long as logs are kept."""

TABLES = ("RecordsTable", "PeopleTable", "CallersTable")
"""All but the audit log, which keeps the random id: that somebody was looked at, not who."""


class Remains:
    """`looked` counts what each place held; hits name where, never what.

    logs  the local cloud's folder of state; None on AWS, where CloudWatch is asked
    seal  of the receipt: the answer that is kept for a day under the Idempotency-Key of the erasure is
          the receipt itself, and no remains
    """

    def __init__(self, cloud: Deployment, words: Sequence[str], logs: Path | None, *, seal: str = "") -> None:
        self._cloud = cloud
        self._words = [word.encode().lower() for word in words]
        self._logs, self._seal = logs, seal
        self.looked: Counter[str] = Counter()

    @property
    def places(self) -> dict[str, Callable[[], Iterator[str]]]:
        """Where to look."""
        return {
            "object versions": self._objects,
            "data sets": self._examples,
            "rows": self._rows,
            "queues": self._queues,
            "log lines": self._lines,
        }

    def _objects(self) -> Iterator[str]:
        """Keys and contents of every version in both buckets."""
        s3 = self._cloud.client("s3")
        for bucket in (self._cloud.outputs["PhotosBucket"], self._cloud.outputs["StoreBucket"]):
            for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
                for one in page.get("Versions", ()):
                    self.looked["object versions"] += 1
                    where = {"Bucket": bucket, "Key": one["Key"], "VersionId": one["VersionId"]}
                    if self._in(one["Key"].encode()) or self._in(self._content(s3, where)):
                        yield f"s3://{bucket}/{one['Key']} version {one['VersionId']}"

    def _examples(self) -> Iterator[str]:
        """Pictures that no manifest names any more: whose they are cannot be read off them."""
        library = S3Library(self._cloud.client("s3"), self._cloud.outputs["StoreBucket"])
        named: dict[str, set[str]] = {}
        for one in library.versions(f"{ROOT}/"):
            place, _, name = one["Key"].rpartition("/")
            self.looked["data sets"] += 1
            if name in (MANIFEST, DONE):
                continue
            if place not in named:
                text = library.get(f"{place}/{MANIFEST}").decode()
                named[place] = {entry.object for entry in read(text)}
            if name not in named[place]:
                yield f"s3://{library.bucket}/{one['Key']} version {one['VersionId']}: in no manifest"

    def _content(self, s3: Any, where: dict[str, str]) -> bytes:
        try:
            return bytes(s3.get_object(**where)["Body"].read())
        except ClientError as error:
            if code(error) not in {"NoSuchKey", "NoSuchVersion"}:
                raise
            return b""

    def _rows(self) -> Iterator[str]:
        dynamodb = self._cloud.client("dynamodb")
        for table in (self._cloud.outputs[name] for name in TABLES):
            for page in dynamodb.get_paginator("scan").paginate(TableName=table):
                for row in page["Items"]:
                    self.looked["rows"] += 1
                    text = repr(row)
                    is_receipt = bool(self._seal) and self._seal in text
                    if self._in(text.encode()) and not is_receipt:
                        yield f"table {table}: {next(iter(row.values()))}"

    def _queues(self) -> Iterator[str]:
        """Messages that wait; they are seen again by their consumers in a second."""
        sqs = self._cloud.client("sqs")
        for url in (text for name, text in self._cloud.outputs.items() if _is_queue(name)):
            ends = time.monotonic() + 2
            while time.monotonic() < ends:
                told = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=1)
                if not told.get("Messages"):
                    break
                for message in told["Messages"]:
                    self.looked["queues"] += 1
                    if self._in(message["Body"].encode()):
                        yield f"queue {url.rsplit('/', 1)[-1]}: message {message['MessageId']}"

    def _lines(self) -> Iterator[str]:
        lines = self._on_aws() if self._logs is None else self._in_files(self._logs)
        for where, line in lines:
            self.looked["log lines"] += 1
            if self._in(line.encode()):
                yield f"log {where}"

    def _in_files(self, data: Path) -> Iterator[tuple[str, str]]:
        for file in sorted((data / "logs").glob("*.log")):
            for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1):
                yield f"{file.name} line {number}", line

    def _on_aws(self) -> Iterator[tuple[str, str]]:
        logs, since = self._cloud.client("logs"), int((time.time() - DAYS * 86_400) * 1000)
        prefix = "/aws/lambda/" + self._cloud.outputs["APIHandlerName"].removesuffix("api")
        for page in logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix):
            for group in page["logGroups"]:
                name = group["logGroupName"]
                asked = {"logGroupName": name, "startTime": since}
                for events in logs.get_paginator("filter_log_events").paginate(**asked):
                    yield from ((f"{name} {one['eventId']}", one["message"]) for one in events["events"])

    def _in(self, data: bytes) -> bool:
        plain = data.lower()
        return any(word in plain for word in self._words)


def _is_queue(name: str) -> bool:
    return name.endswith(("QueueUrl", "DeadLettersUrl"))
