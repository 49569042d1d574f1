"""moto's S3 notifications lack versionId and sequencer and encode slashes in keys; AWS sends both fields and
plain slashes; moto would have to add the fields in `_get_s3_event` and quote keys with safe="/".
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from moto.s3 import notifications


def patch_notification_fields() -> None:
    """Add the missing fields to S3 notifications."""
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
