"""What the dashboard shows of our own, and what lines of embedded metric format tell."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from infra.slo import read
from infra.slo.dashboard import dashboard

PLAN = read((Path(__file__).resolve().parents[2] / "infra/slo.toml").read_text())


@dataclass(frozen=True)
class Told:
    """One line: units by metric."""

    namespace: str
    dimensions: list[list[str]]
    units: dict[str, str]


def shown_metrics() -> set[tuple[str, str]]:
    """(service, metric) of every line of every widget that is of our own namespace."""
    board = json.loads(dashboard(PLAN)["Properties"]["DashboardBody"]["Fn::Sub"])
    lines = [line for widget in board["widgets"] for line in widget["properties"]["metrics"]]
    return {(line[3], line[1]) for line in lines if str(line[0]).startswith("Vigil/")}


def emf(text: str) -> Iterator[Told]:
    """Every line of embedded metric format in a log."""
    for line in text.splitlines():
        if "_aws" in line:
            (head,) = json.loads(line[line.index("{") :])["_aws"]["CloudWatchMetrics"]
            units = {metric["Name"]: metric["Unit"] for metric in head["Metrics"]}
            yield Told(head["Namespace"], head["Dimensions"], units)
