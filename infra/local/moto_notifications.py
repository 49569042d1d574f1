"""What moto leaves out of an S3 notification and AWS puts in: the object's version and a sequencer."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from moto.s3 import notifications


def complete() -> None:
    """From here on, in this process."""
    notifications._get_s3_event = _completed(notifications._get_s3_event, count(1))


def _completed(plain: Callable[..., Any], numbers: count[int]) -> Callable[..., Any]:
    def event(event_name: str, bucket: Any, key: Any, notification_id: str) -> Any:
        told = plain(event_name, bucket, key, notification_id)
        thing = told["Records"][0]["s3"]["object"]
        thing["sequencer"] = f"{next(numbers):018X}"
        if bucket.is_versioned:
            thing["versionId"] = key.version_id
        return told

    return event
