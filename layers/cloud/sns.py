"""The SNS topic on which outcomes are told."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from cloud.dynamodb.attributes import Item, from_item, to_item
from cloud.errors import error_code, translate_errors
from vigil.drops.events import OutboundEvent
from vigil.reliability.dead_letters import NewFault

PUBLISH_BATCH = 10
"""Messages that SNS takes in one call."""


class SnsTopic:
    """Publishes CloudEvents; the attributes are for subscribers' filter policies."""

    def __init__(self, client: Any, arn: str) -> None:
        self._client, self._arn = client, arn

    def publish(self, events: Sequence[tuple[str, OutboundEvent]]) -> str:
        """Publish (mark, announcement) pairs in order; the first mark that was not taken, or ""."""
        for start in range(0, len(events), PUBLISH_BATCH):
            batch = events[start : start + PUBLISH_BATCH]
            failed = self._publish(batch)
            for number, (mark, _) in enumerate(batch):
                if str(number) in failed:
                    return mark
        return ""

    def _publish(self, batch: Sequence[tuple[str, OutboundEvent]]) -> set[str]:
        entries = [
            {
                "Id": str(number),
                "Message": json.dumps(announcement.event),
                "MessageAttributes": {
                    name: {"DataType": "String", "StringValue": text}
                    for name, text in announcement.attributes.items()
                },
            }
            for number, (_, announcement) in enumerate(batch)
        ]
        with translate_errors("topic", "publish"):
            answer = self._client.publish_batch(TopicArn=self._arn, PublishBatchRequestEntries=entries)
        return {entry["Id"] for entry in answer.get("Failed", [])}


# MERGED: Port Operators: a topic that wakes people. References and fingerprints, never a name or a face.


class SnsOperators:
    """One message a new fault, as JSON."""

    def __init__(self, client: Any, arn: str) -> None:
        self._client, self._arn = client, arn

    def notify(self, fault: NewFault) -> None:
        fingerprint = fault.case.fingerprint
        evidence = {
            "type": "vigil.fault.new",
            "fingerprint": fingerprint.id,
            "stage": fingerprint.stage,
            "kind": fingerprint.kind,
            "message": fingerprint.message,
            "release": fingerprint.release,
            "dependency": fingerprint.dependency,
            "lane": fault.dead_letter.lane,
            "dead_letters": fault.dead_letter_count,
            "drops": [drop.id for drop in fault.dead_letter.drops][:10],
            "runbook": "docs/operations.md#new-fault",
        }
        subject = f"vigil: {fingerprint.kind} in {fingerprint.stage}"[:100]
        with translate_errors("operators", "notify operators"):
            self._client.publish(TopicArn=self._arn, Subject=subject, Message=json.dumps(evidence, indent=1))


# MERGED: HTTPS subscriptions to the events topic, each with the filter that bounds what it is told.


class SnsSubscriptions:
    """SNS keeps them; whose each is, which SNS has no place for, stands in the callers table.

    Row subscriptions#<caller>: the ids of those that the caller made.
    """

    def __init__(self, client: Any, topic_arn: str, *, dynamodb: Any, table: str) -> None:
        self._client, self._topic = client, topic_arn
        self._dynamodb, self._table = dynamodb, table

    def add(self, url: str, filter_policy: Mapping[str, Any], *, owner: str) -> str:
        """Ask the endpoint to confirm; its id, which SNS gives before it has."""
        with translate_errors("topic", "subscribe"):
            answer = self._client.subscribe(
                TopicArn=self._topic,
                Protocol="https",
                Endpoint=url,
                Attributes={"FilterPolicy": json.dumps(filter_policy)},
                ReturnSubscriptionArn=True,
            )
        ident = _subscription_id(answer["SubscriptionArn"])
        self._update_owned_ids(owner, "ADD", ident)
        return ident

    def owned_by(self, owner: str) -> frozenset[str]:
        """Ids of those that a caller made."""
        with translate_errors("callers", "read subscriptions"):
            answer = self._dynamodb.get_item(
                TableName=self._table, Key=_owner_key(owner), ConsistentRead=True
            )
        return frozenset(from_item(answer.get("Item", {})).get("ids", ()))

    def list_all(self) -> Iterator[tuple[str, str]]:
        """(id, address) of each; "" for one that has not confirmed."""
        pages: dict[str, Any] = {"TopicArn": self._topic}
        while True:
            with translate_errors("topic", "list subscriptions"):
                answer = self._client.list_subscriptions_by_topic(**pages)
            for one in answer["Subscriptions"]:
                if one["Protocol"] == "https":
                    yield _subscription_id(one["SubscriptionArn"]), one["Endpoint"]
            if not answer.get("NextToken"):
                return
            pages["NextToken"] = answer["NextToken"]

    def get(self, ident: str) -> tuple[str, dict[str, Any]] | None:
        """(address, filter policy); None where there is no such subscription of this topic."""
        with translate_errors("topic", "read subscription"):
            try:
                answer = self._client.get_subscription_attributes(SubscriptionArn=self._arn(ident))
            except ClientError as error:
                if error_code(error) not in {"NotFound", "NotFoundException"}:
                    raise
                return None
        attributes = answer["Attributes"]
        return str(attributes.get("Endpoint", "")), json.loads(attributes.get("FilterPolicy", "{}"))

    def remove(self, ident: str, *, owner: str) -> None:
        """Tell it nothing more."""
        with translate_errors("topic", "unsubscribe"):
            self._client.unsubscribe(SubscriptionArn=self._arn(ident))
        self._update_owned_ids(owner, "DELETE", ident)

    def _update_owned_ids(self, owner: str, action: str, ident: str) -> None:
        """One id into, or out of, those of a caller."""
        with translate_errors("callers", "save subscription"):
            self._dynamodb.update_item(
                TableName=self._table,
                Key=_owner_key(owner),
                UpdateExpression=f"{action} ids :id",
                ExpressionAttributeValues=to_item({":id": frozenset({ident})}),
            )

    def _arn(self, ident: str) -> str:
        return f"{self._topic}:{ident}"


def _owner_key(owner: str) -> Item:
    return to_item({"id": f"subscriptions#{owner}"})


def _subscription_id(arn: str) -> str:
    return "" if not arn.startswith("arn:") else arn.rsplit(":", 1)[-1]
