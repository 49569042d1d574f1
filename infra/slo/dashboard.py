"""One dashboard: promises first, then lanes, then what mends them, then what it costs."""

import json
from typing import Any

from infra.slo.objectives import Objective, Plan
from infra.slo.words import OURS, Resource

WIDTH, HEIGHT = 6, 6
_NS = f"{OURS}/${{Stage}}"


def dashboard(plan: Plan) -> Resource:
    """CloudFormation fills in stage, region and the names that AWS makes."""
    widgets = [*map(_objective, plan.objectives), *_lanes(), *_mending(), *_cost()]
    for number, widget in enumerate(widgets):
        widget |= {"x": number % 4 * WIDTH, "y": number // 4 * HEIGHT, "width": WIDTH, "height": HEIGHT}
    return {
        "Type": "AWS::CloudWatch::Dashboard",
        "Properties": {
            "DashboardName": {"Fn::Sub": "vigil-${Stage}"},
            "DashboardBody": {"Fn::Sub": json.dumps({"widgets": widgets})},
        },
    }


def _objective(objective: Objective) -> dict[str, Any]:
    """The good share by the hour, against its target."""
    bad = [_ours(s.service, s.metric, id=f"bad{n}", visible=False) for n, s in enumerate(objective.bad)]
    total = [_ours(s.service, s.metric, id=f"total{n}", visible=False) for n, s in enumerate(objective.total)]
    wrong = " + ".join(f"FILL(bad{n}, 0)" for n in range(len(bad)))
    every = " + ".join(f"total{n}" for n in range(len(total)))
    good = [{"expression": f"100 * (1 - ({wrong}) / ({every}))", "label": "good, %", "id": "good"}]
    line = {"label": "target", "value": 100 * objective.target}
    widget = _widget(f"{objective.name}: {objective.says}", [good, *bad, *total], period=3600)
    widget["properties"] |= {"annotations": {"horizontal": [line]}, "stat": "Sum"}
    return widget


def _lanes() -> list[dict[str, Any]]:
    outcomes = ("Done", "Rejected", "Duplicate", "Failed")
    of_each = [
        widget
        for lane in LANES
        for widget in (
            _widget(f"{lane}: drops by outcome", [_ours(lane, name) for name in outcomes]),
            _widget(f"{lane}: stages, median ms", [_ours(lane, f"{name}Ms", stat="p50") for name in STAGES]),
            _widget(f"{lane}: faces and alerts", [_ours(lane, name) for name in ("Sightings", "Alerts")]),
        )
    ]
    ages = [_ours(lane, "GalleryAgeS", stat="Maximum") for lane in LANES]
    return [
        *of_each,
        _widget("age from stored to answered, p99 ms", [_ours(lane, "AgeMs", stat="p99") for lane in LANES]),
        _widget("waiting messages", [_queue(name, "Maximum") for name in ("LiveQueue", "BulkQueue")]),
        _widget("leases lost", [_ours(lane, "LeaseLost") for lane in LANES]),
        _widget("seconds since the gallery was looked at", ages),
        _widget("looks by release", [_by_release("ReleaseBroke", "SampleCount")]),
        _widget("looks that broke, by release", [_by_release("ReleaseBroke", "Sum")]),
    ]


def _mending() -> list[dict[str, Any]]:
    letters = ("LiveDeadLetters", "BulkDeadLetters", "PublishDeadLetters")
    shares = [_ours("balance", name, stat="Maximum") for name in ("LiveWorkers", "BulkWorkers")]
    states = ("LiveBreakersOpen", "BulkBreakersOpen", "DegradationLevel")
    return [
        _widget("workers by lane", shares, stacked=True),
        _widget("breakers and degradation", [_ours("balance", name, stat="Maximum") for name in states]),
        _widget("dead letters", [_queue(name, "Maximum") for name in letters]),
        _widget("triage", [_ours("triage", name) for name in ("Redriven", "Quarantined", "NewFaults")]),
        _widget("canary: ms to its answer", [_ours("canary", "CanaryMs", stat="Maximum")]),
        _widget("reconcile: announced again", [_ours("reconcile", "Announced")]),
    ]


def _cost() -> list[dict[str, Any]]:
    """Lambda's share of a drop's cost, in USD for a thousand, by list prices (vigil/steady/expense.py)."""
    found = []
    for lane in LANES:
        found += [_ours(lane, "CostUsd", id=f"{lane}usd", visible=False)]
        found += [_ours(lane, "Settled", id=f"{lane}settled", visible=False)]
        found += [[{"expression": f"1000 * {lane}usd / {lane}settled", "label": f"{lane} USD", "id": lane}]]
    return [_widget("Lambda's cost of 1,000 drops, estimated", found, period=3600)]


LANES = ("live", "bulk")
STAGES = ("claim", "read", "decode", "detect", "align", "embed", "match", "classify", "judge", "keep")
"""In the order in which drops go through them; each pipeline has some of its own."""


def _ours(service: str, metric: str, **how: Any) -> list[Any]:
    return [_NS, metric, "service", service, {"stat": "Sum", "label": f"{service} {metric}", **how}]


def _by_release(metric: str, stat: str) -> list[Any]:
    """A line for each release that was active: CloudWatch finds them by their dimensions."""
    found = f"SEARCH('{{{_NS},service,model,release}} MetricName=\"{metric}\"', '{stat}', 60)"
    return [{"expression": found, "id": "found"}]


def _queue(ident: str, stat: str) -> list[Any]:
    name = f"${{{ident}.QueueName}}"
    return [
        "AWS/SQS",
        "ApproximateNumberOfMessagesVisible",
        "QueueName",
        name,
        {"stat": stat, "label": ident},
    ]


def _widget(title: str, metrics: list[Any], *, period: int = 60, stacked: bool = False) -> dict[str, Any]:
    properties = {"title": title, "metrics": metrics, "period": period, "region": "${AWS::Region}"}
    return {"type": "metric", "properties": properties | {"stacked": stacked, "view": "timeSeries"}}
