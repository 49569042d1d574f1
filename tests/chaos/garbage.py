"""Garbage from one source: how long the photos of another door take meanwhile.

`python -m tests.chaos.garbage` prints one line, and exits with code 1 if a photo of the other door took
longer than the target.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from infra.local.cloud import Cloud
from infra.package import package
from models.build.files import PHOTOS as GROUPS
from models.build.sample_photos import fetch_photos
from tests.chaos.scenario import PARAMETERS, PROCESSES
from tests.chaos.workload import thin_picture
from tests.deployment import Deployment, local_deployment, wait_until_completed
from vigil.drops.messages import compute_drop_id
from vigil_cli.paths import PACKAGE, PHOTOS

TARGET_S = 2.0
PHOTO_INTERVAL_S = 0.5
DOOR_PHOTOS, THIN_PICTURES = 8, 6


@dataclass
class TwoDoors:
    """A door that sends photos at intervals, and a broken source that sends all of its files at once."""

    deployment: Deployment
    patience_s: float
    numbers: Iterator[int]

    def longest_s(self, garbage: Sequence[bytes]) -> float:
        """The longest time from stored to completed of the door's photos, in seconds.

        The garbage is stored after the first photo, whose time counts too.
        """
        photo, stored_at = (PHOTOS / "obama2.jpg").read_bytes(), {}
        broken: list[str] = []
        for number in range(DOOR_PHOTOS):
            stored_at[self._store("door", photo)] = datetime.now(UTC)
            if number == 0:
                broken = [self._store("broken", data) for data in garbage]
            time.sleep(PHOTO_INTERVAL_S)
        rows = wait_until_completed(self.deployment.records, [*stored_at, *broken], self.patience_s)
        completed_at = {row["drop_id"]: row.get("completed_at", "9999-01-01T00:00:00+00:00") for row in rows}
        return max(
            (datetime.fromisoformat(completed_at[drop]) - at).total_seconds()
            for drop, at in stored_at.items()
        )

    def _store(self, source: str, data: bytes) -> str:
        bucket, key = self.deployment.outputs["PhotosBucket"], f"live/faces/{source}/{next(self.numbers)}.jpg"
        stored = self.deployment.client("s3").put_object(Bucket=bucket, Key=key, Body=data)
        return compute_drop_id(bucket, key, stored["VersionId"], "faces")


def main(arguments: list[str]) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.garbage", description=__doc__)
    parser.add_argument("--large", type=int, default=40, help="large photos that the broken source sends")
    parser.add_argument("--patience", type=float, default=300.0, help="seconds until the last outcome")
    options = parser.parse_args(arguments)
    package("local")
    fetch_photos()
    with (
        tempfile.TemporaryDirectory(prefix="vigil-garbage-") as data,
        Cloud(PACKAGE, Path(data), parameters=PARAMETERS, max_workers=PROCESSES) as cloud,
    ):
        deployment = local_deployment(cloud.environment, cloud.outputs)
        doors = TwoDoors(deployment, options.patience, count())
        doors.longest_s([])  # until the workers have started
        calm_s = doors.longest_s([])
        thin_s = doors.longest_s([thin_picture()] * THIN_PICTURES)
        large_s = doors.longest_s([(GROUPS / "sample1.jpg").read_bytes()] * options.large)
    is_ok = max(thin_s, large_s) < TARGET_S
    print(  # noqa: T201 - the result of the command
        f"garbage: {'ok' if is_ok else 'failed'} the other door's photos took at most {calm_s:.2f} s alone, "
        f"{thin_s:.2f} s beside {THIN_PICTURES} thin pictures, "
        f"{large_s:.2f} s beside {options.large} large photos"
    )
    return 0 if is_ok else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
