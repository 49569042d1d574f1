"""EventBridge: which events a pattern matches, and when schedules publish their events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from infra.local.clients import AwsClients
from infra.local.cloudformation.names import AwsLocation
from infra.local.errors import InvalidTemplate, UnsupportedFeature
from infra.local.event_sources.async_invoke import Destinations
from infra.local.eventbridge import EventBus, EventRule, Scheduler, parse_pattern, parse_rate

_SAMPLE_EVENT: Any = {
    "source": "shop",
    "detail": {"state": "done", "size": 5, "tags": ["new", "hot"], "none": None, "flag": True},
}


@pytest.mark.parametrize(
    ("pattern", "matched"),
    [
        ({"source": ["shop", "other"]}, True),
        ({"source": ["other"]}, False),
        ({"missing": ["x"]}, False),
        ({"source": ["shop"], "detail": {"state": ["open"]}}, False),
        ({"detail": {"state": [{"prefix": "do"}]}}, True),
        ({"detail": {"state": [{"suffix": "ne"}]}}, True),
        ({"detail": {"state": [{"prefix": {"equals-ignore-case": "DO"}}]}}, True),
        ({"detail": {"state": [{"equals-ignore-case": "DONE"}]}}, True),
        ({"detail": {"state": [{"wildcard": "d*e"}]}}, True),
        ({"detail": {"state": [{"wildcard": "d*x"}]}}, False),
        ({"detail": {"state": [{"anything-but": ["open", "lost"]}]}}, True),
        ({"detail": {"state": [{"anything-but": "done"}]}}, False),
        ({"detail": {"state": [{"anything-but": {"prefix": "do"}}]}}, False),
        ({"detail": {"nowhere": [{"anything-but": "done"}]}}, False),
        ({"detail": {"size": [{"numeric": [">", 3, "<=", 5]}]}}, True),
        ({"detail": {"size": [{"numeric": ["<", 5]}]}}, False),
        ({"detail": {"tags": ["hot"]}}, True),
        ({"detail": {"tags": ["cold"]}}, False),
        ({"detail": {"none": [None]}}, True),
        ({"detail": {"flag": [True]}}, True),
        ({"detail": {"state": [{"exists": True}]}}, True),
        ({"detail": {"nowhere": [{"exists": False}]}}, True),
        ({"detail": {"nowhere": {"deeper": [{"exists": False}]}}}, True),
        ({"$or": [{"source": ["x"]}, {"detail": {"size": [5]}}]}, True),
        ({"$or": [{"source": ["x"]}, {"detail": {"size": [6]}}]}, False),
    ],
)
def test_a_pattern_matches_events_as_on_aws(pattern: dict[str, Any], matched: bool):
    assert parse_pattern(pattern, "Rule").matches_event(_SAMPLE_EVENT) is matched


@pytest.mark.parametrize("condition", [{"size-of": 3}, {"anything-but": {"size-of": 3}}])
def test_a_pattern_operator_that_moto_does_not_evaluate_is_refused_by_name(condition: dict[str, Any]):
    with pytest.raises(UnsupportedFeature, match=r"Rule: .* size-of"):
        parse_pattern({"detail": {"state": [condition]}}, "Rule")


def test_two_operators_on_one_value_are_refused():
    with pytest.raises(UnsupportedFeature, match="prefix, suffix"):
        parse_pattern({"source": [{"prefix": "a", "suffix": "b"}]}, "Rule")


def test_a_value_outside_a_list_is_an_invalid_pattern():
    with pytest.raises(InvalidTemplate, match="source must be a list"):
        parse_pattern({"source": "shop"}, "Rule")


@pytest.mark.parametrize(
    ("expression", "seconds"), [("rate(1 minute)", 60), ("rate(5 minutes)", 300), ("rate(2 hours)", 7200)]
)
def test_a_rate_is_a_number_of_seconds(expression: str, seconds: int):
    assert parse_rate(expression, "Rule") == seconds


def test_a_cron_expression_is_refused_with_its_rule_and_property():
    with pytest.raises(UnsupportedFeature, match=r"^Tick: .* ScheduleExpression cron\(0 12 \* \* \? \*\)"):
        parse_rate("cron(0 12 * * ? *)", "Tick")


def test_any_other_schedule_is_an_invalid_template():
    with pytest.raises(InvalidTemplate, match="every day"):
        parse_rate("every day", "Tick")


class RecordingBus:
    """Rules, and the names of the functions whose scheduled event was published."""

    def __init__(self, rules: list[EventRule]) -> None:
        self.rules, self.published = rules, list[str]()

    def publish_scheduled_event(self, rule: EventRule) -> None:
        self.published.append(rule.targets[0].rsplit(":", 1)[-1])


class FakeTimer:
    """Records each call."""

    def __init__(self) -> None:
        self.delays_s: list[float] = []
        self.callbacks: list[Callable[[], None]] = []

    def call_later(self, seconds: float, callback: Callable[[], None]) -> None:
        self.delays_s.append(seconds)
        self.callbacks.append(callback)


def test_the_minute_of_one_function_shortens_its_schedules_and_no_others():
    arns = [f"arn:aws:lambda:us-east-1:123456789012:function:{name}" for name in ("slow", "fast")]
    rules = [EventRule(arn, [arn], every_s=300) for arn in arns]
    location, timer = AwsLocation("http://127.0.0.1"), FakeTimer()
    destinations = Destinations(AwsClients("us-east-1", location.endpoint), location)
    event_bus = EventBus(rules, destinations=destinations, location=location)

    Scheduler(
        event_bus,
        timer=timer,  # type: ignore[arg-type]
        minute_s=60,
        function_minute_s={"fast": 2},
        is_running=lambda _: False,
    ).start()

    assert timer.delays_s == [300, 10]


@pytest.mark.parametrize(("minute_s", "published"), [(2, ["idle"]), (60, ["idle", "late"])])
def test_with_a_shortened_minute_a_function_that_still_runs_is_not_started_again(
    minute_s: float, published: list[str]
):
    arns = [f"arn:aws:lambda:us-east-1:123456789012:function:{name}" for name in ("idle", "late")]
    event_bus, timer = RecordingBus([EventRule(arn, [arn], every_s=60) for arn in arns]), FakeTimer()

    Scheduler(
        event_bus,  # type: ignore[arg-type]
        timer=timer,  # type: ignore[arg-type]
        minute_s=minute_s,
        function_minute_s={},
        is_running=lambda name: name == "late",
    ).start()
    for callback in tuple(timer.callbacks):
        callback()

    assert event_bus.published == published
    assert len(timer.delays_s) == 4
