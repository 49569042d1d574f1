"""EventBridge's patterns."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from infra.local.clients import AwsClients
from infra.local.cloudformation.names import AwsLocation
from infra.local.errors import InvalidTemplate, UnsupportedFeature
from infra.local.event_sources.async_invoke import Destinations
from infra.local.eventbridge import (
    Cron,
    EventBus,
    EventRule,
    Rate,
    RuleTarget,
    Scheduler,
    matches_pattern,
    parse_schedule,
    validate_pattern,
)

_SAMPLE_EVENT = {
    "source": "shop",
    "detail": {"state": "done", "size": 5, "tags": ["new", "hot"], "none": None, "flag": True, "text": "7.5"},
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
        ({"detail": {"text": [{"numeric": ["=", 7.5]}]}}, True),
        ({"detail": {"tags": ["hot"]}}, True),
        ({"detail": {"tags": ["cold"]}}, False),
        ({"detail": {"none": [None]}}, True),
        ({"detail": {"flag": [True]}}, True),
        ({"detail": {"flag": [1]}}, False),
        ({"detail": {"state": [{"exists": True}]}}, True),
        ({"detail": {"nowhere": [{"exists": False}]}}, True),
        ({"detail": {"nowhere": {"deeper": [{"exists": False}]}}}, True),
        ({"$or": [{"source": ["x"]}, {"detail": {"size": [5]}}]}, True),
        ({"$or": [{"source": ["x"]}, {"detail": {"size": [6]}}]}, False),
    ],
)
def test_a_pattern_picks_out_events(pattern: dict[str, Any], matched: bool):
    validate_pattern(pattern, "rule")

    assert matches_pattern(pattern, _SAMPLE_EVENT) is matched


def test_an_operator_that_is_not_known_is_refused_by_name():
    with pytest.raises(UnsupportedFeature, match="cidr"):
        validate_pattern({"ip": [{"cidr": "10.0.0.0/24"}]}, "rule")


def test_a_value_outside_a_list_is_a_bad_pattern():
    with pytest.raises(InvalidTemplate, match="must be a list"):
        validate_pattern({"source": "shop"}, "rule")


# MERGED: When a schedule ticks.

_NOW = datetime(2026, 2, 27, 10, 30, tzinfo=UTC)  # a Friday


@pytest.mark.parametrize(
    ("expression", "following"),
    [
        ("cron(0 12 * * ? *)", datetime(2026, 2, 27, 12, 0, tzinfo=UTC)),
        ("cron(30 10 * * ? *)", datetime(2026, 2, 28, 10, 30, tzinfo=UTC)),
        ("cron(0/15 * * * ? *)", datetime(2026, 2, 27, 10, 45, tzinfo=UTC)),
        ("cron(0 8 ? * MON-FRI *)", datetime(2026, 3, 2, 8, 0, tzinfo=UTC)),
        ("cron(0 0 L * ? *)", datetime(2026, 2, 28, 0, 0, tzinfo=UTC)),
        ("cron(5 4 1,15 MAR ? *)", datetime(2026, 3, 1, 4, 5, tzinfo=UTC)),
        ("cron(0 0 29 2 ? *)", datetime(2028, 2, 29, 0, 0, tzinfo=UTC)),
    ],
)
def test_a_cron_expression_names_its_next_minute(expression: str, following: datetime):
    parsed = parse_schedule(expression, "rule")

    assert isinstance(parsed, Cron)
    assert parsed.after(_NOW) == following


def test_a_year_that_is_over_never_comes():
    parsed = parse_schedule("cron(0 0 1 1 ? 2020)", "rule")

    assert isinstance(parsed, Cron)
    assert parsed.after(_NOW) is None


@pytest.mark.parametrize(
    ("expression", "seconds"), [("rate(1 minute)", 60), ("rate(5 minutes)", 300), ("rate(2 hours)", 7200)]
)
def test_a_rate_is_a_span(expression: str, seconds: int):
    assert parse_schedule(expression, "rule") == Rate(seconds)


@pytest.mark.parametrize("expression", ["cron(0 0 15W * ? *)", "cron(0 0 ? * 6#3 *)", "cron(0 0 ? * 6L *)"])
def test_what_is_not_understood_is_refused(expression: str):
    with pytest.raises(UnsupportedFeature):
        parse_schedule(expression, "rule")


def test_anything_else_is_a_bad_template():
    with pytest.raises(InvalidTemplate):
        parse_schedule("every day", "rule")


class FakeTimer:
    """Notes how long each thing is put off."""

    def __init__(self) -> None:
        self.delays_s: list[float] = []

    def call_later(self, seconds: float, _: Callable[[], None]) -> None:
        self.delays_s.append(seconds)


def test_a_functions_own_pace_shortens_its_minutes_and_no_others():
    arns = [f"arn:aws:lambda:us-east-1:123456789012:function:{name}" for name in ("slow", "swift")]
    rules = [EventRule(arn, "default", [RuleTarget(arn)], schedule="rate(5 minutes)") for arn in arns]
    location, clock = AwsLocation("http://127.0.0.1"), FakeTimer()
    destinations = Destinations(AwsClients("us-east-1", location.endpoint), location)
    event_bus = EventBus(rules, destinations=destinations, location=location)

    Scheduler(event_bus, timer=clock, minute_s=60, function_minute_s={"swift": 2}).start()  # type: ignore[arg-type]

    assert clock.delays_s == [300, 10]
