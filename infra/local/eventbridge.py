"""EventBridge's patterns: which events a rule, or the filter of an event source, picks out."""

from __future__ import annotations

import calendar
import json
import operator
import re
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import (
    UTC,
    date,
    datetime,
    time,
    timedelta,
)
from typing import Any

from infra.local.cloudformation.names import AwsLocation
from infra.local.errors import InvalidTemplate, UnsupportedFeature
from infra.local.event_sources.async_invoke import Destinations
from infra.local.threads import Timer

_NUMERIC_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

_MISSING = object()


def matches_pattern(pattern: Mapping[str, Any], event: Any) -> bool:
    """Whether the event has, for every key of the pattern, one of the values listed for it."""
    for key, condition in pattern.items():
        if key == "$or":
            if not any(matches_pattern(choice, event) for choice in condition):
                return False
        elif isinstance(condition, Mapping):
            if not _matches_nested(condition, _get_field(event, key)):
                return False
        elif not _matches_values(condition, _get_field(event, key)):
            return False
    return True


def validate_pattern(pattern: Any, where: str) -> None:
    """Refuse a pattern that `matches` could not decide on, before any event comes."""
    if not isinstance(pattern, Mapping):
        raise InvalidTemplate(f"{where}: a pattern is an object, not {pattern!r}")
    for key, condition in pattern.items():
        if key == "$or" and isinstance(condition, list):
            for choice in condition:
                validate_pattern(choice, where)
        elif isinstance(condition, Mapping):
            validate_pattern(condition, where)
        elif isinstance(condition, list):
            _validate_values(condition, where)
        else:
            raise InvalidTemplate(f"{where}: the values of {key} must be a list")


def _validate_values(conditions: list[Any], where: str) -> None:
    for one in conditions:
        unknown = set(one) - set(_OPERATORS) if isinstance(one, Mapping) else ()
        if unknown:
            raise UnsupportedFeature(where, f"the pattern operator {', '.join(sorted(unknown))}")


def _get_field(event: Any, key: str) -> Any:
    return event.get(key, _MISSING) if isinstance(event, Mapping) else _MISSING


def _matches_nested(pattern: Mapping[str, Any], value: Any) -> bool:
    if isinstance(value, list):
        return any(matches_pattern(pattern, item) for item in value)
    return matches_pattern(pattern, {} if value is _MISSING else value)


def _matches_values(conditions: list[Any], value: Any) -> bool:
    found = value if isinstance(value, list) else [value]
    return any(_matches_condition(one, item) for one in conditions for item in found or [_MISSING])


def _matches_condition(condition: Any, value: Any) -> bool:
    if isinstance(condition, Mapping):
        return all(_OPERATORS[name](argument, value) for name, argument in condition.items())
    if isinstance(condition, bool) or isinstance(value, bool) or condition is None:
        return condition is value
    return bool(condition == value)


def _exists(argument: bool, value: Any) -> bool:
    return (value is not _MISSING) == argument


def _prefix(argument: Any, value: Any) -> bool:
    if not isinstance(value, str):
        return False
    if isinstance(argument, Mapping):
        return value.lower().startswith(str(argument["equals-ignore-case"]).lower())
    return value.startswith(argument)


def _suffix(argument: Any, value: Any) -> bool:
    if not isinstance(value, str):
        return False
    if isinstance(argument, Mapping):
        return value.lower().endswith(str(argument["equals-ignore-case"]).lower())
    return value.endswith(argument)


def _ignoring_case(argument: str, value: Any) -> bool:
    return isinstance(value, str) and value.lower() == argument.lower()


def _wildcard(argument: str, value: Any) -> bool:
    expression = "".join(".*" if char == "*" else re.escape(char) for char in argument)
    return isinstance(value, str) and re.fullmatch(expression, value, re.DOTALL) is not None


def _numeric(argument: list[Any], value: Any) -> bool:
    number = _to_number(value)
    pairs = zip(argument[::2], argument[1::2], strict=True)
    return number is not None and all(
        _NUMERIC_COMPARISONS[sign](number, float(limit)) for sign, limit in pairs
    )


def _to_number(value: Any) -> float | None:
    """The value as a number; DynamoDB writes its numbers as strings."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str) and re.fullmatch(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", value):
        return float(value)
    return None


def _anything_but(argument: Any, value: Any) -> bool:
    if value is _MISSING:
        return False
    if isinstance(argument, Mapping):
        [(name, inner)] = argument.items()
        choices = inner if isinstance(inner, list) else [inner]
        return not any(_OPERATORS[name](choice, value) for choice in choices)
    return not any(
        _matches_condition(one, value) for one in (argument if isinstance(argument, list) else [argument])
    )


_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "exists": _exists,
    "prefix": _prefix,
    "suffix": _suffix,
    "equals-ignore-case": _ignoring_case,
    "wildcard": _wildcard,
    "numeric": _numeric,
    "anything-but": _anything_but,
}


# MERGED: EventBridge's rate(...) and cron(...) expressions → the next time they name, in UTC.

_UNITS_S = {"minute": 60, "hour": 3600, "day": 86400}
_MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
_DAYS = {
    name: number for number, name in enumerate(["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"], start=1)
}
_YEARS_AHEAD = 8


@dataclass(frozen=True, slots=True)
class Rate:
    """Every so many seconds, from the moment the rule exists."""

    every_s: int


@dataclass(frozen=True, slots=True)
class Cron:
    """The values each field allows; `last_day` is L in the day of the month."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    years: frozenset[int]
    last_day: bool = False

    def after(self, now: datetime) -> datetime | None:
        """The first minute later than `now` that the fields allow; None if there is none."""
        day = now.date()
        while day.year <= now.year + _YEARS_AHEAD:
            if self._on(day):
                for hour in sorted(self.hours):
                    for minute in sorted(self.minutes):
                        moment = datetime.combine(day, time(hour, minute), now.tzinfo)
                        if moment > now:
                            return moment
            day += timedelta(days=1)
        return None

    def _on(self, day: date) -> bool:
        if day.year not in self.years or day.month not in self.months:
            return False
        last = self.last_day and day.day == calendar.monthrange(day.year, day.month)[1]
        return (last or day.day in self.days) and day.isoweekday() % 7 + 1 in self.weekdays


def parse_schedule(expression: str, where: str) -> Rate | Cron:
    """Read an expression; refuse what is valid on AWS but not understood here."""
    rate = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression)
    if rate:
        return Rate(int(rate[1]) * _UNITS_S[rate[2]])
    cron = re.fullmatch(r"cron\((\S+) (\S+) (\S+) (\S+) (\S+) (\S+)\)", expression)
    if not cron:
        raise InvalidTemplate(f"{where}: {expression!r} is neither rate(...) nor cron(...)")
    if re.search(r"[W#]|\dL", f"{cron[3]} {re.sub('WED', '', cron[5].upper())}") or "L" in cron[5]:
        raise UnsupportedFeature(where, f"W, # and weekday L in {expression}")
    return Cron(
        minutes=_field(cron[1], 0, 59),
        hours=_field(cron[2], 0, 23),
        days=frozenset() if cron[3] == "L" else _field(cron[3], 1, 31),
        months=_field(cron[4], 1, 12, _MONTHS),
        weekdays=_field(cron[5], 1, 7, _DAYS),
        years=_field(cron[6], 1970, 2199),
        last_day=cron[3] == "L",
    )


def _field(text: str, low: int, high: int, names: Mapping[str, int] | None = None) -> frozenset[int]:
    values: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, last = _span(span, low, high, names or {})
        if step and "-" not in span:
            last = high
        values.update(range(first, last + 1, int(step or 1)))
    return frozenset(values)


def _span(text: str, low: int, high: int, names: Mapping[str, int]) -> tuple[int, int]:
    if text in ("*", "?"):
        return low, high
    first, _, last = text.partition("-")
    start = names.get(first.upper()) or int(first)
    return start, (names.get(last.upper()) or int(last)) if last else start


# MERGED: EventBridge: rules with a pattern or a schedule, and the targets they reach.


@dataclass(frozen=True, slots=True)
class RuleTarget:
    """Who gets the event: all of it, the part at `path`, or the constant `text` instead."""

    arn: str
    constant_input: str | None = None
    input_path: str | None = None

    def input_for(self, event: Mapping[str, Any]) -> str:
        """What is delivered for this event."""
        if self.constant_input is not None:
            return self.constant_input
        part: Any = event
        for key in (self.input_path or "$").split(".")[1:]:
            part = part.get(key) if isinstance(part, Mapping) else None
        return json.dumps(part)


@dataclass(frozen=True, slots=True)
class EventRule:
    """One rule; disabled ones are left out before."""

    arn: str
    bus: str
    targets: Sequence[RuleTarget]
    pattern: Mapping[str, Any] | None = None
    schedule: str | None = None


class EventBus:
    """Gives events to the rules of their bus."""

    def __init__(
        self, rules: Iterable[EventRule], *, destinations: Destinations, location: AwsLocation
    ) -> None:
        self.rules = tuple(rules)
        self._destinations = destinations
        self._location = location

    def put_event(self, entry: Mapping[str, Any]) -> dict[str, str]:
        """One entry of PutEvents → its id, or why it is not taken."""
        for key in ("Source", "DetailType", "Detail"):
            if not entry.get(key):
                return _entry_error(
                    "InvalidArgument", f"Parameter {key} is not valid. Reason: {key} is required."
                )
        try:
            detail = json.loads(entry["Detail"])
        except ValueError:
            return _entry_error("MalformedDetail", "Detail is malformed.")
        event = self.build_event(
            entry["Source"], entry["DetailType"], detail, resources=entry.get("Resources", [])
        )
        self.publish(event, entry.get("EventBusName", "default").split("/")[-1])
        return {"EventId": event["id"]}

    def build_event(
        self, source: str, detail_type: str, detail: Mapping[str, Any], *, resources: Sequence[str]
    ) -> dict[str, Any]:
        """An event in EventBridge's envelope."""
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

    def publish(self, event: Mapping[str, Any], bus: str = "default") -> None:
        """Deliver an event to every rule that matches it."""
        for rule in self.rules:
            if rule.bus == bus and rule.pattern is not None and matches_pattern(rule.pattern, event):
                self.deliver_to_targets(rule, event)

    def send_to_target(self, arn: str, document: Mapping[str, Any]) -> None:
        """Let an AWS service send a document straight to a topic, queue or function."""
        self._destinations.send_json(arn, document)

    def publish_scheduled_event(self, rule: EventRule) -> None:
        """Deliver the event of a schedule."""
        self.deliver_to_targets(
            rule, self.build_event("aws.events", "Scheduled Event", {}, resources=[rule.arn])
        )

    def deliver_to_targets(self, rule: EventRule, event: Mapping[str, Any]) -> None:
        """Give an event to all targets of a rule."""
        for target in rule.targets:
            self._destinations.send_text(target.arn, target.input_for(event))


def _entry_error(code: str, message: str) -> dict[str, str]:
    return {"ErrorCode": code, "ErrorMessage": message}


# MERGED: Rules with a schedule: each tick delivers an event and sets the next one.


class Scheduler:
    """`minute_s` is how long a minute of rate(...) takes here; cron(...) keeps to the real clock.

    paces  the same for the schedules of single functions, by name
    """

    def __init__(
        self, event_bus: EventBus, *, timer: Timer, minute_s: float, function_minute_s: Mapping[str, float]
    ) -> None:
        self._event_bus = event_bus
        self._timer = timer
        self._minute_s, self._function_minute_s = minute_s, function_minute_s
        self._schedules: Mapping[str, Rate | Cron] = {
            rule.arn: parse_schedule(rule.schedule, rule.arn) for rule in event_bus.rules if rule.schedule
        }

    def start(self) -> None:
        """Set the first tick of each rule."""
        for rule in self._event_bus.rules:
            if rule.schedule:
                self._schedule_next(rule)

    def _schedule_next(self, rule: EventRule) -> None:
        wait = self._delay_s(rule)
        if wait is not None:
            self._timer.call_later(wait, lambda: self._run(rule))

    def _run(self, rule: EventRule) -> None:
        self._schedule_next(rule)
        self._event_bus.publish_scheduled_event(rule)

    def _delay_s(self, rule: EventRule) -> float | None:
        schedule = self._schedules[rule.arn]
        if isinstance(schedule, Rate):
            names = (target.arn.rsplit(":", 1)[-1] for target in rule.targets)
            minute_s = min(
                (self._function_minute_s.get(name, self._minute_s) for name in names), default=self._minute_s
            )
            return schedule.every_s * minute_s / 60
        now = datetime.now(UTC)
        following = schedule.after(now)
        return None if following is None else (following - now).total_seconds()
