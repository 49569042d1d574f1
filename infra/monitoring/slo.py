"""Reads infra/slo.toml: objectives, burn rates and alarms, and their metrics in CloudFormation."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from vigil.reliability.slo import MetricRef, Objective, parse_objectives

__all__ = (
    "BURN_RATES",
    "AlarmWindow",
    "BurnRate",
    "MetricAlarm",
    "MetricRef",
    "Objective",
    "SloConfig",
    "read_slo_config",
)

VIGIL_NAMESPACE = "Vigil"

Resource = dict[str, Any]
Severity = Literal["page", "ticket"]
Dimension = tuple[str, str]
"""Kind and name: ("queue", "LiveDeadLetters") with a logical id, or ("service", "live")."""


class InvalidSloConfig(ValueError):
    """infra/slo.toml is invalid; the message names the place."""


@dataclass(frozen=True, slots=True)
class AlarmWindow:
    """A window of `periods` periods of `period_s` seconds, each of which must exceed the burn rate."""

    name: str
    period_s: int
    periods: int = 1


@dataclass(frozen=True, slots=True)
class BurnRate:
    """A multiple of the sustainable burn rate, which a long and a short window must both exceed."""

    rate: float
    long: AlarmWindow
    short: AlarmWindow
    severity: Severity


BURN_RATES = (
    BurnRate(14.4, AlarmWindow("1h", 3600), AlarmWindow("5m", 300), "page"),
    BurnRate(6.0, AlarmWindow("6h", 21_600), AlarmWindow("30m", 1800), "page"),
    BurnRate(1.0, AlarmWindow("3d", 86_400, 3), AlarmWindow("6h", 21_600), "ticket"),
)


@dataclass(frozen=True, slots=True)
class MetricAlarm:
    """An alarm on one metric; the namespace of Vigil's own metrics is "Vigil"."""

    name: str
    description: str
    namespace: str
    metric: str
    dimension: Dimension
    statistic: str
    threshold: float
    periods: int = 1
    period_s: int = 300
    missing_data: str = "notBreaching"


@dataclass(frozen=True, slots=True)
class SloConfig:
    """The content of infra/slo.toml."""

    objectives: tuple[Objective, ...]
    metric_alarms: tuple[MetricAlarm, ...]


def read_slo_config(text: str) -> SloConfig:
    """Parse infra/slo.toml. Raises InvalidSloConfig."""
    try:
        data = tomllib.loads(text)
        objectives = parse_objectives(text)
        metric_alarms = tuple(_read_metric_alarm(table) for table in data.get("alarms", ()))
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise InvalidSloConfig(f"infra/slo.toml: {error!r}") from error
    return SloConfig(objectives, metric_alarms)


def _read_metric_alarm(table: Mapping[str, Any]) -> MetricAlarm:
    options = dict(table)
    namespace, metric = str(options.pop("metric")).split(" ")
    kinds = [kind for kind in ("queue", "function", "service") if kind in options]
    if len(kinds) != 1:
        raise InvalidSloConfig(f"{table['name']}: an alarm needs exactly one of queue, function and service")
    dimension = (kinds[0], str(options.pop(kinds[0])))
    alarm = MetricAlarm(
        options.pop("name"), options.pop("description"), namespace, metric, dimension, "Sum", 0
    )
    return replace(alarm, **options)


def logical_id(name: str) -> str:
    """Return a logical id: live-age-14.4x -> LiveAge144x."""
    return "".join(part[:1].upper() + part[1:] for part in name.replace(".", "").split("-"))


def namespace_value(name: str) -> Any:
    """Return the namespace; that of Vigil's own metrics contains the stage."""
    return {"Fn::Sub": f"{VIGIL_NAMESPACE}/${{Stage}}"} if name == VIGIL_NAMESPACE else name


def metric_dimensions(dimension: Dimension) -> list[dict[str, Any]]:
    """Return the dimensions of a metric in CloudFormation."""
    match dimension:
        case ("queue", ident):
            return [{"Name": "QueueName", "Value": {"Fn::GetAtt": [ident, "QueueName"]}}]
        case ("function", ident):
            return [{"Name": "FunctionName", "Value": {"Ref": ident}}]
        case (_, name):
            return [{"Name": "service", "Value": name}]


def sum_query(signal: MetricRef, period_s: int, ident: str) -> dict[str, Any]:
    """Return the sum of one of Vigil's metrics as a part of an expression."""
    metric = {
        "Namespace": namespace_value(VIGIL_NAMESPACE),
        "MetricName": signal.metric,
        "Dimensions": metric_dimensions(("service", signal.service)),
    }
    stat = {"Metric": metric, "Period": period_s, "Stat": "Sum"}
    return {"Id": ident, "ReturnData": False, "MetricStat": stat}
