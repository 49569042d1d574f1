"""The balance function while the records table does not answer."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from cloud.cloudwatch import EmfMetrics
from functions import balance
from functions.runtime.container import Container
from functions.runtime.settings import Settings
from tests.fakes.memory import NOON
from vigil.errors import Transient
from vigil.reliability.capacity import CapacityLimits
from vigil.reliability.controller import ControllerPolicy
from vigil.reliability.lane_counts import LANES
from vigil.reliability.slo import MetricRef

TICK: dict[str, object] = dict.fromkeys(
    ("version", "account", "region", "detail", "detail-type", "source", "time", "id"), ""
) | {"resources": []}


@dataclass
class FakeMapping:
    """A lane's mapping."""

    on: bool = True

    def is_enabled(self) -> bool:
        return self.on

    def set_enabled(self, *, enabled: bool) -> None:
        self.on = enabled


class MissingTable:
    """The state store while the records table does not answer."""

    def get(self, name: str) -> dict[str, Any]:
        raise Transient(f"{name} away", dependency="records", operation="read state")


@dataclass
class FakeCloudWatch:
    """CloudWatch with the sums of one window."""

    counted: Mapping[MetricRef, float]

    def sum_by_window(
        self,
        namespace: str,
        signals: Collection[MetricRef],
        windows: Mapping[str, timedelta],
        *,
        now: datetime,
    ) -> dict[str, dict[MetricRef, float]]:
        assert (namespace, now) == ("Vigil/t", NOON)
        return {name: {one: self.counted.get(one, 0.0) for one in signals} for name in windows}


def run_balance(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    counted: Mapping[MetricRef, float],
    mappings: Mapping[str, FakeMapping],
) -> dict[str, Any]:
    """One run of the balance function; the metrics that it emitted."""
    container = Container(Settings({"METRICS_NAMESPACE": "Vigil/t"}), clock=lambda: NOON)
    fakes: dict[str, Any] = {
        "state_store": MissingTable(),
        "cloudwatch": FakeCloudWatch(counted),
        "lane_mappings": mappings,
        "controller_policy": ControllerPolicy(CapacityLimits(total=12), max_degradation_level=3),
        "metrics": EmfMetrics(namespace="Vigil/t", service="balance"),
        "logger": SimpleNamespace(error=lambda *_, **__: None),
    }
    vars(container).update(fakes)
    monkeypatch.setattr(balance, "container", lambda: container)
    balance.on_balance(TICK, SimpleNamespace(get_remaining_time_in_millis=lambda: 50_000))
    metrics: dict[str, Any] = json.loads(capsys.readouterr().out)
    return metrics


def both_enabled() -> dict[str, FakeMapping]:
    return {lane: FakeMapping() for lane in LANES}


def lane_metrics(lane: str, delivered: float, failed: float) -> dict[MetricRef, float]:
    return {MetricRef(lane, "Delivered"): delivered, MetricRef(lane, "DependencyFailed"): failed}


def test_a_lane_whose_deliveries_fail_too_is_stopped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    mappings = both_enabled()
    counted = lane_metrics("live", 30, 30) | lane_metrics("bulk", 5, 5)

    emitted = run_balance(monkeypatch, capsys, counted, mappings)

    assert {lane: one.on for lane, one in mappings.items()} == {"live": False, "bulk": True}
    assert (emitted["LiveBreakersOpen"], emitted["BulkBreakersOpen"]) == ([1], [0])


def test_the_metric_of_a_stopped_lane_stays_set_in_the_next_minute(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    emitted = run_balance(monkeypatch, capsys, {}, {"live": FakeMapping(on=False), "bulk": FakeMapping()})

    assert (emitted["LiveBreakersOpen"], emitted["BulkBreakersOpen"]) == ([1], [0])


def test_healthy_lanes_continue_although_the_controller_state_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    mappings = both_enabled()

    run_balance(monkeypatch, capsys, lane_metrics("live", 100, 10) | lane_metrics("bulk", 100, 0), mappings)

    assert all(one.on for one in mappings.values())
