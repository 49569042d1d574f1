"""SNS: the topic of events with its subscriptions, and the topic that alerts operators."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from cloud.dynamodb.attributes import to_item
from cloud.dynamodb.queries import Table
from cloud.dynamodb.schema import SUBSCRIPTIONS
from cloud.errors import error_code, translate_errors
from vigil.drops.events import OutboundEvent
from vigil.errors import VigilError
from vigil.reliability.dead_letters import NewFault

PUBLISH_BATCH = 10
"""Messages that SNS accepts in one call."""


class SnsTopic:
    """Publishes CloudEvents, with message attributes for the filter policies of subscriptions."""

    def __init__(self, client: Any, arn: str) -> None:
        self._client, self._arn = client, arn

    def publish(self, events: Sequence[tuple[str, OutboundEvent]]) -> str:
        """Publish (mark, event) pairs in order; returns the first mark that SNS did not accept, or ""."""
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


class SnsOperators:
    """Sends operators one JSON message for each new fault; it contains ids, never a name or a face."""

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


class SubscriptionPending(VigilError):
    """The endpoint has not confirmed the subscription yet."""


class SnsSubscriptions:
    """HTTPS subscriptions to the topic of events; the callers table stores which caller owns which.

    dead_letters  ARN of the queue for events that an endpoint does not accept
    """

    def __init__(self, client: Any, topic_arn: str, dead_letters: str, dynamodb: Any, table: str) -> None:
        self._client, self._topic, self._owners = client, topic_arn, Table(dynamodb, table, "callers")
        self._redrive_policy = json.dumps({"deadLetterTargetArn": dead_letters})

    def add(self, url: str, filter_policy: Mapping[str, Any], *, owner: str) -> str:
        """Subscribe a URL, which SNS asks to confirm; returns the id of the subscription."""
        with translate_errors("topic", "subscribe"):
            answer = self._client.subscribe(
                TopicArn=self._topic,
                Protocol="https",
                Endpoint=url,
                Attributes={
                    "FilterPolicy": json.dumps(filter_policy),
                    "RedrivePolicy": self._redrive_policy,
                },
                ReturnSubscriptionArn=True,
            )
        ident = _subscription_id(answer["SubscriptionArn"])
        self._update_owned_ids(owner, "ADD", ident)
        return ident

    def owned_by(self, owner: str) -> frozenset[str]:
        """The ids of a caller's subscriptions."""
        row = self._owners.get(SUBSCRIPTIONS.key(caller=owner), "read subscriptions")
        return frozenset((row or {}).get("ids", ()))

    def list_all(self) -> Iterator[tuple[str, str]]:
        """(id, URL) of each subscription; the id is empty until the URL confirms."""
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
        """(URL, filter policy) of a subscription; None if the topic has no such subscription."""
        attributes = self._attributes(ident)
        if attributes is None:
            return None
        return attributes.get("Endpoint", ""), json.loads(attributes.get("FilterPolicy", "{}"))

    def remove(self, ident: str, *, owner: str) -> None:
        """Raises SubscriptionPending: SNS ends only what was confirmed, and forgets the rest after two days.

        https://docs.aws.amazon.com/sns/latest/dg/sns-delete-subscription-topic.html
        """
        attributes = self._attributes(ident) or {}
        if attributes.get("PendingConfirmation") == "true":
            raise SubscriptionPending(ident)
        with translate_errors("topic", "unsubscribe"):
            self._client.unsubscribe(SubscriptionArn=self._arn(ident))
        self._update_owned_ids(owner, "DELETE", ident)

    def _attributes(self, ident: str) -> dict[str, str] | None:
        with translate_errors("topic", "read subscription"):
            try:
                answer = self._client.get_subscription_attributes(SubscriptionArn=self._arn(ident))
            except ClientError as error:
                if error_code(error) not in {"NotFound", "NotFoundException"}:
                    raise
                return None
        return dict(answer["Attributes"])

    def _update_owned_ids(self, owner: str, action: str, ident: str) -> None:
        """Add an id to a caller's subscriptions, or delete it from them."""
        self._owners.update(
            SUBSCRIPTIONS.key(caller=owner),
            "save subscription",
            UpdateExpression=f"{action} ids :id",
            ExpressionAttributeValues=to_item({":id": frozenset({ident})}),
        )

    def _arn(self, ident: str) -> str:
        return f"{self._topic}:{ident}"


def _subscription_id(arn: str) -> str:
    return "" if not arn.startswith("arn:") else arn.rsplit(":", 1)[-1]
