"""A lane on fakes, and the messages that it receives."""

import json
from collections.abc import Sequence
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from aws_lambda_powertools import Logger

from cloud.client import Deadline
from cloud.cloudwatch import EmfMetrics, ReleaseMetrics
from functions.runtime.sqs_batch import LaneRuntime, process_batch
from functions.runtime.telemetry import DriftTelemetry, LaneTelemetry, ReleaseTelemetry
from tests.fakes.memory import NOON, FakeModel, MemoryInputReader, MemoryLedger, SingleModel
from vigil.alerts.rules import default_rules
from vigil.drops.messages import compute_drop_id
from vigil.drops.process import ProcessingPorts
from vigil.inference.types import Prediction, Sighting
from vigil.releases.lifecycle import ReleasePointers

LEASE = timedelta(seconds=20)
NAME = "ada-lovelace"
SCENE = Prediction((Sighting("p-0123456789ab", "known", 0.9, tags=frozenset({"watch"})),), found=1)


def noop(*_: Any) -> None:
    """Accepts any call."""


def key(number: int) -> str:
    return f"live/eye/vault/{NAME}-{number}.jpg"


def ident(number: int) -> str:
    return compute_drop_id("photos", key(number), "v1", "eye")


def record(number: int, body: str | None = None) -> dict[str, Any]:
    """A message of SQS that announces one object."""
    announced = {
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "eventTime": NOON.isoformat(),
        "s3": {"bucket": {"name": "photos"}, "object": {"key": key(number), "versionId": "v1", "size": 5}},
    }
    return {
        "messageId": f"m-{number}",
        "receiptHandle": f"r-{number}",
        "body": body if body is not None else json.dumps({"Records": [announced]}),
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": str(int(NOON.timestamp() * 1000))},
        "messageAttributes": {},
        "md5OfBody": "",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:live",
        "awsRegion": "us-east-1",
    }


def process_records(
    records: Sequence[dict[str, Any]],
    *,
    model: FakeModel,
    ledger: MemoryLedger,
    queue: Any,
    clips: Any,
    logger: Logger,
    is_fair: bool = False,
) -> dict[str, Any]:
    """The partial batch response of a lane whose bucket holds nine photos."""
    reader = MemoryInputReader({(key(number), "v1"): b"photo" for number in range(9)})
    lane = LaneRuntime(
        ports=ProcessingPorts(ledger, reader, SingleModel(model), default_rules, lambda: NOON),
        queue=queue,
        clips=clips,
        bucket="photos",
        lease=LEASE,
        logger=logger,
        telemetry=LaneTelemetry(
            EmfMetrics(namespace="Vigil/t", service="live"), noop, LEASE, memory_mb=1024, stale_s=10
        ),
        release_telemetry=ReleaseTelemetry(
            ReleaseMetrics("Vigil/t"), noop, noop, lambda _: ReleasePointers()
        ),
        drift_telemetry=DriftTelemetry(noop),
        deadline=Deadline(),
        is_fair=is_fair,
    )
    context = SimpleNamespace(aws_request_id="request", get_remaining_time_in_millis=lambda: 1e9)
    return process_batch({"Records": list(records)}, context, lane)
