"""Balance while the records table, its memory and everybody's, does not answer."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from cloud.metrics import Gauges
from functions import balance
from tests.memory import NOON
from vigil.errors import Transient
from vigil.steady.balance import Bounds
from vigil.steady.minute import LANES, Rules
from vigil.steady.promises import Signal

TICK: dict[str, object] = dict.fromkeys(
    ("version", "account", "region", "detail", "detail-type", "source", "time", "id"), ""
) | {"resources": []}


@dataclass
class Switch:
    """A lane's mapping."""

    on: bool = True

    def running(self) -> bool:
        return self.on

    def switch(self, *, enabled: bool) -> None:
        self.on = enabled


@dataclass
class Blind:
    """Balance's helm while the table is away and CloudWatch is not."""

    counted: Mapping[Signal, float]
    mappings: dict[str, Switch] = field(default_factory=lambda: {lane: Switch() for lane in LANES})
    rules: Rules = field(default_factory=lambda: Rules(Bounds(total=12), steps=3))
    namespace: str = "Vigil/t"

    @property
    def states(self) -> "Blind":
        return self

    @property
    def cloudwatch(self) -> "Blind":
        return self

    def get(self, name: str) -> dict[str, Any]:
        raise Transient(f"read state {name}: away")

    def sums(
        self, namespace: str, signals: Collection[Signal], windows: Mapping[str, timedelta], *, now: datetime
    ) -> dict[str, dict[Signal, float]]:
        assert (namespace, now) == ("Vigil/t", NOON)
        return {name: {one: self.counted.get(one, 0.0) for one in signals} for name in windows}


def minute(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], helm: Blind
) -> dict[str, Any]:
    """One tick; the metrics that it told."""
    monkeypatch.setattr(balance, "helm", lambda: helm)
    monkeypatch.setattr(balance, "now", lambda: NOON)
    gauges = Gauges(namespace="Vigil/t", service="balance")
    monkeypatch.setattr(balance, "gauges", lambda: gauges)
    monkeypatch.setattr(balance, "logger", lambda: SimpleNamespace(error=lambda *_, **__: None))
    balance.on_balance(TICK, SimpleNamespace(get_remaining_time_in_millis=lambda: 50_000))
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


def counted(lane: str, delivered: float, failed: float) -> dict[Signal, float]:
    return {Signal(lane, "Delivered"): delivered, Signal(lane, "Failed"): failed}


def test_a_lane_whose_deliveries_fail_too_stands_still(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    helm = Blind(counted("live", 30, 30) | counted("bulk", 5, 5))

    told = minute(monkeypatch, capsys, helm)

    assert {lane: one.on for lane, one in helm.mappings.items()} == {"live": False, "bulk": True}
    assert (told["LiveBreakersOpen"], told["BulkBreakersOpen"]) == ([1], [0])


def test_it_still_says_so_a_minute_later(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    helm = Blind({}, {"live": Switch(on=False), "bulk": Switch()})

    told = minute(monkeypatch, capsys, helm)

    assert (told["LiveBreakersOpen"], told["BulkBreakersOpen"]) == ([1], [0])


def test_lanes_that_do_well_go_on_although_balance_cannot_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    helm = Blind(counted("live", 100, 10) | counted("bulk", 100, 0))

    minute(monkeypatch, capsys, helm)

    assert all(one.on for one in helm.mappings.values())
