"""What is promised, how fast a promise may be burnt, and what one event is enough to alarm for."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from vigil.steady.promises import Objective, Signal, read_objectives

__all__ = ("BURNS", "Burn", "Objective", "Plan", "Signal", "Threshold", "Window", "read")

Severity = Literal["page", "ticket"]
Dimension = tuple[str, str]
"""("queue", "LiveDeadLetters"): what kind of thing, and its logical id; ("service", "live") for our own."""


class BadPlan(ValueError):
    """infra/slo.toml says something that cannot be meant; the message names the place."""


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time as CloudWatch counts it: `periods` of `period_s`, each of which must burn."""

    name: str
    period_s: int
    periods: int = 1


@dataclass(frozen=True, slots=True)
class Burn:
    """How many times too fast the budget goes, over a long window and still over a short one."""

    rate: float
    long: Window
    short: Window
    severity: Severity


BURNS = (
    Burn(14.4, Window("1h", 3600), Window("5m", 300), "page"),
    Burn(6.0, Window("6h", 21_600), Window("30m", 1800), "page"),
    Burn(1.0, Window("3d", 86_400, 3), Window("6h", 21_600), "ticket"),
)


@dataclass(frozen=True, slots=True)
class Threshold:
    """An alarm on one metric: `namespace` is "Vigil" for our own."""

    name: str
    says: str
    namespace: str
    metric: str
    dimension: Dimension
    statistic: str
    above: float
    periods: int = 1
    period_s: int = 300
    missing: str = "notBreaching"


@dataclass(frozen=True, slots=True)
class Plan:
    """All of infra/slo.toml."""

    objectives: tuple[Objective, ...]
    thresholds: tuple[Threshold, ...]


def read(text: str) -> Plan:
    """Parse infra/slo.toml. Raises BadPlan."""
    try:
        data = tomllib.loads(text)
        objectives = read_objectives(text)
        thresholds = tuple(_threshold(table) for table in data.get("alarms", ()))
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise BadPlan(f"infra/slo.toml: {error!r}") from error
    return Plan(objectives, thresholds)


def _threshold(table: Mapping[str, Any]) -> Threshold:
    rest = dict(table)
    namespace, metric = str(rest.pop("metric")).split(" ")
    kinds = [kind for kind in ("queue", "function", "service") if kind in rest]
    if len(kinds) != 1:
        raise BadPlan(f"{table['name']}: watches one queue, function or service")
    dimension = (kinds[0], str(rest.pop(kinds[0])))
    plain = Threshold(rest.pop("name"), rest.pop("says"), namespace, metric, dimension, "Sum", 0)
    return replace(plain, **rest)
