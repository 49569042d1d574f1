"""Event source mappings: their settings, their updates, and Lambda's rules for partial batch responses."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from moto.events.models import EventPattern

from infra.local.errors import InvalidTemplate
from infra.local.eventbridge import parse_pattern
from infra.local.lambda_.service import InvocationResult


def failed_ids(answer: InvocationResult, ids: Collection[str], *, partial_responses: bool) -> set[str]:
    """Return the ids of the records that failed.

    Without partial responses, and for a malformed one (no list, an entry without identifier, an identifier
    that is not in the batch), the result applies to the whole batch.
    """
    if answer.error is not None:
        return set(ids)
    if not partial_responses:
        return set()
    reported = _reported_ids(answer)
    if reported is None or not reported <= set(ids):
        return set(ids)
    return reported


def _reported_ids(answer: InvocationResult) -> set[str] | None:
    """Return the identifiers in a response; None if it is malformed."""
    response = answer.payload_json
    if response is None:
        return set() if answer.payload.strip() in (b"", b"null") else None
    listed = response.get("batchItemFailures") if isinstance(response, dict) else response
    if listed is None:
        return set()
    if not isinstance(listed, list):
        return None
    identifiers = [entry.get("itemIdentifier") if isinstance(entry, dict) else None for entry in listed]
    reported = {one for one in identifiers if isinstance(one, str) and one}
    return reported if len(reported) == len(set(map(str, identifiers))) else None


@dataclass(frozen=True, slots=True)
class MappingSettings:
    """Settings of a mapping; `max_retries` and `max_record_age_s` are None without a limit."""

    batch_size: int
    batching_window_s: float = 0.0
    max_concurrency: int | None = None
    report_item_failures: bool = False
    bisect_on_error: bool = False
    max_retries: int | None = None
    max_record_age_s: int | None = None
    on_failure: str | None = None
    filters: tuple[EventPattern, ...] = field(default=())

    def accepts(self, record: Any) -> bool:
        """Whether a record matches one of the filters, or there are none."""
        return not self.filters or any(pattern.matches_event(record) for pattern in self.filters)


class EventSourceMapping:
    """One mapping from a queue or stream to a function.

    Its poller reads `settings` and `enabled` before each batch, and calls `confirm_disabled` once it polls no
    more: until then the state is `Disabling` and a batch may still be processed.
    """

    def __init__(self, *, source: str, function: str, settings: MappingSettings, enabled: bool) -> None:
        self.id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{source} {function}"))
        self.source = source
        self.function = function
        self.settings = settings
        self.enabled = enabled
        self.state = "Enabled" if enabled else "Disabled"
        self.modified_at = time.time()
        self.settings_changed = threading.Event()

    def update(self, *, enabled: bool | None, settings: MappingSettings | None) -> None:
        """Change the given settings; they apply from the next batch."""
        if settings is not None:
            self.settings = settings
        if enabled is not None and enabled != self.enabled:
            self.enabled = enabled
            self.state = "Enabled" if enabled else "Disabling"
        self.modified_at = time.time()
        self.settings_changed.set()

    def confirm_disabled(self) -> None:
        """Record that the poller has stopped polling."""
        if not self.enabled:
            self.state = "Disabled"


def mapping_from_template(properties: Mapping[str, Any], where: str, function_arn: str) -> EventSourceMapping:
    """Read a mapping of the template."""
    source = properties["EventSourceArn"]
    queue = ":sqs:" in source
    settings = updated_settings(
        MappingSettings(batch_size=10 if queue else 100, filters=_parse_filters(properties, where)),
        properties,
    )
    if queue and settings.batch_size > 10 and not settings.batching_window_s:
        raise InvalidTemplate(
            f"{where}: BatchSize above 10 needs MaximumBatchingWindowInSeconds of at least 1"
        )
    return EventSourceMapping(
        source=source, function=function_arn, settings=settings, enabled=properties.get("Enabled", True)
    )


def updated_settings(settings: MappingSettings, properties: Mapping[str, Any]) -> MappingSettings:
    """Return the settings with the given properties, which template and API name alike."""
    scaling = properties.get("ScalingConfig")
    destination = properties.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
    reports: Sequence[str] | None = properties.get("FunctionResponseTypes")
    return MappingSettings(
        batch_size=int(properties.get("BatchSize", settings.batch_size)),
        batching_window_s=float(properties.get("MaximumBatchingWindowInSeconds", settings.batching_window_s)),
        max_concurrency=settings.max_concurrency
        if scaling is None
        else _to_int(scaling.get("MaximumConcurrency")),
        report_item_failures=settings.report_item_failures
        if reports is None
        else "ReportBatchItemFailures" in reports,
        bisect_on_error=bool(properties.get("BisectBatchOnFunctionError", settings.bisect_on_error)),
        max_retries=_limit_or_none(properties.get("MaximumRetryAttempts"), settings.max_retries),
        max_record_age_s=_limit_or_none(
            properties.get("MaximumRecordAgeInSeconds"), settings.max_record_age_s
        ),
        on_failure=destination or settings.on_failure,
        filters=settings.filters,
    )


def describe_mapping(source: EventSourceMapping) -> dict[str, Any]:
    """Return a mapping in the format of the Lambda API."""
    settings = source.settings
    description: dict[str, Any] = {
        "UUID": source.id,
        "EventSourceArn": source.source,
        "FunctionArn": source.function,
        "State": source.state,
        "StateTransitionReason": "USER_INITIATED",
        "LastModified": source.modified_at,
        "BatchSize": settings.batch_size,
        "MaximumBatchingWindowInSeconds": int(settings.batching_window_s),
        "FunctionResponseTypes": ["ReportBatchItemFailures"] if settings.report_item_failures else [],
    }
    if settings.max_concurrency is not None:
        description["ScalingConfig"] = {"MaximumConcurrency": settings.max_concurrency}
    return description


def _limit_or_none(value: int | None, current: int | None) -> int | None:
    """Read a limit; -1 means none."""
    if value is None:
        return current
    return None if int(value) < 0 else int(value)


def _parse_filters(properties: Mapping[str, Any], where: str) -> tuple[EventPattern, ...]:
    filters = properties.get("FilterCriteria", {}).get("Filters", [])
    return tuple(parse_pattern(json.loads(one["Pattern"]), where) for one in filters)


def _to_int(value: Any) -> int | None:
    """Read a number, which a parameter turns into text."""
    return None if value is None else int(value)
