"""What a stream says, in the words of a Lambda event, and the note about records that were given up."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from infra.local.answers import Answer


@dataclass(frozen=True, slots=True)
class GivenUp:
    """Why a batch was given up, after how many invocations, by whom, and from which shard it was."""

    condition: str
    invocations: int
    function: str
    shard: str


def record(read: Mapping[str, Any], stream: str) -> dict[str, Any]:
    """A record as the function gets it."""
    return {
        "eventID": read["eventID"],
        "eventName": read["eventName"],
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": read["awsRegion"],
        "dynamodb": _plain(read["dynamodb"]),
        "eventSourceARN": stream,
    }


def changes(change: Mapping[str, Any]) -> bool:
    """Whether the write changed anything: one that does not makes no record on AWS, but one in moto."""
    return "OldImage" not in change or change["OldImage"] != change.get("NewImage")


def note(given_up: GivenUp, answer: Answer, records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What Lambda sends to the destination: where the records are, not the records."""
    first, last = (records[place]["dynamodb"] for place in (0, -1))
    return {
        "requestContext": {
            "requestId": answer.request_id,
            "functionArn": given_up.function,
            "condition": given_up.condition,
            "approximateInvokeCount": given_up.invocations,
        },
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": answer.error},
        "version": "1.0",
        "timestamp": _iso(datetime.now(UTC).timestamp()),
        "DDBStreamBatchInfo": {
            "shardId": given_up.shard,
            "startSequenceNumber": first["SequenceNumber"],
            "endSequenceNumber": last["SequenceNumber"],
            "approximateArrivalOfFirstRecord": _iso(first["ApproximateCreationDateTime"]),
            "approximateArrivalOfLastRecord": _iso(last["ApproximateCreationDateTime"]),
            "batchSize": len(records),
            "streamArn": records[0]["eventSourceARN"],
        },
    }


def _plain(value: Any) -> Any:
    """boto3's values as they are in the event: bytes in base64, times in seconds."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
