"""Benchmark of the API: routes against a bare round trip, and the live lane under a flood of predictions.

The bare round trip is GET /v1/health through the same gateway and worker. `over_floor` compares a route with
its lower bound: the bare round trip plus one bare DynamoDB read of the local cloud per AWS call.
"""

import json
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import Any

import urllib3

from infra.local.cloud import Cloud
from infra.package import package
from tests.benchmark.ratios import Ratio, measure_ratio, time_ms
from vigil_cli.paths import PACKAGE, PHOTOS
from vigil_client import Vigil

ROUNDS = 60
CALLER_COUNT, FLOOD_S, DROP_INTERVAL_S = 50, 10.0, 0.5
PARAMETERS = {"CallsPerMinute": "1000000", "PredictConcurrency": "2"}


@dataclass(frozen=True, slots=True)
class BenchmarkClient:
    """The URL and token of the running system, and an HTTP client without retries."""

    url: str
    token: str
    http: urllib3.PoolManager

    def get_request(self, path: str) -> Callable[[], None]:
        """Return a function that sends one GET request."""
        headers = {"Authorization": f"Bearer {self.token}"}

        def ask() -> None:
            response = self.http.request("GET", self.url + path, headers=headers)
            if response.status != 200:
                raise RuntimeError(f"GET {path}: {response.status} {response.data[:200]!r}")

        return ask


def measure_api() -> dict[str, Any]:
    """Return ratios by route, and the latency of the live lane under a flood of predictions."""
    package("local")
    with (
        tempfile.TemporaryDirectory(prefix="vigil-bench-") as data,
        Cloud(package=PACKAGE, data=Path(data), parameters=PARAMETERS, max_workers=6) as local_cloud,
    ):
        url = str(local_cloud.outputs["EndpointURL"])
        pool = urllib3.PoolManager(maxsize=CALLER_COUNT + 4, retries=False)
        client = BenchmarkClient(url, local_cloud.issue_token("admin"), pool)
        api_client = Vigil(url, client.token)
        routes = _prepare_routes(api_client)
        bare = client.get_request("/v1/health")
        ratios = {
            name: measure_ratio(client.get_request(path), bare, rounds=ROUNDS)
            for path, name in routes.items()
        }
        call_ms, call_counts = _dynamodb_read_ms(local_cloud), _aws_calls_by_operation(local_cloud)
        reads = {name: _route_figures(one, call_counts[name], call_ms) for name, one in ratios.items()}
        flood = _measure_flood(api_client, client)
    return {
        "route_over_bare": {name: one["over_bare"] for name, one in reads.items()},
        "route_over_floor": {name: one["over_floor"] for name, one in reads.items()},
        "live_under_flood": flood,
        "details": {"reads": reads, "call_ms": call_ms},
    }


def _prepare_routes(vigil: Vigil) -> dict[str, str]:
    """Create data for every list; return operation names by path."""
    person = vigil.create_person("bench")
    vigil.enrol_photo(person, PHOTOS / "obama.jpg")
    vigil.watch_person(person)
    time.sleep(2.1)
    drops = [vigil.drop_photo(PHOTOS / "obama2.jpg", source="bench")["id"] for _ in range(3)]
    alert = next(iter(vigil.list_alerts(source="bench")))["id"]
    return {
        "/v1/models": "list-models",
        f"/v1/drops/{drops[0]}": "get-drop",
        "/v1/drops?limit=10": "list-drops",
        f"/v1/people/{person}": "get-person",
        "/v1/people": "list-people",
        f"/v1/alerts/{alert}": "get-alert",
        "/v1/alerts?limit=10": "list-alerts",
        f"/v1/sightings?person={person}": "list-sightings",
        "/v1/rules": "get-rules",
        "/v1/status": "get-status",
        "/v1/openapi.json": "get-openapi",
    }


def _route_figures(one: Ratio, calls: int, call_ms: float) -> dict[str, float]:
    return {
        "calls": calls,
        "ms": round(one.ours_ms, 2),
        "bare_ms": round(one.theirs_ms, 2),
        "over_bare": round(one.ours_over_theirs, 2),
        "over_floor": round(one.ours_ms / (one.theirs_ms + calls * call_ms), 2),
    }


def _aws_calls_by_operation(local_cloud: Cloud) -> dict[str, int]:
    """Return the median number of AWS calls of each operation."""
    calls_by_operation = defaultdict(list)
    for line in local_cloud.logs("APIHandler"):
        if '"aws_calls"' in line:
            record = json.loads(line)
            calls_by_operation[record["operation"]].append(record["aws_calls"])
    return {operation: int(statistics.median(calls)) for operation, calls in calls_by_operation.items()}


def _dynamodb_read_ms(local_cloud: Cloud) -> float:
    """Median milliseconds of one consistent DynamoDB read in the local cloud."""
    dynamodb, table = local_cloud.client("dynamodb"), local_cloud.outputs["RecordsTable"]
    key = {"pk": {"S": "nothing"}, "sk": {"S": "nothing"}}
    times = [time_ms(lambda: dynamodb.get_item(TableName=table, Key=key)) for _ in range(50)]
    return round(statistics.median(times), 2)


def _measure_flood(vigil: Vigil, client: BenchmarkClient) -> dict[str, float]:
    """Measure drops while fifty callers send predictions without pause."""
    idle_latencies_s = [_drop_latency_s(vigil) for _ in range(6)]
    stop, photo = Event(), (PHOTOS / "obama.jpg").read_bytes()
    with ThreadPoolExecutor(CALLER_COUNT) as callers:
        futures = [callers.submit(_send_predictions, client, photo, stop) for _ in range(CALLER_COUNT)]
        flooded_latencies_s, deadline_s = [], time.monotonic() + FLOOD_S
        while time.monotonic() < deadline_s:
            flooded_latencies_s.append(_drop_latency_s(vigil))
            time.sleep(DROP_INTERVAL_S)
        stop.set()
        statuses = [status for future in futures for status in future.result()]
    return {
        "drop_quiet_ms": round(statistics.median(idle_latencies_s) * 1000, 1),
        "drop_flooded_ms": round(statistics.median(flooded_latencies_s) * 1000, 1),
        "drop_flooded_worst_ms": round(max(flooded_latencies_s) * 1000, 1),
        "predicted": statuses.count(200),
        "shed": statuses.count(429),
        "failed": len(statuses) - statuses.count(200) - statuses.count(429),
    }


def _drop_latency_s(vigil: Vigil) -> float:
    """Seconds from storing a photo to its outcome, by the times in the ledger."""
    drop = vigil.drop_photo(PHOTOS / "biden.jpg", source="flood")
    return (datetime.fromisoformat(drop["completed_at"]) - datetime.fromisoformat(drop["at"])).total_seconds()


def _send_predictions(client: BenchmarkClient, photo: bytes, stop: Event) -> list[int]:
    headers = {"Authorization": f"Bearer {client.token}", "Content-Type": "image/jpeg"}
    statuses: list[int] = []
    while not stop.is_set():
        response = client.http.request("POST", f"{client.url}/v1/predict/faces", body=photo, headers=headers)
        statuses.append(response.status)
        if response.status == 429:
            stop.wait(0.2)
    return statuses


def main() -> int:
    """Print all figures as JSON."""
    sys.stdout.write(json.dumps(measure_api(), indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
