"""Photos per second through the local cloud: S3, SQS, workers, DynamoDB."""

import json
import shutil
import tempfile
import time
from pathlib import Path

from infra.local.cloud import Cloud
from tests.deployment import local_deployment, upload_file, wait_until_completed
from vigil_cli.paths import PACKAGE, PHOTOS

DROP_COUNT = 60
TIMEOUT_S = 180.0


def local_photos_per_second(workers: int) -> float:
    """Photos per second with `workers` warm live workers, from the first upload to the last outcome."""
    with tempfile.TemporaryDirectory() as folder:
        package = _package_with_concurrency(Path(folder) / "package", workers)
        with Cloud(package=package, data=Path(folder) / "data", max_workers=workers + 2) as local_cloud:
            deployment = local_deployment(local_cloud.environment, local_cloud.outputs)
            photos = sorted(PHOTOS.glob("*.jpg"))
            warm_up_drops = [
                upload_file(deployment, photo, f"live/faces/warm/{n}.jpg", "faces")
                for n, photo in enumerate(photos)
            ]
            wait_until_completed(deployment.records, warm_up_drops, TIMEOUT_S)
            started_s = time.monotonic()
            drops = [
                upload_file(deployment, photos[n % len(photos)], f"live/faces/bench/{n}.jpg", "faces")
                for n in range(DROP_COUNT)
            ]
            rows = wait_until_completed(deployment.records, drops, TIMEOUT_S)
            seconds = time.monotonic() - started_s
    unfinished = [row for row in rows if row["state"] != "done"]
    if unfinished:
        raise RuntimeError(f"{len(unfinished)} of {DROP_COUNT} photos have no outcome after {TIMEOUT_S:g} s")
    return DROP_COUNT / seconds


def _package_with_concurrency(package: Path, workers: int) -> Path:
    """The package with the live lane limited to `workers`; AWS requires at least two."""
    package.mkdir()
    template = json.loads((PACKAGE / "sam.json").read_text())
    source = template["Resources"]["Live"]["Properties"]["Events"]["LiveSqsEventSource"]["Properties"]
    source["ScalingConfig"] = {"MaximumConcurrency": workers}
    (package / "sam.json").write_text(json.dumps(template))
    shutil.copy(PACKAGE / "deployment.zip", package)
    (package / "layers").symlink_to(PACKAGE / "layers")
    return package
