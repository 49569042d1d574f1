"""DynamoDB stream of the records table → SNS: drops that ended, alerts that were raised."""

from typing import Any

from chalice import Blueprint
from chalice.app import DynamoDBEvent

from cloud.outbox import facts
from functions.bounded import bounded
from functions.wiring import outbox
from vigil.flow.announce import announce

trigger = Blueprint(__name__)


@trigger.on_dynamodb_record(stream_arn="arn:aws:dynamodb:::table/records/stream/label", name="publish")
@bounded
def on_records(event: DynamoDBEvent) -> dict[str, Any]:
    """Tell each fact; the stream comes back to the first that was not taken."""
    box = outbox()
    told = [(mark, announce(fact, origin=box.origin)) for mark, fact in facts(event.to_dict())]
    failed = box.topic.tell(told)
    return {"batchItemFailures": [{"itemIdentifier": failed}] if failed else []}
