"""Looks at queues, functions and alarms again and again, and lets alarms act when their state changes."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from infra.local.alarm_clock import AlarmClock
from infra.local.buses import Buses
from infra.local.clients import Clients
from infra.local.counters import Count
from infra.local.functions import Functions
from infra.local.health import Health
from infra.local.monitoring.alarms import Alarm, Composite, State, parts
from infra.local.monitoring.metrics import TICKS, Metrics, Name
from infra.local.moto_server import MotoServer
from infra.local.stack import Stack

_ACTIONS: Mapping[State, str] = {
    "ALARM": "AlarmActions",
    "OK": "OKActions",
    "INSUFFICIENT_DATA": "InsufficientDataActions",
}
_QUEUED = {
    "ApproximateNumberOfMessages": "ApproximateNumberOfMessagesVisible",
    "ApproximateNumberOfMessagesNotVisible": "ApproximateNumberOfMessagesNotVisible",
}
_TOLD_S = 1.0
"""So much later, at most, what was measured can be read back."""


class Monitor:
    """Knows the state of every alarm of the template; CloudWatch's clients find it where they look."""

    def __init__(
        self,
        stack: Stack,
        metrics: Metrics,
        *,
        functions: Functions,
        clients: Clients,
        buses: Buses,
        moto: MotoServer,
    ) -> None:
        self._metrics = metrics
        self._moto = moto
        self._functions = functions
        self._sqs = clients.get("sqs")
        self._cloudwatch = clients.get("cloudwatch")
        self._buses = buses
        self._alarms = _alarms(stack)
        self._composites = _composites(stack)
        self._queues = [stack.identities.reference(one.logical) for one, _ in stack.of("AWS::SQS::Queue")]
        self._states: dict[str, State] = {}
        self._counted: dict[str, Count] = {}
        self._one_at_a_time = threading.Lock()

    def run(self, clock: AlarmClock, minute_s: float, health: Health, ticks: int = 0) -> None:
        """Look now and every ten seconds, at most of it twice a minute; not in the clock's own thread."""
        clock.after(minute_s / TICKS, lambda: self.run(clock, minute_s, health, ticks + 1))
        health.start("monitor", self.glance if ticks % (TICKS // 2) else self.look)

    def tell(self, clock: AlarmClock, health: Health) -> None:
        """Hand on what was measured, now and every second, to where clients read it (moto_metrics.py)."""
        clock.after(_TOLD_S, lambda: self.tell(clock, health))
        told = self._metrics.fresh()
        if told:
            health.start("metrics", lambda: self._moto.do("measured", told))

    def glance(self) -> None:
        """Judge the swift alarms."""
        with self._one_at_a_time:
            self._judge([alarm for alarm in self._alarms if alarm.swift])

    def look(self) -> None:
        """Measure what AWS measures, then judge."""
        with self._one_at_a_time:
            ages_s = self._moto.do("oldest-messages") if self._queues else {}
            for url in self._queues:
                self._measure_queue(url, ages_s)
            for name, count in self._functions.counters.read().items():
                self._measure_function(name, count)
            self._judge(self._alarms)
            for composite in self._composites:
                self._set(composite, composite.state(self._states))

    def _judge(self, alarms: Sequence[Alarm]) -> None:
        for alarm in alarms:
            before = self._states.get(alarm.arn, "INSUFFICIENT_DATA")
            self._set(alarm, alarm.state(self._metrics, before))

    def _measure_queue(self, url: str, ages_s: Mapping[str, float]) -> None:
        name = url.rsplit("/", 1)[-1]
        shown = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(_QUEUED))["Attributes"]
        figures = {metric: float(shown[attribute]) for attribute, metric in _QUEUED.items()}
        figures["ApproximateAgeOfOldestMessage"] = ages_s.get(name, 0.0)
        for metric, value in figures.items():
            self._metrics.add(Name.of("AWS/SQS", metric, {"QueueName": name}), [value])

    def _measure_function(self, name: str, count: Count) -> None:
        before = self._counted.get(name, Count())
        self._counted[name] = count
        for metric in ("Invocations", "Errors", "Throttles"):
            grown = getattr(count, metric.lower()) - getattr(before, metric.lower())
            self._metrics.add(Name.of("AWS/Lambda", metric, {"FunctionName": name}), [float(grown)])
        ran = min(count.invocations - before.invocations, len(count.durations_s))
        durations_ms = [1000 * duration_s for duration_s in count.durations_s[len(count.durations_s) - ran :]]
        self._metrics.add(Name.of("AWS/Lambda", "Duration", {"FunctionName": name}), durations_ms)

    def _set(self, alarm: Alarm | Composite, state: State) -> None:
        before = self._states.get(alarm.arn, "INSUFFICIENT_DATA")
        if state != before or alarm.arn not in self._states:
            self._show(alarm, state)
        self._states[alarm.arn] = state
        if state == before or not alarm.properties.get("ActionsEnabled", True):
            return
        for arn in alarm.properties.get(_ACTIONS[state], []):
            self._buses.send(arn, _told(alarm, state, before))
        detail = {"alarmName": alarm.name, "state": {"value": state}, "previousState": {"value": before}}
        event = self._buses.event(
            "aws.cloudwatch", "CloudWatch Alarm State Change", detail, resources=[alarm.arn]
        )
        self._buses.emit(event)

    def _show(self, alarm: Alarm | Composite, state: State) -> None:
        """Where CloudWatch's clients look: the alarm's state, not what it is computed from."""
        self._cloudwatch.put_metric_alarm(
            AlarmName=alarm.name,
            AlarmDescription=alarm.says,
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


def _told(alarm: Alarm | Composite, state: State, before: State) -> dict[str, Any]:
    """What CloudWatch says to a topic."""
    return {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.says,
        "AlarmArn": alarm.arn,
        "NewStateValue": state,
        "OldStateValue": before,
        "StateChangeTime": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }


def _alarms(stack: Stack) -> Sequence[Alarm]:
    return [
        Alarm(stack.name(one), stack.identities.arn(one), body.get("AlarmDescription", ""), body)
        for one, body in stack.of("AWS::CloudWatch::Alarm")
    ]


def _composites(stack: Stack) -> Sequence[Composite]:
    return [
        Composite(
            stack.name(one),
            stack.identities.arn(one),
            body.get("AlarmDescription", ""),
            body,
            list(parts(body["AlarmRule"], one.logical)),
        )
        for one, body in stack.of("AWS::CloudWatch::CompositeAlarm")
    ]
