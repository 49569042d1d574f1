"""HTTPS subscriptions to the events topic, each with the filter that bounds what it is told."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from cloud.faults import code, faults

_PENDING = "PendingConfirmation"


class Subscriptions:
    """SNS keeps them."""

    def __init__(self, client: Any, topic_arn: str) -> None:
        self._client, self._topic = client, topic_arn

    def add(self, url: str, filter_policy: Mapping[str, Any]) -> str:
        """Ask the endpoint to confirm; its id, "" until it has."""
        with faults("subscribe"):
            answer = self._client.subscribe(
                TopicArn=self._topic,
                Protocol="https",
                Endpoint=url,
                Attributes={"FilterPolicy": json.dumps(filter_policy)},
            )
        return _ident(answer.get("SubscriptionArn", ""))

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

    def filter(self, ident: str) -> dict[str, Any] | None:
        """Its filter policy; None where there is no such subscription."""
        with faults("read subscription"):
            try:
                answer = self._client.get_subscription_attributes(SubscriptionArn=self._arn(ident))
            except ClientError as error:
                if code(error) not in {"NotFound", "NotFoundException"}:
                    raise
                return None
        told: dict[str, Any] = json.loads(answer["Attributes"].get("FilterPolicy", "{}"))
        return told

    def remove(self, ident: str) -> None:
        """Tell it nothing more."""
        with faults("unsubscribe"):
            self._client.unsubscribe(SubscriptionArn=self._arn(ident))

    def _arn(self, ident: str) -> str:
        return f"{self._topic}:{ident}"


def _ident(arn: str) -> str:
    return "" if not arn.startswith("arn:") else arn.rsplit(":", 1)[-1]
