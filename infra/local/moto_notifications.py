"""What an S3 notification says on AWS and not in moto: the version, a sequencer, plain slashes in the key."""

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
        thing["key"] = thing["key"].replace("%2F", "/")
        thing["sequencer"] = f"{next(numbers):018X}"
        if bucket.is_versioned:
            thing["versionId"] = key.version_id
        return told

    return event
