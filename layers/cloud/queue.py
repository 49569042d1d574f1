"""One SQS queue, as its consumer needs it."""

from typing import Any

from cloud.faults import faults


class Queue:
    """A queue by its URL."""

    def __init__(self, client: Any, url: str) -> None:
        self._client, self._url = client, url

    def hide(self, receipt: str, seconds: int) -> None:
        """Let a message be seen again after so many seconds (at most 12 hours), not before."""
        with faults("change message visibility"):
            self._client.change_message_visibility(
                QueueUrl=self._url, ReceiptHandle=receipt, VisibilityTimeout=seconds
            )
