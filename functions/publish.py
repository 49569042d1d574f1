"""DynamoDB stream of the records table → events on SNS: completed drops, alerts, release stages."""

from typing import Any

from chalice import Blueprint
from chalice.app import DynamoDBEvent

from cloud.dynamodb.stream import events_from_stream
from functions.runtime.container import container
from functions.runtime.handler import lambda_handler
from vigil.drops.events import to_cloud_event

trigger = Blueprint(__name__)


@trigger.on_dynamodb_record(stream_arn="arn:aws:dynamodb:::table/records/stream/label", name="publish")
@lambda_handler
def on_records(event: DynamoDBEvent) -> dict[str, Any]:
    """The stream repeats from the first record that was not published."""
    origin = container().settings.event_source
    events = [
        (mark, to_cloud_event(fact, origin=origin)) for mark, fact in events_from_stream(event.to_dict())
    ]
    failed = container().topic.publish(events)
    return {"batchItemFailures": [{"itemIdentifier": failed}] if failed else []}
