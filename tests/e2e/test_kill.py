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

import pytest
from typer.testing import CliRunner

from infra.cli.__main__ import app
from infra.cli.deployment import local
from infra.local.cloud import Cloud
from infra.local.faults import Faults
from tests.e2e.conftest import PHOTOS, until
from vigil.drops import drop_id

_PROJECT = Path(__file__).parents[2]
_PHOTOS = ("biden.jpg", "obama2.jpg")
_TIMES = {"WorkTimeout": "4", "WorkVisibility": "6", "MinuteSeconds": "0.2", "RetentionDays": "1"}
"""Short ones: reconcile misses what has no record after three seconds."""


def cloud_on(package: Path, data: Path) -> Cloud:
    """What `vigil up` runs, in less time."""
    return Cloud(
        package, data, state=data / "state.sqlite", parameters=_TIMES, processes=6, minute_s=1.0, idle_s=20
    )


def drop_until_killed(package: Path, data: Path) -> None:
    """Say of each object that it was acknowledged; every fourth is one that no event announces."""
    with cloud_on(package, data) as running:
        s3, bucket = running.client("s3"), running.outputs["PhotosBucket"]
        photos = [(PHOTOS / name).read_bytes() for name in _PHOTOS]

        def put(number: int) -> None:
            time.sleep(0.1)
            key = f"live/faces/door/{number}.jpg"
            version = s3.put_object(Bucket=bucket, Key=key, Body=photos[number % 2])["VersionId"]
            sys.stdout.write(json.dumps([key, version]) + "\n")
            sys.stdout.flush()

        running.faults.begin(Faults(seed=4, lost=0.25))
        with ThreadPoolExecutor(3) as threads:
            list(threads.map(put, range(100_000)))


@contextmanager
def _dropping(package: Path, data: Path) -> Iterator[subprocess.Popen[bytes]]:
    victim = subprocess.Popen(
        [sys.executable, "-m", "tests.e2e.test_kill", str(package), str(data)],
        cwd=_PROJECT,
        env=os.environ | {"PYTHONPATH": f"{_PROJECT}:{_PROJECT / 'layers'}:{_PROJECT / 'clients/python'}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with victim:
        yield victim


def _killed(victim: subprocess.Popen[bytes]) -> None:
    """The cloud, its database and its workers, with nobody left to tidy up."""
    listed = subprocess.run(["pgrep", "-P", str(victim.pid)], capture_output=True, text=True, check=True)
    for pid in (victim.pid, *map(int, listed.stdout.split())):
        with suppress(ProcessLookupError):  # a worker that ended by itself just now, or with its cloud
            os.kill(pid, signal.SIGKILL)


@pytest.mark.timeout(180)
def test_after_a_kill_of_everything_all_that_was_acknowledged_is_there_and_reaches_its_end(
    packaged: Path, tmp_path: Path
):
    acknowledged: set[tuple[str, str]] = set()
    with _dropping(packaged, tmp_path) as victim:
        assert victim.stdout is not None
        while len(acknowledged) < 30:
            acknowledged.add(tuple(json.loads(victim.stdout.readline())))
        _killed(victim)
        acknowledged |= {tuple(json.loads(line)) for line in victim.stdout if line.endswith(b"]\n")}

    with cloud_on(packaged, tmp_path) as running:
        found = set(_versions(running))
        records = local(running.environment, running.outputs).records
        drops = [drop_id(running.outputs["PhotosBucket"], *one, "faces") for one in found]
        begun = sum(records.drop(drop) is not None for drop in drops)
        until(lambda: all((records.drop(drop) or {}).get("state") == "done" for drop in drops), within_s=120)
        refused = CliRunner().invoke(app, ["up", "--data", str(tmp_path)])

    assert acknowledged <= found
    assert begun < len(drops)
    assert (refused.exit_code, "already runs" in refused.stderr) == (2, True)


def _versions(running: Cloud) -> Iterator[tuple[str, str]]:
    pages: Any = running.client("s3").get_paginator("list_object_versions")
    for page in pages.paginate(Bucket=running.outputs["PhotosBucket"], Prefix="live/"):
        yield from ((one["Key"], one["VersionId"]) for one in page.get("Versions", ()))


if __name__ == "__main__":
    drop_until_killed(*map(Path, sys.argv[1:]))
