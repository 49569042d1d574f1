"""The template's alarms: measuring queues and functions, evaluation, and the actions of state changes."""

from __future__ import annotations

import operator
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from infra.local.clients import AwsClients
from infra.local.cloudformation.deploy import Stack
from infra.local.cloudwatch.metrics import (
    TICKS_PER_MINUTE,
    MetricName,
    MetricStore,
    evaluate_expression,
    parse_metric_name,
)
from infra.local.errors import UnsupportedFeature
from infra.local.eventbridge import EventBus
from infra.local.lambda_.service import InvocationCounts, LambdaService
from infra.local.moto_.server import MotoServer
from infra.local.process import ThreadSupervisor, Timer

AlarmState = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]

_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
_ALARM_REFERENCE = re.compile(r'\s*ALARM\("([^"]+)"\)\s*')


_STATE_ACTIONS: Mapping[AlarmState, str] = {
    "ALARM": "AlarmActions",
    "OK": "OKActions",
    "INSUFFICIENT_DATA": "InsufficientDataActions",
}
_QUEUE_METRICS = {
    "ApproximateNumberOfMessages": "ApproximateNumberOfMessagesVisible",
    "ApproximateNumberOfMessagesNotVisible": "ApproximateNumberOfMessagesNotVisible",
}
_PUBLISH_INTERVAL_S = 1.0
"""Largest delay until GetMetricData returns a value."""


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


class Monitor:
    """Evaluates the alarms of the template and writes their states to moto's CloudWatch."""

    def __init__(
        self,
        stack: Stack,
        metrics: MetricStore,
        *,
        functions: LambdaService,
        clients: AwsClients,
        event_bus: EventBus,
        moto: MotoServer,
    ) -> None:
        self._metrics = metrics
        self._moto = moto
        self._functions = functions
        self._sqs = clients.get("sqs")
        self._cloudwatch = clients.get("cloudwatch")
        self._event_bus = event_bus
        self._alarms = _load_alarms(stack)
        self._composites = _load_composite_alarms(stack)
        self._queues = [
            stack.names.reference(one.logical_id) for one, _ in stack.resources_of("AWS::SQS::Queue")
        ]
        self._states: dict[str, AlarmState] = {}
        self._previous_counts: dict[str, InvocationCounts] = {}
        self._evaluation_lock = threading.Lock()

    def schedule_evaluations(
        self, timer: Timer, minute_s: float, supervisor: ThreadSupervisor, ticks: int = 0
    ) -> None:
        """Evaluate high-resolution alarms every tick, and everything else twice a minute, in threads."""
        timer.call_later(
            minute_s / TICKS_PER_MINUTE,
            lambda: self.schedule_evaluations(timer, minute_s, supervisor, ticks + 1),
        )
        supervisor.start_thread(
            "monitor", self.evaluate_high_resolution if ticks % (TICKS_PER_MINUTE // 2) else self.evaluate_all
        )

    def schedule_publishing(self, timer: Timer, supervisor: ThreadSupervisor) -> None:
        """Send new values to moto's process every second (see metric_data.py)."""
        timer.call_later(_PUBLISH_INTERVAL_S, lambda: self.schedule_publishing(timer, supervisor))
        measurements = self._metrics.take_unpublished()
        if measurements:
            supervisor.start_thread(
                "metrics", lambda: self._moto.run_command("add-measurements", measurements)
            )

    def evaluate_high_resolution(self) -> None:
        """Evaluate the alarms with periods below a minute."""
        with self._evaluation_lock:
            self._evaluate([alarm for alarm in self._alarms if alarm.is_high_resolution])

    def evaluate_all(self) -> None:
        """Measure queues and functions, then evaluate all alarms."""
        with self._evaluation_lock:
            ages_s = self._moto.run_command("oldest-message-ages") if self._queues else {}
            for url in self._queues:
                self._measure_queue(url, ages_s)
            for name, count in self._functions.counters.snapshot().items():
                self._measure_function(name, count)
            self._evaluate(self._alarms)
            for composite in self._composites:
                self._set_state(composite, composite.evaluate(self._states))

    def _evaluate(self, alarms: Sequence[Alarm]) -> None:
        for alarm in alarms:
            previous_state = self._states.get(alarm.arn, "INSUFFICIENT_DATA")
            self._set_state(alarm, alarm.evaluate(self._metrics, previous_state))

    def _measure_queue(self, url: str, ages_s: Mapping[str, float]) -> None:
        name = url.rsplit("/", 1)[-1]
        attributes = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(_QUEUE_METRICS))[
            "Attributes"
        ]
        measurements = {metric: float(attributes[attribute]) for attribute, metric in _QUEUE_METRICS.items()}
        measurements["ApproximateAgeOfOldestMessage"] = ages_s.get(name, 0.0)
        for metric, value in measurements.items():
            self._metrics.add_values(MetricName.create("AWS/SQS", metric, {"QueueName": name}), [value])

    def _measure_function(self, name: str, count: InvocationCounts) -> None:
        previous = self._previous_counts.get(name, InvocationCounts())
        self._previous_counts[name] = count
        for metric in ("Invocations", "Errors", "Throttles"):
            increase = getattr(count, metric.lower()) - getattr(previous, metric.lower())
            self._metrics.add_values(
                MetricName.create("AWS/Lambda", metric, {"FunctionName": name}), [float(increase)]
            )
        new_count = min(count.invocations - previous.invocations, len(count.durations_s))
        durations_ms = [
            1000 * duration_s for duration_s in count.durations_s[len(count.durations_s) - new_count :]
        ]
        self._metrics.add_values(
            MetricName.create("AWS/Lambda", "Duration", {"FunctionName": name}), durations_ms
        )

    def _set_state(self, alarm: Alarm | CompositeAlarm, state: AlarmState) -> None:
        previous_state = self._states.get(alarm.arn, "INSUFFICIENT_DATA")
        if state != previous_state or alarm.arn not in self._states:
            self._publish_state(alarm, state)
        self._states[alarm.arn] = state
        if state == previous_state or not alarm.properties.get("ActionsEnabled", True):
            return
        for arn in alarm.properties.get(_STATE_ACTIONS[state], []):
            self._event_bus.destinations.send_json(
                arn, _state_change_notification(alarm, state, previous_state)
            )
        detail = {
            "alarmName": alarm.name,
            "state": {"value": state},
            "previousState": {"value": previous_state},
        }
        event = self._event_bus.build_event(
            "aws.cloudwatch", "CloudWatch Alarm State Change", detail, resources=[alarm.arn]
        )
        self._event_bus.publish(event)

    def _publish_state(self, alarm: Alarm | CompositeAlarm, state: AlarmState) -> None:
        """Write an alarm and its state, without its metrics, to moto."""
        self._cloudwatch.put_metric_alarm(
            AlarmName=alarm.name,
            AlarmDescription=alarm.description,
            ActionsEnabled=alarm.properties.get("ActionsEnabled", True),
            MetricName="state",
            Namespace="local",
            Statistic="Maximum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=0,
            ComparisonOperator=alarm.properties.get("ComparisonOperator", "GreaterThanThreshold"),
        )
        self._cloudwatch.set_alarm_state(AlarmName=alarm.name, StateValue=state, StateReason="metrics")


def _state_change_notification(
    alarm: Alarm | CompositeAlarm, state: AlarmState, previous_state: AlarmState
) -> dict[str, Any]:
    """Return the message of an alarm action."""
    return {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AlarmArn": alarm.arn,
        "NewStateValue": state,
        "OldStateValue": previous_state,
        "StateChangeTime": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }


def _load_alarms(stack: Stack) -> Sequence[Alarm]:
    return [
        Alarm(stack.name(one), stack.names.arn(one), body.get("AlarmDescription", ""), body)
        for one, body in stack.resources_of("AWS::CloudWatch::Alarm")
    ]


def _load_composite_alarms(stack: Stack) -> Sequence[CompositeAlarm]:
    return [
        CompositeAlarm(
            stack.name(one),
            stack.names.arn(one),
            body.get("AlarmDescription", ""),
            body,
            list(alarm_arns_in_rule(body["AlarmRule"], one.logical_id)),
        )
        for one, body in stack.resources_of("AWS::CloudWatch::CompositeAlarm")
    ]
