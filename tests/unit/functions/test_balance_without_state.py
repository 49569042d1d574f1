"""Balance while the records table, its memory and everybody's, does not answer."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from cloud.cloudwatch import EmfMetrics
from functions import balance
from tests.fakes.memory import NOON
from vigil.errors import Transient
from vigil.reliability.capacity import CapacityLimits
from vigil.reliability.controller import LANES, ControllerPolicy
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


@dataclass
class ControllerWithoutTable:
    """Balance's helm while the table is away and CloudWatch is not."""

    counted: Mapping[MetricRef, float]
    mappings: dict[str, FakeMapping] = field(default_factory=lambda: {lane: FakeMapping() for lane in LANES})
    rules: ControllerPolicy = field(
        default_factory=lambda: ControllerPolicy(CapacityLimits(total=12), max_degradation_level=3)
    )
    namespace: str = "Vigil/t"

    @property
    def states(self) -> "ControllerWithoutTable":
        return self

    @property
    def cloudwatch(self) -> "ControllerWithoutTable":
        return self

    def get(self, name: str) -> dict[str, Any]:
        raise Transient(f"{name} away", dependency="records", operation="read state")

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
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], controller: ControllerWithoutTable
) -> dict[str, Any]:
    """One tick; the metrics that it told."""
    monkeypatch.setattr(balance, "controller_ports", lambda: controller)
    monkeypatch.setattr(balance, "now", lambda: NOON)
    gauges = EmfMetrics(namespace="Vigil/t", service="balance")
    monkeypatch.setattr(balance, "emf_metrics", lambda: gauges)
    monkeypatch.setattr(balance, "logger", lambda: SimpleNamespace(error=lambda *_, **__: None))
    balance.on_balance(TICK, SimpleNamespace(get_remaining_time_in_millis=lambda: 50_000))
    metrics: dict[str, Any] = json.loads(capsys.readouterr().out)
    return metrics


def lane_metrics(lane: str, delivered: float, failed: float) -> dict[MetricRef, float]:
    return {MetricRef(lane, "Delivered"): delivered, MetricRef(lane, "Failed"): failed}


def test_a_lane_whose_deliveries_fail_too_stands_still(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    helm = ControllerWithoutTable(lane_metrics("live", 30, 30) | lane_metrics("bulk", 5, 5))

    told = run_balance(monkeypatch, capsys, helm)

    assert {lane: one.on for lane, one in helm.mappings.items()} == {"live": False, "bulk": True}
    assert (told["LiveBreakersOpen"], told["BulkBreakersOpen"]) == ([1], [0])


def test_it_still_says_so_a_minute_later(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    helm = ControllerWithoutTable({}, {"live": FakeMapping(on=False), "bulk": FakeMapping()})

    told = run_balance(monkeypatch, capsys, helm)

    assert (told["LiveBreakersOpen"], told["BulkBreakersOpen"]) == ([1], [0])


def test_lanes_that_do_well_go_on_although_balance_cannot_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    helm = ControllerWithoutTable(lane_metrics("live", 100, 10) | lane_metrics("bulk", 100, 0))

    run_balance(monkeypatch, capsys, helm)

    assert all(one.on for one in helm.mappings.values())
