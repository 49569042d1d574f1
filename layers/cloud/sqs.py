"""One SQS queue: sending, counting and delaying messages."""

from collections.abc import Sequence
from typing import Any

from cloud.errors import translate_errors
from vigil.errors import Transient

_SEND_BATCH = 10
"""Messages that SQS takes in one call."""


class SqsQueue:
    """A queue by its URL."""

    def __init__(self, client: Any, url: str) -> None:
        self._client, self._url = client, url

    @property
    def name(self) -> str:
        return self._url.rsplit("/", 1)[-1]

    def set_visibility_timeout(self, receipt: str, timeout_s: int) -> None:
        """Hide a message for this time from now on, at most 12 hours."""
        with translate_errors("queues", "change message visibility"):
            self._client.change_message_visibility(
                QueueUrl=self._url, ReceiptHandle=receipt, VisibilityTimeout=timeout_s
            )

    def send_messages(self, messages: Sequence[str]) -> None:
        """Send each message at least once. Raises Transient if SQS did not take all of them."""
        for start in range(0, len(messages), _SEND_BATCH):
            batch = messages[start : start + _SEND_BATCH]
            entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(batch)]
            with translate_errors("queues", "send messages"):
                answer = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
            if answer.get("Failed"):
                code = str(answer["Failed"][0].get("Code"))
                raise Transient(code, dependency="queues", operation="send messages")

    def visible_messages(self) -> int:
        """About how many messages can be received now."""
        name = "ApproximateNumberOfMessages"
        with translate_errors("queues", "read queue size"):
            answer = self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=[name])
        return int(answer["Attributes"][name])
