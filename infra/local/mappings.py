"""Event source mappings: their settings, which the Lambda API can change while they run."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from infra.local import patterns
from infra.local.errors import BadTemplate


@dataclass(frozen=True, slots=True)
class Settings:
    """What a mapping does; `retries` and `record_age_s` are None for endless."""

    batch_size: int
    window_s: float = 0.0
    concurrency: int | None = None
    partial: bool = False
    bisect: bool = False
    retries: int | None = None
    record_age_s: int | None = None
    on_failure: str | None = None
    filters: tuple[Mapping[str, Any], ...] = field(default=())

    def wants(self, record: Mapping[str, Any]) -> bool:
        """Whether the record passes the filters, if there are any."""
        return not self.filters or any(patterns.matches(one, record) for one in self.filters)


class EventSource:
    """One mapping from a queue or stream to a function.

    Its poller reads `settings` and `enabled` anew before each batch, and calls `settle` when it has seen
    that it is disabled: until then the state is `Disabling` and a batch may still be on its way.
    """

    def __init__(self, *, source: str, function: str, settings: Settings, enabled: bool) -> None:
        self.id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{source} {function}"))
        self.source = source
        self.function = function
        self.settings = settings
        self.enabled = enabled
        self.state = "Enabled" if enabled else "Disabled"
        self.modified = time.time()
        self.changed = threading.Event()

    def update(self, *, enabled: bool | None, settings: Settings | None) -> None:
        """Change what is given; the poller sees it before its next batch."""
        if settings is not None:
            self.settings = settings
        if enabled is not None and enabled != self.enabled:
            self.enabled = enabled
            self.state = "Enabled" if enabled else "Disabling"
        self.modified = time.time()
        self.changed.set()

    def settle(self) -> None:
        """The poller stands still."""
        if not self.enabled:
            self.state = "Disabled"


def from_template(properties: Mapping[str, Any], where: str, function_arn: str) -> EventSource:
    """A mapping as the template writes it."""
    source = properties["EventSourceArn"]
    queue = ":sqs:" in source
    settings = changed(
        Settings(batch_size=10 if queue else 100, filters=_filters(properties, where)), properties
    )
    if queue and settings.batch_size > 10 and not settings.window_s:
        raise BadTemplate(f"{where}: BatchSize above 10 needs MaximumBatchingWindowInSeconds of at least 1")
    return EventSource(
        source=source, function=function_arn, settings=settings, enabled=properties.get("Enabled", True)
    )


def changed(settings: Settings, properties: Mapping[str, Any]) -> Settings:
    """The settings with what the properties say instead, in the words of template and API alike."""
    scaling = properties.get("ScalingConfig")
    destination = properties.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
    reports: Sequence[str] | None = properties.get("FunctionResponseTypes")
    return Settings(
        batch_size=int(properties.get("BatchSize", settings.batch_size)),
        window_s=float(properties.get("MaximumBatchingWindowInSeconds", settings.window_s)),
        concurrency=settings.concurrency if scaling is None else _whole(scaling.get("MaximumConcurrency")),
        partial=settings.partial if reports is None else "ReportBatchItemFailures" in reports,
        bisect=bool(properties.get("BisectBatchOnFunctionError", settings.bisect)),
        retries=_limit(properties.get("MaximumRetryAttempts"), settings.retries),
        record_age_s=_limit(properties.get("MaximumRecordAgeInSeconds"), settings.record_age_s),
        on_failure=destination or settings.on_failure,
        filters=settings.filters,
    )


def describe(source: EventSource) -> dict[str, Any]:
    """A mapping as the Lambda API shows it."""
    settings = source.settings
    shown: dict[str, Any] = {
        "UUID": source.id,
        "EventSourceArn": source.source,
        "FunctionArn": source.function,
        "State": source.state,
        "StateTransitionReason": "USER_INITIATED",
        "LastModified": source.modified,
        "BatchSize": settings.batch_size,
        "MaximumBatchingWindowInSeconds": int(settings.window_s),
        "FunctionResponseTypes": ["ReportBatchItemFailures"] if settings.partial else [],
    }
    if settings.concurrency is not None:
        shown["ScalingConfig"] = {"MaximumConcurrency": settings.concurrency}
    return shown


def _limit(given: int | None, before: int | None) -> int | None:
    """Lambda writes -1 for endless."""
    if given is None:
        return before
    return None if int(given) < 0 else int(given)


def _filters(properties: Mapping[str, Any], where: str) -> tuple[Mapping[str, Any], ...]:
    written = [json.loads(one["Pattern"]) for one in properties.get("FilterCriteria", {}).get("Filters", [])]
    for pattern in written:
        patterns.check(pattern, where)
    return tuple(written)


def _whole(given: Any) -> int | None:
    """A number, also where a parameter turned it into text, as CloudFormation's do."""
    return None if given is None else int(given)
