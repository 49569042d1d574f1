"""The template's alarms: what each is about, and the state that the metrics put it in."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from infra.local.errors import CannotImitate
from infra.local.monitoring.expressions import evaluate
from infra.local.monitoring.metrics import TICKS, Metrics, named

State = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]

_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
_PART = re.compile(r'\s*ALARM\("([^"]+)"\)\s*')


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm on a metric or an expression; `says` is its description."""

    name: str
    arn: str
    says: str
    properties: Mapping[str, Any]

    @property
    def period(self) -> int:
        """Ticks of one data point."""
        query = self.properties.get("Metrics") or [{"MetricStat": self.properties}]
        seconds = max(int(one["MetricStat"]["Period"]) for one in query if "MetricStat" in one)
        return max(1, seconds * TICKS // 60)

    @property
    def swift(self) -> bool:
        """Whether it is looked at more often than other alarms, as CloudWatch does below a minute."""
        return self.period < TICKS

    def state(self, metrics: Metrics, before: State) -> State:
        """As the last whole periods say."""
        wanted = int(self.properties["EvaluationPeriods"])
        points = [self._breaches(metrics, back) for back in range(wanted)]
        missing = self.properties.get("TreatMissingData", "missing")
        if metrics.ticks < wanted * self.period and all(point is None for point in points):
            return "INSUFFICIENT_DATA"  # nothing can be missing yet
        filled = [missing == "breaching" if point is None else point for point in points]
        if all(point is None for point in points) and missing in ("missing", "ignore"):
            return before if missing == "ignore" else "INSUFFICIENT_DATA"
        return "ALARM" if sum(filled) >= int(self.properties.get("DatapointsToAlarm", wanted)) else "OK"

    def _breaches(self, metrics: Metrics, back: int) -> bool | None:
        """Whether the data point so many periods ago breaches; None where there is none."""
        value = self._value(metrics, back)
        compare = _COMPARISONS[self.properties["ComparisonOperator"]]
        return None if value is None else compare(value, float(self.properties["Threshold"]))

    def _value(self, metrics: Metrics, back: int) -> float | None:
        end = metrics.tick - back * self.period
        ticks = range(end - self.period, end)
        if "Metrics" not in self.properties:
            return metrics.value(named(self.properties), self.properties["Statistic"], ticks)
        values = {
            query["Id"]: metrics.value(
                named(query["MetricStat"]["Metric"]), query["MetricStat"]["Stat"], ticks
            )
            for query in self.properties["Metrics"]
            if "MetricStat" in query
        }
        (told,) = (query for query in self.properties["Metrics"] if query.get("ReturnData", True))
        return evaluate(told["Expression"], values, self.name) if "Expression" in told else values[told["Id"]]


@dataclass(frozen=True, slots=True)
class Composite:
    """An alarm over alarms that must all be in alarm; `parts` are their ARNs."""

    name: str
    arn: str
    says: str
    properties: Mapping[str, Any]
    parts: Sequence[str]

    def state(self, states: Mapping[str, State]) -> State:
        """As the states of its parts say, by their ARN."""
        return "ALARM" if all(states[part] == "ALARM" for part in self.parts) else "OK"


def parts(rule: str, where: str) -> Iterator[str]:
    """The ARNs in `ALARM("...") AND ALARM("...")`; any other rule is refused."""
    for part in rule.split(" AND "):
        match = _PART.fullmatch(part)
        if match is None:
            raise CannotImitate(where, f"the alarm rule {rule!r}")
        yield match[1]
