"""Photos a second through the whole local cloud: S3, SQS, workers, DynamoDB."""

import json
import shutil
import tempfile
import time
from pathlib import Path

from infra.cli.deployment import local
from infra.cli.drop import put, settled
from infra.cli.places import PACKAGE, PHOTOS
from infra.local.cloud import Cloud

DROPS = 60
WAIT_S = 180.0


def local_photos_per_second(workers: int) -> float:
    """With so many live workers, warm, from the first upload to the last outcome."""
    with tempfile.TemporaryDirectory() as folder:
        package = _limited(Path(folder) / "package", workers)
        with Cloud(package=package, data=Path(folder) / "data", processes=workers + 2) as running:
            cloud = local(running.environment, running.outputs)
            photos = sorted(PHOTOS.glob("*.jpg"))
            warm = [put(cloud, photo, f"live/faces/warm/{n}.jpg", "faces") for n, photo in enumerate(photos)]
            settled(cloud.records, warm, WAIT_S)
            began = time.monotonic()
            drops = [
                put(cloud, photos[n % len(photos)], f"live/faces/bench/{n}.jpg", "faces")
                for n in range(DROPS)
            ]
            rows = settled(cloud.records, drops, WAIT_S)
            seconds = time.monotonic() - began
    unfinished = [row for row in rows if row["state"] != "done"]
    if unfinished:
        raise RuntimeError(f"{len(unfinished)} of {DROPS} photos have no outcome after {WAIT_S:g} s")
    return DROPS / seconds


def _limited(package: Path, workers: int) -> Path:
    """What ships, with the live lane held to so many workers; AWS itself takes no fewer than two."""
    package.mkdir()
    template = json.loads((PACKAGE / "sam.json").read_text())
    source = template["Resources"]["Live"]["Properties"]["Events"]["LiveSqsEventSource"]["Properties"]
    source["ScalingConfig"] = {"MaximumConcurrency": workers}
    (package / "sam.json").write_text(json.dumps(template))
    shutil.copy(PACKAGE / "deployment.zip", package)
    (package / "layers").symlink_to(PACKAGE / "layers")
    return package
