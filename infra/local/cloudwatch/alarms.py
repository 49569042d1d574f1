"""The template's metric alarms and composite alarms, and how their state follows from metrics."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from infra.local.cloudwatch.metrics import (
    TICKS_PER_MINUTE,
    MetricStore,
    evaluate_expression,
    parse_metric_name,
)
from infra.local.errors import UnsupportedFeature

AlarmState = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]

_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
_ALARM_REFERENCE = re.compile(r'\s*ALARM\("([^"]+)"\)\s*')


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm on a metric or on an expression of metrics."""

    name: str
    arn: str
    description: str
    properties: Mapping[str, Any]

    @property
    def period_ticks(self) -> int:
        """Number of ticks of one data point."""
        query = self.properties.get("Metrics") or [{"MetricStat": self.properties}]
        seconds = max(int(one["MetricStat"]["Period"]) for one in query if "MetricStat" in one)
        return max(1, seconds * TICKS_PER_MINUTE // 60)

    @property
    def is_high_resolution(self) -> bool:
        """Whether its period is below a minute; such alarms are evaluated more often."""
        return self.period_ticks < TICKS_PER_MINUTE

    def evaluate(self, metrics: MetricStore, previous_state: AlarmState) -> AlarmState:
        """Return the state that follows from the last whole periods."""
        evaluation_periods = int(self.properties["EvaluationPeriods"])
        points = [self._is_breaching(metrics, back) for back in range(evaluation_periods)]
        missing = self.properties.get("TreatMissingData", "missing")
        if metrics.elapsed_ticks < evaluation_periods * self.period_ticks and all(
            point is None for point in points
        ):
            return "INSUFFICIENT_DATA"  # the first periods have not ended
        filled = [missing == "breaching" if point is None else point for point in points]
        if all(point is None for point in points) and missing in ("missing", "ignore"):
            return previous_state if missing == "ignore" else "INSUFFICIENT_DATA"
        return (
            "ALARM"
            if sum(filled) >= int(self.properties.get("DatapointsToAlarm", evaluation_periods))
            else "OK"
        )

    def _is_breaching(self, metrics: MetricStore, periods_ago: int) -> bool | None:
        """Whether a data point breaches the threshold; None without a data point."""
        value = self._data_point(metrics, periods_ago)
        compare = _COMPARISONS[self.properties["ComparisonOperator"]]
        return None if value is None else compare(value, float(self.properties["Threshold"]))

    def _data_point(self, metrics: MetricStore, periods_ago: int) -> float | None:
        end = metrics.current_tick - periods_ago * self.period_ticks
        ticks = range(end - self.period_ticks, end)
        if "Metrics" not in self.properties:
            return metrics.statistic(parse_metric_name(self.properties), self.properties["Statistic"], ticks)
        values = {
            query["Id"]: metrics.statistic(
                parse_metric_name(query["MetricStat"]["Metric"]), query["MetricStat"]["Stat"], ticks
            )
            for query in self.properties["Metrics"]
            if "MetricStat" in query
        }
        (result_query,) = (query for query in self.properties["Metrics"] if query.get("ReturnData", True))
        return (
            evaluate_expression(result_query["Expression"], values, self.name)
            if "Expression" in result_query
            else values[result_query["Id"]]
        )


@dataclass(frozen=True, slots=True)
class CompositeAlarm:
    """An alarm that is in alarm while all of its alarms are."""

    name: str
    arn: str
    description: str
    properties: Mapping[str, Any]
    alarm_arns: Sequence[str]

    def evaluate(self, alarm_states: Mapping[str, AlarmState]) -> AlarmState:
        """Return the state that follows from the states of its alarms, by ARN."""
        return "ALARM" if all(alarm_states[arn] == "ALARM" for arn in self.alarm_arns) else "OK"


def alarm_arns_in_rule(rule: str, where: str) -> Iterator[str]:
    """Yield the ARNs in `ALARM("...") AND ALARM("...")`. Raises UnsupportedFeature for any other rule."""
    for part in rule.split(" AND "):
        match = _ALARM_REFERENCE.fullmatch(part)
        if match is None:
            raise UnsupportedFeature(where, f"the alarm rule {rule!r}")
        yield match[1]
