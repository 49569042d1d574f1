"""The SNS topic on which outcomes are told."""

import json
from collections.abc import Sequence
from typing import Any

from cloud.faults import faults
from vigil.flow.announce import Announcement

BATCH = 10
"""Messages that SNS takes in one call."""


class Topic:
    """Publishes CloudEvents; the attributes are for subscribers' filter policies."""

    def __init__(self, client: Any, arn: str) -> None:
        self._client, self._arn = client, arn

    def tell(self, announcements: Sequence[tuple[str, Announcement]]) -> str:
        """Publish (mark, announcement) pairs in order; the first mark that was not taken, or ""."""
        for start in range(0, len(announcements), BATCH):
            batch = announcements[start : start + BATCH]
            failed = self._publish(batch)
            for number, (mark, _) in enumerate(batch):
                if str(number) in failed:
                    return mark
        return ""

    def _publish(self, batch: Sequence[tuple[str, Announcement]]) -> set[str]:
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
        with faults("publish"):
            answer = self._client.publish_batch(TopicArn=self._arn, PublishBatchRequestEntries=entries)
        return {entry["Id"] for entry in answer.get("Failed", [])}
