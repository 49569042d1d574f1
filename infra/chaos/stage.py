"""The running system as the play sees it: things are dropped, followed to their ends, and counted."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from cloud.history import DynamoHistory
from infra.chaos.crowd import Thing
from infra.cli.deployment import Deployment
from infra.cli.listener import Listener
from infra.local.cloud import Cloud
from vigil.drops import drop_id

QUEUES = ("LiveQueueUrl", "BulkQueueUrl", "LiveDeadLettersUrl", "BulkDeadLettersUrl")
_COUNTS = tuple(f"ApproximateNumberOfMessages{kind}" for kind in ("", "NotVisible", "Delayed"))


@dataclass(frozen=True, slots=True)
class Sample:
    """One look: seconds since the beginning, messages by queue, ends so far, faults so far."""

    at_s: float
    backlog: Mapping[str, int]
    ends: Mapping[str, int]
    faults: Mapping[str, int]


@dataclass
class Stage:
    """One run's drops by id, their ends as they come, and what was seen on the way."""

    running: Cloud
    cloud: Deployment
    listener: Listener
    began: float = field(default_factory=time.monotonic)
    drops: dict[str, Thing] = field(default_factory=dict)
    ends: dict[str, str] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)

    @property
    def at_s(self) -> float:
        return time.monotonic() - self.began

    @property
    def open(self) -> list[str]:
        """Drops without an end."""
        return [drop for drop in self.drops if drop not in self.ends]

    def put(self, things: Sequence[Thing], act: str, *, over_s: float) -> None:
        """Drop things, evenly over so many seconds."""
        begin, each_s = time.monotonic(), over_s / max(1, len(things))
        with ThreadPoolExecutor(4) as threads:
            for number, thing in enumerate(things):
                time.sleep(max(0.0, begin + number * each_s - time.monotonic()))
                threads.submit(self._put, thing, act)

    def look(self) -> None:
        """Take a sample, and note the ends that came."""
        self.listener.listen()
        self.ends |= {
            ident: record.state for ident, record in self._history.read(self.open).items() if record.settled
        }
        self.samples.append(
            Sample(
                self.at_s,
                {name: self._waiting(name) for name in QUEUES},
                Counter(self.ends.values()),
                self.running.faults.so_far,
            )
        )

    @property
    def waiting(self) -> int:
        """Messages in all lanes and dead-letter queues at the last look."""
        return sum(self.samples[-1].backlog.values())

    def row(self, drop: str) -> dict[str, Any]:
        """A drop's record."""
        return self.cloud.records.drop(drop) or {}

    def _put(self, thing: Thing, act: str) -> None:
        bucket, key = self.cloud.outputs["PhotosBucket"], thing.key(act)
        answer = self.running.client("s3").put_object(Bucket=bucket, Key=key, Body=thing.data)
        self.drops[drop_id(bucket, key, answer["VersionId"], "faces")] = thing

    def _waiting(self, name: str) -> int:
        shown = self.running.client("sqs").get_queue_attributes(
            QueueUrl=self.cloud.outputs[name], AttributeNames=list(_COUNTS)
        )
        return sum(map(int, shown["Attributes"].values()))

    @property
    def _history(self) -> DynamoHistory:
        client = self.running.client("dynamodb")
        return DynamoHistory(client, self.cloud.outputs["RecordsTable"], retention=timedelta(days=1))
