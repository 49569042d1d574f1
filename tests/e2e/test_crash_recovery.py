"""Everything killed at once in mid-work: what was acknowledged is there afterwards, and reaches its end."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from infra.local.cloud import Cloud
from infra.local.faults.model import Faults
from tests.deployment import DropRows, local_deployment
from tests.e2e.conftest import PHOTOS
from vigil.drops.messages import compute_drop_id
from vigil_cli.__main__ import app

_PROJECT = Path(__file__).parents[2]
_PHOTOS = ("biden.jpg", "obama2.jpg")
_PARAMETERS = {
    "LaneTimeout": "15",
    "LaneVisibilityTimeout": "16",
    "MaintenanceMinuteSeconds": "0.2",
    "RetentionDays": "1",
    "Workers": "4",
    "MinLiveWorkers": "2",
    "LiveConcurrency": "2",
    "BulkConcurrency": "2",
}
"""Short ones: reconcile misses what has no record after three seconds. Four workers keep two cores busy."""
_UNCONCERNED = ("audit-checkpoint", "canary", "erase", "reembed", "rollout", "training-jobs")
"""Functions that have no part in the recovery of drops."""


def start_cloud(package: Path, data: Path) -> Cloud:
    """What `vigil up` runs, in less time."""
    return Cloud(
        package,
        data,
        state_file=data / "state.sqlite",
        parameters=_PARAMETERS,
        max_workers=14,
        minute_s=4.0,  # schedules every second would take both cores from the lanes
        function_minute_s={f"vigil-dev-{name}": 60.0 for name in _UNCONCERNED},
        idle_s=20,
    )


def drop_until_killed(package: Path, data: Path) -> None:
    """Say of each object that it was acknowledged; every fourth is one that no event announces."""
    with start_cloud(package, data) as running:
        s3, bucket = running.client("s3"), running.outputs["PhotosBucket"]
        photos = [(PHOTOS / name).read_bytes() for name in _PHOTOS]

        def put(number: int) -> None:
            time.sleep(0.1)
            key = f"live/faces/door/{number}.jpg"
            version = s3.put_object(Bucket=bucket, Key=key, Body=photos[number % 2])["VersionId"]
            sys.stdout.write(json.dumps([key, version]) + "\n")
            sys.stdout.flush()

        running.faults.begin(Faults(seed=4, lost_notifications=0.25))
        with ThreadPoolExecutor(3) as threads:
            list(threads.map(put, range(100_000)))


@contextmanager
def _dropping_process(package: Path, data: Path) -> Iterator[subprocess.Popen[bytes]]:
    victim = subprocess.Popen(
        [sys.executable, "-m", "tests.e2e.test_crash_recovery", str(package), str(data)],
        cwd=_PROJECT,
        env=os.environ | {"PYTHONPATH": f"{_PROJECT}:{_PROJECT / 'layers'}:{_PROJECT / 'clients/python'}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with victim:
        yield victim


def _kill_process_tree(victim: subprocess.Popen[bytes]) -> None:
    """The cloud, its database and its workers, with nobody left to tidy up."""
    listed = subprocess.run(["pgrep", "-P", str(victim.pid)], capture_output=True, text=True, check=True)
    for pid in (victim.pid, *map(int, listed.stdout.split())):
        with suppress(ProcessLookupError):  # a worker that ended by itself just now, or with its cloud
            os.kill(pid, signal.SIGKILL)


def test_after_everything_is_killed_each_acknowledged_object_exists_and_is_processed(
    packaged: Path, tmp_path: Path
):
    acknowledged: set[tuple[str, str]] = set()
    with _dropping_process(packaged, tmp_path) as victim:
        assert victim.stdout is not None
        while len(acknowledged) < 30:
            acknowledged.add(tuple(json.loads(victim.stdout.readline())))
        _kill_process_tree(victim)
        acknowledged |= {tuple(json.loads(line)) for line in victim.stdout if line.endswith(b"]\n")}

    with start_cloud(packaged, tmp_path) as running:
        found = set(_object_versions(running))
        records = local_deployment(running.environment, running.outputs).records
        drops = [compute_drop_id(running.outputs["PhotosBucket"], *one, "faces") for one in found]
        begun = sum(records.find_drop(drop) is not None for drop in drops)
        unfinished = _wait_until_done(records, drops, within_s=400)
        refused = CliRunner().invoke(app, ["up", "--data", str(tmp_path)])

    assert unfinished == {}
    assert acknowledged <= found
    assert begun < len(drops)
    assert (refused.exit_code, "already runs" in refused.stderr) == (2, True)


def _wait_until_done(records: DropRows, drops: list[str], *, within_s: float) -> dict[str, Any]:
    """The records of the drops that are not done when the time is up."""
    unfinished, deadline_s = dict.fromkeys(drops), time.monotonic() + within_s
    while unfinished and time.monotonic() < deadline_s:
        rows = {drop: records.find_drop(drop) for drop in unfinished}
        unfinished = {drop: row for drop, row in rows.items() if row is None or row["state"] != "done"}
        time.sleep(0.2)
    return unfinished


def _object_versions(running: Cloud) -> Iterator[tuple[str, str]]:
    pages: Any = running.client("s3").get_paginator("list_object_versions")
    for page in pages.paginate(Bucket=running.outputs["PhotosBucket"], Prefix="live/"):
        yield from ((one["Key"], one["VersionId"]) for one in page.get("Versions", ()))


if __name__ == "__main__":
    drop_until_killed(*map(Path, sys.argv[1:]))
