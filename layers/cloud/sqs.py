"""SQS queues: of the lanes, and of events that were not published."""

from collections.abc import Sequence
from typing import Any

from cloud.errors import translate_errors
from vigil.errors import Transient

REDRIVE_COUNT_ATTRIBUTE, SUSPECT_ATTRIBUTE = "vigil-redrives", "vigil-suspect-drop"
"""Message attributes: the number of redrives; the suspect drop and its attempts before the redrive."""

FIRST_SENT_ATTRIBUTE = "vigil-first-sent"
"""Message attribute of a message that was sent again in a group: the milliseconds of the first sending."""

_MAX_BATCH = 10
"""Messages that SQS sends or receives in one call."""


class SqsQueue:
    """A queue by its URL."""

    def __init__(self, client: Any, url: str) -> None:
        self._client, self._url = client, url

    @property
    def name(self) -> str:
        return self._url.rsplit("/", 1)[-1]

    def set_visibility_timeout(self, receipt: str, timeout_s: int) -> None:
        """Hide a message for this time from now on, at most 12 hours; 0 shows it at once."""
        with translate_errors("queues", "change message visibility"):
            self._client.change_message_visibility(
                QueueUrl=self._url, ReceiptHandle=receipt, VisibilityTimeout=timeout_s
            )

    def send_messages(self, messages: Sequence[str]) -> None:
        """Send each message at least once. Raises Transient if SQS did not take all of them."""
        for start in range(0, len(messages), _MAX_BATCH):
            batch = messages[start : start + _MAX_BATCH]
            entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(batch)]
            with translate_errors("queues", "send messages"):
                answer = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
            if answer.get("Failed"):
                code = str(answer["Failed"][0].get("Code"))
                raise Transient(code, dependency="queues", operation="send messages")

    def send_in_group(self, message: str, group: str, first_sent_ms: str) -> None:
        """Send a message again as one of a group (tenant of a fair queue). Raises Transient."""
        first_sent = {"DataType": "Number", "StringValue": first_sent_ms}
        with translate_errors("queues", "send in group"):
            self._client.send_message(
                QueueUrl=self._url,
                MessageBody=message,
                MessageGroupId=group,
                MessageAttributes={FIRST_SENT_ATTRIBUTE: first_sent},
            )

    def receive_messages(self, limit: int, visibility_timeout_s: int, **request: Any) -> list[dict[str, Any]]:
        """At most ten messages, hidden from others for this time."""
        with translate_errors("queues", "receive messages"):
            answer = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=min(limit, _MAX_BATCH),
                VisibilityTimeout=visibility_timeout_s,
                **request,
            )
        return list(answer.get("Messages", ()))

    def delete_message(self, receipt: str) -> None:
        with translate_errors("queues", "delete message"):
            self._client.delete_message(QueueUrl=self._url, ReceiptHandle=receipt)

    def visible_messages(self) -> int:
        """About how many messages can be received now."""
        return self.message_counts()[0]

    def message_counts(self) -> tuple[int, int]:
        """About how many messages can be received now, and how many are in flight."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        with translate_errors("queues", "read queue size"):
            answer = self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=names)
        visible, in_flight = (int(answer["Attributes"][name]) for name in names)
        return visible, in_flight
