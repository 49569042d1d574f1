"""`python -m infra.bench.api`: the API beside the bare round trip, and what a flood of it costs the lanes.

The bare round trip is GET /v1/health: through the same gateway to the same worker and back. What a route asks
of AWS comes on top, so each is also held against its floor: the bare round trip, and as many bare reads of
the stand-in for DynamoDB as the route makes calls, by its own log.
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

from infra.bench.ratios import Ratio, milliseconds, ratio
from infra.cli.places import PACKAGE, PHOTOS
from infra.local.cloud import Cloud
from infra.package import package
from vigil_client import Vigil

ROUNDS = 60
CALLERS, FLOOD_S, EVERY_S = 50, 10.0, 0.5
PARAMETERS = {"CallsPerMinute": "1000000", "PredictConcurrency": "2"}


@dataclass(frozen=True, slots=True)
class Bench:
    """The running system and a way to ask it that hides nothing and repeats nothing."""

    url: str
    token: str
    http: urllib3.PoolManager

    def get(self, path: str) -> Callable[[], None]:
        """An act: one GET."""
        headers = {"Authorization": f"Bearer {self.token}"}

        def ask() -> None:
            answer = self.http.request("GET", self.url + path, headers=headers)
            if answer.status != 200:
                raise RuntimeError(f"GET {path}: {answer.status} {answer.data[:200]!r}")

        return ask


def api() -> dict[str, Any]:
    """Ratios by route, and how a flood of predictions leaves the live lane."""
    package("local")
    with (
        tempfile.TemporaryDirectory(prefix="vigil-bench-") as data,
        Cloud(package=PACKAGE, data=Path(data), parameters=PARAMETERS, processes=6) as running,
    ):
        url = str(running.outputs["EndpointURL"]).rstrip("/")
        pool = urllib3.PoolManager(maxsize=CALLERS + 4, retries=False)
        bench = Bench(url, running.token("admin"), pool)
        vigil = Vigil(url, bench.token)
        routes = _routes(vigil)
        bare = bench.get("/v1/health")
        ratios = {name: ratio(bench.get(path), bare, rounds=ROUNDS) for path, name in routes.items()}
        call_ms, made = _call_ms(running), _calls(running)
        reads = {name: _read(one, made[name], call_ms) for name, one in ratios.items()}
        flood = _flood(vigil, bench)
    return {
        "route_over_bare": {name: one["over_bare"] for name, one in reads.items()},
        "route_over_floor": {name: one["over_floor"] for name, one in reads.items()},
        "live_under_flood": flood,
        "details": {"reads": reads, "call_ms": call_ms},
    }


def _routes(vigil: Vigil) -> dict[str, str]:
    """Paths to read, by what they are called; with something in each list."""
    person = vigil.create_person("bench")
    vigil.enrol(person, PHOTOS / "obama.jpg")
    vigil.watch(person)
    time.sleep(2.1)
    drops = [vigil.drop_photo(PHOTOS / "obama2.jpg", source="bench")["drop"] for _ in range(3)]
    alert = next(iter(vigil.alerts(source="bench")))["alert"]
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


def _read(one: Ratio, calls: int, call_ms: float) -> dict[str, float]:
    return {
        "calls": calls,
        "ms": round(one.ours_ms, 2),
        "bare_ms": round(one.theirs_ms, 2),
        "over_bare": round(one.ours_over_theirs, 2),
        "over_floor": round(one.ours_ms / (one.theirs_ms + calls * call_ms), 2),
    }


def _calls(running: Cloud) -> dict[str, int]:
    """Calls to AWS that each operation made, the median of all times it was asked."""
    made = defaultdict(list)
    for line in running.logs("APIHandler"):
        if '"aws_calls"' in line:
            told = json.loads(line)
            made[told["operation"]].append(told["aws_calls"])
    return {operation: int(statistics.median(calls)) for operation, calls in made.items()}


def _call_ms(running: Cloud) -> float:
    """One consistent read from the local stand-in for DynamoDB."""
    dynamodb, table = running.client("dynamodb"), running.outputs["RecordsTable"]
    key = {"pk": {"S": "nothing"}, "sk": {"S": "nothing"}}
    times = [milliseconds(lambda: dynamodb.get_item(TableName=table, Key=key)) for _ in range(50)]
    return round(statistics.median(times), 2)


def _flood(vigil: Vigil, bench: Bench) -> dict[str, float]:
    """Fifty callers who predict without pause, and photos that are dropped meanwhile."""
    quiet_s = [_dropped_s(vigil) for _ in range(6)]
    stop, photo = Event(), (PHOTOS / "obama.jpg").read_bytes()
    with ThreadPoolExecutor(CALLERS) as callers:
        answers = [callers.submit(_caller, bench, photo, stop) for _ in range(CALLERS)]
        flooded_s, ends = [], time.monotonic() + FLOOD_S
        while time.monotonic() < ends:
            flooded_s.append(_dropped_s(vigil))
            time.sleep(EVERY_S)
        stop.set()
        told = [status for answer in answers for status in answer.result()]
    return {
        "drop_quiet_ms": round(statistics.median(quiet_s) * 1000, 1),
        "drop_flooded_ms": round(statistics.median(flooded_s) * 1000, 1),
        "drop_flooded_worst_ms": round(max(flooded_s) * 1000, 1),
        "predicted": told.count(200),
        "shed": told.count(429),
        "failed": len(told) - told.count(200) - told.count(429),
    }


def _dropped_s(vigil: Vigil) -> float:
    """From stored to answered, by the ledger's own times."""
    drop = vigil.drop_photo(PHOTOS / "biden.jpg", source="flood")
    return (datetime.fromisoformat(drop["settled_at"]) - datetime.fromisoformat(drop["at"])).total_seconds()


def _caller(bench: Bench, photo: bytes, stop: Event) -> list[int]:
    headers = {"Authorization": f"Bearer {bench.token}", "Content-Type": "image/jpeg"}
    told: list[int] = []
    while not stop.is_set():
        answer = bench.http.request("POST", f"{bench.url}/v1/predict/faces", body=photo, headers=headers)
        told.append(answer.status)
        if answer.status == 429:
            stop.wait(0.2)
    return told


def main() -> int:
    """Print all figures as JSON."""
    sys.stdout.write(json.dumps(api(), indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
