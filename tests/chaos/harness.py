"""Uploads inputs to the running system, follows their drops and takes samples."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from cloud.dynamodb.drops import DynamoDropRecords
from infra.local.cloud import Cloud
from tests.chaos.workload import Input
from tests.deployment import Deployment
from vigil.drops.messages import compute_drop_id
from vigil_cli.event_recorder import EventRecorder

QUEUES = ("LiveQueueUrl", "BulkQueueUrl", "LiveDeadLettersUrl", "BulkDeadLettersUrl")
_QUEUE_DEPTH_ATTRIBUTES = tuple(
    f"ApproximateNumberOfMessages{kind}" for kind in ("", "NotVisible", "Delayed")
)


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample: seconds since the start, messages by queue, final states and faults so far."""

    at_s: float
    backlog: Mapping[str, int]
    final_states: Mapping[str, int]
    faults: Mapping[str, int]


@dataclass
class Harness:
    """The drops of one run by id, their final states and the samples."""

    local_cloud: Cloud
    deployment: Deployment
    listener: EventRecorder
    started_s: float = field(default_factory=time.monotonic)
    drops: dict[str, Input] = field(default_factory=dict)
    final_states: dict[str, str] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)

    @property
    def at_s(self) -> float:
        return time.monotonic() - self.started_s

    @property
    def open_drops(self) -> list[str]:
        """Ids of drops without a final state."""
        return [drop for drop in self.drops if drop not in self.final_states]

    def upload(self, inputs: Sequence[Input], phase: str, *, over_s: float) -> None:
        """Upload the inputs evenly over `over_s` seconds."""
        started_s, interval_s = time.monotonic(), over_s / max(1, len(inputs))
        with ThreadPoolExecutor(4) as threads:
            for number, item in enumerate(inputs):
                time.sleep(max(0.0, started_s + number * interval_s - time.monotonic()))
                threads.submit(self._upload_input, item, phase)

    def take_sample(self) -> None:
        """Take a sample and record new final states."""
        self.listener.receive_all()
        self.final_states |= {
            ident: record.state
            for ident, record in self._history.read_records(self.open_drops).items()
            if record.is_terminal
        }
        self.samples.append(
            Sample(
                self.at_s,
                {name: self._queue_depth(name) for name in QUEUES},
                Counter(self.final_states.values()),
                self.local_cloud.faults.counts,
            )
        )

    @property
    def queued_messages(self) -> int:
        """Messages in all lanes and dead-letter queues in the last sample."""
        return sum(self.samples[-1].backlog.values())

    def drop_row(self, drop: str) -> dict[str, Any]:
        """Return the record of a drop."""
        return self.deployment.records.find_drop(drop) or {}

    def describe_stall(self) -> tuple[str, ...]:
        """Notes of the open drops, queues, lanes, workers, and the last log lines of what should end them."""
        lines = [
            f"open {self.drop_row(drop)} {self.deployment.records.notes(drop)}" for drop in self.open_drops
        ]
        lines.append(f"queues {dict(self.samples[-1].backlog)}")
        mappings = self.local_cloud.client("lambda").list_event_source_mappings()["EventSourceMappings"]
        lines += [f"lane {one['FunctionArn'].rsplit(':')[-1]} {one['State']}" for one in mappings]
        lines += [f"worker {one}" for one in self.local_cloud.workers()]
        for function in ("Triage", "Reconcile", "Balance", "Live"):
            lines += [f"{function} {line}" for line in list(self.local_cloud.logs(function))[-6:]]
        return tuple(lines)

    def _upload_input(self, item: Input, phase: str) -> None:
        bucket, key = self.deployment.outputs["PhotosBucket"], item.object_key(phase)
        response = self.local_cloud.client("s3").put_object(Bucket=bucket, Key=key, Body=item.data)
        self.drops[compute_drop_id(bucket, key, response["VersionId"], "faces")] = item

    def _queue_depth(self, name: str) -> int:
        response = self.local_cloud.client("sqs").get_queue_attributes(
            QueueUrl=self.deployment.outputs[name], AttributeNames=list(_QUEUE_DEPTH_ATTRIBUTES)
        )
        return sum(map(int, response["Attributes"].values()))

    @property
    def _history(self) -> DynamoDropRecords:
        client = self.local_cloud.client("dynamodb")
        return DynamoDropRecords(client, self.deployment.outputs["RecordsTable"], retention=timedelta(days=1))
