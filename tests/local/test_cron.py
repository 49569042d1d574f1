"""When a schedule ticks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from infra.local import cron
from infra.local.buses import Buses, Rule, Target
from infra.local.clients import Clients
from infra.local.destinations import Destinations
from infra.local.errors import BadTemplate, CannotImitate
from infra.local.identities import Place
from infra.local.schedules import Schedules

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
    parsed = cron.parse(expression, "rule")

    assert isinstance(parsed, cron.Cron)
    assert parsed.after(_NOW) == following


def test_a_year_that_is_over_never_comes():
    parsed = cron.parse("cron(0 0 1 1 ? 2020)", "rule")

    assert isinstance(parsed, cron.Cron)
    assert parsed.after(_NOW) is None


@pytest.mark.parametrize(
    ("expression", "seconds"), [("rate(1 minute)", 60), ("rate(5 minutes)", 300), ("rate(2 hours)", 7200)]
)
def test_a_rate_is_a_span(expression: str, seconds: int):
    assert cron.parse(expression, "rule") == cron.Rate(seconds)


@pytest.mark.parametrize("expression", ["cron(0 0 15W * ? *)", "cron(0 0 ? * 6#3 *)", "cron(0 0 ? * 6L *)"])
def test_what_is_not_understood_is_refused(expression: str):
    with pytest.raises(CannotImitate):
        cron.parse(expression, "rule")


def test_anything_else_is_a_bad_template():
    with pytest.raises(BadTemplate):
        cron.parse("every day", "rule")


class Clock:
    """Notes how long each thing is put off."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def after(self, seconds: float, _: Callable[[], None]) -> None:
        self.waits.append(seconds)


def test_a_functions_own_pace_shortens_its_minutes_and_no_others():
    arns = [f"arn:aws:lambda:us-east-1:123456789012:function:{name}" for name in ("slow", "swift")]
    rules = [Rule(arn, "default", [Target(arn)], schedule="rate(5 minutes)") for arn in arns]
    place, clock = Place("http://127.0.0.1"), Clock()
    destinations = Destinations(Clients("us-east-1", place.endpoint), place)
    buses = Buses(rules, destinations=destinations, place=place)

    Schedules(buses, clock=clock, minute_s=60, paces={"swift": 2}).start()  # type: ignore[arg-type]

    assert clock.waits == [300, 10]
