"""CloudWatch: what AWS itself measures, read back, and what we measure, as EMF lines in the log."""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from aws_lambda_powertools.metrics import Metrics, MetricUnit

from cloud.faults import faults


class Gauges:
    """Values added during an invocation, and written as one log line at its end (embedded metric format)."""

    def __init__(self, *, namespace: str, service: str) -> None:
        self._metrics = Metrics(namespace=namespace, service=service)
        self._any = False

    def count(self, name: str, number: float = 1) -> None:
        self._add(name, MetricUnit.Count, number)

    def ms(self, name: str, milliseconds: float) -> None:
        self._add(name, MetricUnit.Milliseconds, milliseconds)

    def seconds(self, name: str, seconds: float) -> None:
        self._add(name, MetricUnit.Seconds, seconds)

    def note(self, name: str, value: Any) -> None:
        """Beside the metrics, for people who read logs."""
        self._metrics.add_metadata(key=name, value=value)

    def flush(self) -> None:
        if self._any:
            self._metrics.flush_metrics()
        self._any = False

    def _add(self, name: str, unit: MetricUnit, value: float) -> None:
        self._metrics.add_metric(name=name, unit=unit, value=value)
        self._any = True


class ReleaseGauges:
    """What active releases show, by the second: of all together for alarms, and of each for people."""

    def __init__(self, namespace: str, service: str = "releases") -> None:
        self._namespace, self._service = namespace, service

    def tell(self, model: str, release: str, values: Mapping[str, Sequence[float]]) -> None:
        """One line of embedded metric format. Powertools knows one set of dimensions a line; this has two."""
        metrics = [{"Name": name, "Unit": "Count", "StorageResolution": 1} for name in values]
        keys = [["service"], ["service", "model", "release"]]
        told = {"Namespace": self._namespace, "Dimensions": keys, "Metrics": metrics}
        head = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [told]}
        line = {"_aws": head, "service": self._service, "model": model, "release": release, **values}
        sys.stdout.write(json.dumps(line) + "\n")


class CloudWatch:
    """The last few minutes of AWS's own metrics."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def latest(self, metric: str, dimension: Mapping[str, str], stat: str, *, now: datetime) -> float:
        """The newest minute's value ("AWS/Lambda Throttles"); 0 where there is none."""
        namespace, _, name = metric.partition(" ")
        named = [{"Name": key, "Value": value} for key, value in dimension.items()]
        metric_ = {"Namespace": namespace, "MetricName": name, "Dimensions": named}
        query = {"Id": "m", "MetricStat": {"Metric": metric_, "Period": 60, "Stat": stat}}
        with faults(f"read {metric}"):
            answer = self._client.get_metric_data(
                MetricDataQueries=[query],
                StartTime=now - timedelta(minutes=4),
                EndTime=now,
                ScanBy="TimestampDescending",
            )
        values = answer["MetricDataResults"][0]["Values"]
        return float(values[0]) if values else 0.0
