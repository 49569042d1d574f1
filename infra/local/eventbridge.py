"""EventBridge's default bus: rules with an event pattern or a rate(...) schedule, and their targets."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from moto.events.models import EventPattern

from infra.local.cloudformation.names import AwsLocation
from infra.local.errors import InvalidTemplate, UnsupportedFeature
from infra.local.event_sources.async_invoke import Destinations
from infra.local.process import Timer

_PATTERN_OPERATORS = frozenset(
    {"exists", "prefix", "suffix", "equals-ignore-case", "wildcard", "numeric", "anything-but", "cidr"}
)
"""The operators that moto evaluates; it lets every event pass an operator that it does not know."""

_RATE_UNITS_S = {"minute": 60, "hour": 3600, "day": 86400}


def parse_pattern(pattern: Any, where: str) -> EventPattern:
    """Return moto's matcher for a pattern. Raises for a pattern that moto would not evaluate as AWS does."""
    if not isinstance(pattern, Mapping):
        raise InvalidTemplate(f"{where}: an event pattern must be an object, not {pattern!r}")
    _validate_pattern(pattern, where)
    return EventPattern(json.dumps(pattern), dict(pattern))


def _validate_pattern(pattern: Mapping[str, Any], where: str) -> None:
    for key, condition in pattern.items():
        if key == "$or" and isinstance(condition, list):
            for alternative in condition:
                _validate_pattern(alternative, where)
        elif isinstance(condition, Mapping):
            _validate_pattern(condition, where)
        elif isinstance(condition, list):
            for value in condition:
                _validate_value(value, where)
        else:
            raise InvalidTemplate(f"{where}: the values of {key} must be a list")


def _validate_value(value: Any, where: str) -> None:
    if isinstance(value, Mapping):
        unknown = sorted(set(value) - _PATTERN_OPERATORS)
        if unknown:
            raise UnsupportedFeature(where, f"the pattern operator {', '.join(unknown)}")
        if len(value) != 1:
            raise UnsupportedFeature(where, f"several pattern operators on one value: {', '.join(value)}")
        _validate_value(value.get("anything-but"), where)


def parse_rate(expression: str, where: str) -> int:
    """Return the seconds of a rate(...) expression. Raises UnsupportedFeature for cron(...)."""
    rate = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression)
    if rate:
        return int(rate[1]) * _RATE_UNITS_S[rate[2]]
    if expression.startswith("cron("):
        raise UnsupportedFeature(where, f"ScheduleExpression {expression}: only rate(...)")
    raise InvalidTemplate(f"{where}: {expression!r} is neither rate(...) nor cron(...)")


@dataclass(frozen=True, slots=True)
class EventRule:
    """One enabled rule, with a pattern or a schedule of so many seconds; `targets` are ARNs."""

    arn: str
    targets: Sequence[str]
    pattern: EventPattern | None = None
    every_s: int | None = None


class EventBus:
    """The default bus: delivers events to the targets of the rules that match them."""

    def __init__(
        self, rules: Iterable[EventRule], *, destinations: Destinations, location: AwsLocation
    ) -> None:
        self.rules = tuple(rules)
        self.destinations = destinations
        self._location = location

    def build_event(
        self, source: str, detail_type: str, detail: Mapping[str, Any], *, resources: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Return an event in EventBridge's envelope."""
        return {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": detail_type,
            "source": source,
            "account": self._location.account,
            "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": self._location.region,
            "resources": list(resources),
            "detail": detail,
        }

    def publish(self, event: Any) -> None:
        """Deliver an event to every rule whose pattern matches it."""
        for rule in self.rules:
            if rule.pattern is not None and rule.pattern.matches_event(event):
                self.deliver_to_targets(rule, event)

    def publish_scheduled_event(self, rule: EventRule) -> None:
        """Deliver the event of a schedule."""
        event = self.build_event("aws.events", "Scheduled Event", {}, resources=[rule.arn])
        self.deliver_to_targets(rule, event)

    def deliver_to_targets(self, rule: EventRule, event: Mapping[str, Any]) -> None:
        """Send an event to all targets of a rule."""
        for arn in rule.targets:
            self.destinations.send_json(arn, event)


class Scheduler:
    """Publishes the event of each rule with a schedule, again and again.

    With a shortened minute, a rule whose function still runs is left out: its next worker would only take the
    time that the first one needs, and in a few minutes all of them would be starting and none would end.

    minute_s            real seconds for each minute of a rate(...) expression
    function_minute_s   the same for the schedules of single functions, by function name
    is_running          whether a function of this name is being invoked
    """

    def __init__(
        self,
        event_bus: EventBus,
        *,
        timer: Timer,
        minute_s: float,
        function_minute_s: Mapping[str, float],
        is_running: Callable[[str], bool],
    ) -> None:
        self._event_bus = event_bus
        self._timer = timer
        self._minute_s, self._function_minute_s = minute_s, function_minute_s
        self._is_running = is_running

    def start(self) -> None:
        """Schedule the first event of each rule."""
        for rule in self._event_bus.rules:
            if rule.every_s is not None:
                self._schedule_next(rule, rule.every_s * self._rule_minute_s(rule) / 60)

    def _schedule_next(self, rule: EventRule, interval_s: float) -> None:
        self._timer.call_later(interval_s, lambda: self._run(rule, interval_s))

    def _run(self, rule: EventRule, interval_s: float) -> None:
        self._schedule_next(rule, interval_s)
        is_late = any(map(self._is_running, _function_names(rule)))
        if not is_late or self._rule_minute_s(rule) >= 60:
            self._event_bus.publish_scheduled_event(rule)

    def _rule_minute_s(self, rule: EventRule) -> float:
        return min(
            (self._function_minute_s.get(name, self._minute_s) for name in _function_names(rule)),
            default=self._minute_s,
        )


def _function_names(rule: EventRule) -> list[str]:
    return [arn.rsplit(":", 1)[-1] for arn in rule.targets]
