"""The dashboard: objectives, lanes, maintenance and cost."""

import json
from typing import Any

from infra.monitoring.slo import VIGIL_NAMESPACE, Objective, Resource, SloConfig
from vigil.reliability.lane_counts import LANES

WIDGET_WIDTH, WIDGET_HEIGHT = 6, 6
_NAMESPACE = f"{VIGIL_NAMESPACE}/${{Stage}}"


def dashboard_resource(config: SloConfig) -> Resource:
    """Return the dashboard; CloudFormation substitutes stage, region and queue names."""
    widgets = [
        *map(_objective_widget, config.objectives),
        *_lane_widgets(),
        *_maintenance_widgets(),
        *_cost_widgets(),
    ]
    for number, widget in enumerate(widgets):
        widget |= {
            "x": number % 4 * WIDGET_WIDTH,
            "y": number // 4 * WIDGET_HEIGHT,
            "width": WIDGET_WIDTH,
            "height": WIDGET_HEIGHT,
        }
    return {
        "Type": "AWS::CloudWatch::Dashboard",
        "Properties": {
            "DashboardName": {"Fn::Sub": "vigil-${Stage}"},
            "DashboardBody": {"Fn::Sub": json.dumps({"widgets": widgets})},
        },
    }


def _objective_widget(objective: Objective) -> dict[str, Any]:
    """The good share by the hour, against its target."""
    bad = [
        _vigil_metric(s.service, s.metric, id=f"bad{n}", visible=False) for n, s in enumerate(objective.bad)
    ]
    total = [
        _vigil_metric(s.service, s.metric, id=f"total{n}", visible=False)
        for n, s in enumerate(objective.total)
    ]
    wrong = " + ".join(f"FILL(bad{n}, 0)" for n in range(len(bad)))
    every = " + ".join(f"total{n}" for n in range(len(total)))
    good_share = [{"expression": f"100 * (1 - ({wrong}) / ({every}))", "label": "good, %", "id": "good"}]
    line = {"label": "target", "value": 100 * objective.target}
    widget = _metric_widget(
        f"{objective.name}: {objective.description}", [good_share, *bad, *total], period=3600
    )
    widget["properties"] |= {"annotations": {"horizontal": [line]}, "stat": "Sum"}
    return widget


def _lane_widgets() -> list[dict[str, Any]]:
    outcomes = ("Done", "Rejected", "Duplicate", "Failed")
    per_lane = [
        widget
        for lane in LANES
        for widget in (
            _metric_widget(f"{lane}: drops by outcome", [_vigil_metric(lane, name) for name in outcomes]),
            _metric_widget(
                f"{lane}: stages, median ms",
                [_vigil_metric(lane, f"{name}Ms", stat="p50") for name in STAGES],
            ),
            _metric_widget(
                f"{lane}: faces and alerts", [_vigil_metric(lane, name) for name in ("Sightings", "Alerts")]
            ),
        )
    ]
    ages = [_vigil_metric(lane, "GalleryAgeS", stat="Maximum") for lane in LANES]
    return [
        *per_lane,
        _metric_widget(
            "age from stored to completed, p99 ms",
            [_vigil_metric(lane, "AgeMs", stat="p99") for lane in LANES],
        ),
        _metric_widget(
            "waiting messages", [_queue_metric(name, "Maximum") for name in ("LiveQueue", "BulkQueue")]
        ),
        _metric_widget("leases lost", [_vigil_metric(lane, "LeaseLost") for lane in LANES]),
        _metric_widget("seconds since the gallery was checked", ages),
        _metric_widget("predictions by release", [_metric_by_release("ReleaseFailed", "SampleCount")]),
        _metric_widget("failed predictions by release", [_metric_by_release("ReleaseFailed", "Sum")]),
    ]


def _maintenance_widgets() -> list[dict[str, Any]]:
    dead_letter_queues = ("LiveDeadLetters", "BulkDeadLetters", "PublishDeadLetters")
    shares = [_vigil_metric("balance", name, stat="Maximum") for name in ("LiveWorkers", "BulkWorkers")]
    states = ("LiveBreakersOpen", "BulkBreakersOpen", "DegradationLevel")
    return [
        _metric_widget("workers by lane", shares, stacked=True),
        _metric_widget(
            "breakers and degradation", [_vigil_metric("balance", name, stat="Maximum") for name in states]
        ),
        _metric_widget("dead letters", [_queue_metric(name, "Maximum") for name in dead_letter_queues]),
        _metric_widget(
            "triage", [_vigil_metric("triage", name) for name in ("Redriven", "Quarantined", "NewFaults")]
        ),
        _metric_widget("canary: ms to its result", [_vigil_metric("canary", "CanaryMs", stat="Maximum")]),
        _metric_widget("reconcile: reannounced objects", [_vigil_metric("reconcile", "Reannounced")]),
    ]


def _cost_widgets() -> list[dict[str, Any]]:
    """Lambda's cost in USD of a thousand drops, by list prices."""
    metrics = []
    for lane in LANES:
        metrics += [_vigil_metric(lane, "CostUsd", id=f"{lane}usd", visible=False)]
        metrics += [_vigil_metric(lane, "Completed", id=f"{lane}completed", visible=False)]
        metrics += [
            [{"expression": f"1000 * {lane}usd / {lane}completed", "label": f"{lane} USD", "id": lane}]
        ]
    return [_metric_widget("Lambda's cost of 1,000 drops, estimated", metrics, period=3600)]


STAGES = (
    "claim",
    "read",
    "decode",
    "detect",
    "align",
    "embed",
    "match",
    "classify",
    "run",
    "evaluate",
    "save",
)
"""Stages of all pipelines in their order."""


def _vigil_metric(service: str, metric: str, **options: Any) -> list[Any]:
    return [
        _NAMESPACE,
        metric,
        "service",
        service,
        {"stat": "Sum", "label": f"{service} {metric}", **options},
    ]


def _metric_by_release(metric: str, stat: str) -> list[Any]:
    """A line for each release; CloudWatch finds the releases by their dimensions."""
    search = f"SEARCH('{{{_NAMESPACE},service,model,release}} MetricName=\"{metric}\"', '{stat}', 60)"
    return [{"expression": search, "id": "found"}]


def _queue_metric(ident: str, stat: str) -> list[Any]:
    name = f"${{{ident}.QueueName}}"
    return [
        "AWS/SQS",
        "ApproximateNumberOfMessagesVisible",
        "QueueName",
        name,
        {"stat": stat, "label": ident},
    ]


def _metric_widget(
    title: str, metrics: list[Any], *, period: int = 60, stacked: bool = False
) -> dict[str, Any]:
    properties = {"title": title, "metrics": metrics, "period": period, "region": "${AWS::Region}"}
    return {"type": "metric", "properties": properties | {"stacked": stacked, "view": "timeSeries"}}
