"""What an S3 notification says on AWS and not in moto: the version, a sequencer, plain slashes in the key."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from moto.s3 import notifications


def patch_notification_fields() -> None:
    """From here on, in this process."""
    notifications._get_s3_event = _with_missing_fields(notifications._get_s3_event, count(1))


def _with_missing_fields(plain: Callable[..., Any], numbers: count[int]) -> Callable[..., Any]:
    def event(event_name: str, bucket: Any, key: Any, notification_id: str) -> Any:
        notification = plain(event_name, bucket, key, notification_id)
        s3_object = notification["Records"][0]["s3"]["object"]
        s3_object["key"] = s3_object["key"].replace("%2F", "/")
        s3_object["sequencer"] = f"{next(numbers):018X}"
        if bucket.is_versioned:
            s3_object["versionId"] = key.version_id
        return notification

    return event
