"""What the dashboard shows of our own, and what lines of embedded metric format tell."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from infra.monitoring import read_slo_config
from infra.monitoring.dashboard import dashboard_resource

PLAN = read_slo_config((Path(__file__).resolve().parents[3] / "infra/slo.toml").read_text())


@dataclass(frozen=True)
class EmfLine:
    """One line: units by metric."""

    namespace: str
    dimensions: list[list[str]]
    units: dict[str, str]


def shown_metrics() -> set[tuple[str, str]]:
    """(service, metric) of every line of every widget that is of our own namespace."""
    board = json.loads(dashboard_resource(PLAN)["Properties"]["DashboardBody"]["Fn::Sub"])
    lines = [line for widget in board["widgets"] for line in widget["properties"]["metrics"]]
    return {(line[3], line[1]) for line in lines if str(line[0]).startswith("Vigil/")}


def parse_emf(text: str) -> Iterator[EmfLine]:
    """Every line of embedded metric format in a log."""
    for line in text.splitlines():
        if "_aws" in line:
            (head,) = json.loads(line[line.index("{") :])["_aws"]["CloudWatchMetrics"]
            units = {metric["Name"]: metric["Unit"] for metric in head["Metrics"]}
            yield EmfLine(head["Namespace"], head["Dimensions"], units)
