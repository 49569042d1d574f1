"""HTTPS subscriptions to the events topic, each with the filter that bounds what it is told."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from cloud.faults import code, faults
from cloud.items import Item, fields, item


class Subscriptions:
    """SNS keeps them; whose each is, which SNS has no place for, stands in the callers table.

    Row subscriptions#<caller>: the ids of those that the caller made.
    """

    def __init__(self, client: Any, topic_arn: str, *, dynamodb: Any, table: str) -> None:
        self._client, self._topic = client, topic_arn
        self._dynamodb, self._table = dynamodb, table

    def add(self, url: str, filter_policy: Mapping[str, Any], *, owner: str) -> str:
        """Ask the endpoint to confirm; its id, which SNS gives before it has."""
        with faults("subscribe"):
            answer = self._client.subscribe(
                TopicArn=self._topic,
                Protocol="https",
                Endpoint=url,
                Attributes={"FilterPolicy": json.dumps(filter_policy)},
                ReturnSubscriptionArn=True,
            )
        ident = _ident(answer["SubscriptionArn"])
        self._change(owner, "ADD", ident)
        return ident

    def of(self, owner: str) -> frozenset[str]:
        """Ids of those that a caller made."""
        with faults("read subscriptions"):
            answer = self._dynamodb.get_item(TableName=self._table, Key=_owned(owner), ConsistentRead=True)
        return frozenset(fields(answer.get("Item", {})).get("ids", ()))

    def every(self) -> Iterator[tuple[str, str]]:
        """(id, address) of each; "" for one that has not confirmed."""
        pages: dict[str, Any] = {"TopicArn": self._topic}
        while True:
            with faults("list subscriptions"):
                answer = self._client.list_subscriptions_by_topic(**pages)
            for one in answer["Subscriptions"]:
                if one["Protocol"] == "https":
                    yield _ident(one["SubscriptionArn"]), one["Endpoint"]
            if not answer.get("NextToken"):
                return
            pages["NextToken"] = answer["NextToken"]

    def read(self, ident: str) -> tuple[str, dict[str, Any]] | None:
        """(address, filter policy); None where there is no such subscription of this topic."""
        with faults("read subscription"):
            try:
                answer = self._client.get_subscription_attributes(SubscriptionArn=self._arn(ident))
            except ClientError as error:
                if code(error) not in {"NotFound", "NotFoundException"}:
                    raise
                return None
        told = answer["Attributes"]
        return str(told.get("Endpoint", "")), json.loads(told.get("FilterPolicy", "{}"))

    def remove(self, ident: str, *, owner: str) -> None:
        """Tell it nothing more."""
        with faults("unsubscribe"):
            self._client.unsubscribe(SubscriptionArn=self._arn(ident))
        self._change(owner, "DELETE", ident)

    def _change(self, owner: str, how: str, ident: str) -> None:
        """One id into, or out of, those of a caller."""
        with faults("note subscription"):
            self._dynamodb.update_item(
                TableName=self._table,
                Key=_owned(owner),
                UpdateExpression=f"{how} ids :id",
                ExpressionAttributeValues=item({":id": frozenset({ident})}),
            )

    def _arn(self, ident: str) -> str:
        return f"{self._topic}:{ident}"


def _owned(owner: str) -> Item:
    return item({"id": f"subscriptions#{owner}"})


def _ident(arn: str) -> str:
    return "" if not arn.startswith("arn:") else arn.rsplit(":", 1)[-1]
