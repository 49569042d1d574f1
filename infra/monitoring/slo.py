"""What is promised, how fast a promise may be burnt, and what one event is enough to alarm for."""

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

Severity = Literal["page", "ticket"]
Dimension = tuple[str, str]
"""("queue", "LiveDeadLetters"): what kind of thing, and its logical id; ("service", "live") for our own."""


class InvalidSloConfig(ValueError):
    """infra/slo.toml says something that cannot be meant; the message names the place."""


@dataclass(frozen=True, slots=True)
class AlarmWindow:
    """A stretch of time as CloudWatch counts it: `periods` of `period_s`, each of which must burn."""

    name: str
    period_s: int
    periods: int = 1


@dataclass(frozen=True, slots=True)
class BurnRate:
    """How many times too fast the budget goes, over a long window and still over a short one."""

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
    """An alarm on one metric: `namespace` is "Vigil" for our own."""

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
    """All of infra/slo.toml."""

    objectives: tuple[Objective, ...]
    metric_alarms: tuple[MetricAlarm, ...]


def read_slo_config(text: str) -> SloConfig:
    """Parse infra/slo.toml. Raises BadPlan."""
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
        raise InvalidSloConfig(f"{table['name']}: watches one queue, function or service")
    dimension = (kinds[0], str(options.pop(kinds[0])))
    alarm = MetricAlarm(
        options.pop("name"), options.pop("description"), namespace, metric, dimension, "Sum", 0
    )
    return replace(alarm, **options)


# MERGED: How our names and metrics are said in CloudFormation.

Resource = dict[str, Any]

VIGIL_NAMESPACE = "Vigil"


def logical_id(name: str) -> str:
    """live-age-14.4x -> LiveAge144x."""
    return "".join(part[:1].upper() + part[1:] for part in name.replace(".", "").split("-"))


def namespace_value(name: str) -> Any:
    """Our own metrics are apart by stage; AWS's are not."""
    return {"Fn::Sub": f"{VIGIL_NAMESPACE}/${{Stage}}"} if name == VIGIL_NAMESPACE else name


def metric_dimensions(dimension: Dimension) -> list[dict[str, Any]]:
    """What a metric is of."""
    match dimension:
        case ("queue", ident):
            return [{"Name": "QueueName", "Value": {"Fn::GetAtt": [ident, "QueueName"]}}]
        case ("function", ident):
            return [{"Name": "FunctionName", "Value": {"Ref": ident}}]
        case (_, name):
            return [{"Name": "service", "Value": name}]


def sum_query(signal: MetricRef, period_s: int, ident: str) -> dict[str, Any]:
    """One of our metrics, summed, as part of an expression."""
    metric = {
        "Namespace": namespace_value(VIGIL_NAMESPACE),
        "MetricName": signal.metric,
        "Dimensions": metric_dimensions(("service", signal.service)),
    }
    stat = {"Metric": metric, "Period": period_s, "Stat": "Sum"}
    return {"Id": ident, "ReturnData": False, "MetricStat": stat}
