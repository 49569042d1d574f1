"""The packaged system on the local cloud, up once for all end-to-end tests."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from infra.local.cloud import Cloud
from infra.package import package
from models.training.environment import TrainingEnvironmentError, training_python
from tests.deployment import Deployment, enrol_photos, local_deployment, wait_until_completed
from tests.fakes.network_releases import network_releases, write_network
from tests.fakes.onnx_classifier import write_classifier
from vigil.drops.messages import compute_drop_id
from vigil_cli.event_recorder import EventRecorder

PHOTOS = Path(__file__).parents[1] / "photos"
TIMEOUT_S, VISIBILITY_S = 6, 7
WAIT_S = 240.0


@dataclass
class RunningSystem:
    """The running system, its deployment, and a subscriber that hears all."""

    running: Cloud
    cloud: Deployment
    recorder: EventRecorder
    data: Path
    serial: Iterator[int] = field(default_factory=lambda: iter(range(10_000)))

    def drop_bytes(
        self, data: bytes, *, name: str = "photo.jpg", source: str = "door", model: str = "faces"
    ) -> str:
        """Drop bytes under a key of their own; the id of the drop."""
        key = f"live/{model}/{source}/{next(self.serial)}-{name}"
        bucket = self.cloud.outputs["PhotosBucket"]
        response = self.cloud.client("s3").put_object(Bucket=bucket, Key=key, Body=data)
        return compute_drop_id(bucket, key, response["VersionId"], model)

    def photo_keys(self) -> list[str]:
        """Keys of the photos bucket."""
        pages = self.cloud.client("s3").get_paginator("list_objects_v2")
        listed = pages.paginate(Bucket=self.cloud.outputs["PhotosBucket"])
        return [one["Key"] for page in listed for one in page.get("Contents", ())]

    def send_message(self, body: Any) -> str:
        """A message on the live queue; its id."""
        text = body if isinstance(body, str) else json.dumps(body)
        response = self.cloud.client("sqs").send_message(
            QueueUrl=self.cloud.outputs["LiveQueueUrl"], MessageBody=text
        )
        return str(response["MessageId"])

    def wait_until_completed(self, *drops: str, within_s: float = WAIT_S) -> list[dict[str, Any]]:
        """The records of drops once they have ended, or as they are when the time is up."""
        return wait_until_completed(self.cloud.records, drops, within_s)

    def events_about(self, drop: str) -> list[dict[str, Any]]:
        """Every event about a drop, once nothing more is on its way."""
        self.running.wait_until_idle(timeout_s=WAIT_S)
        self.recorder.receive_all()
        return [event for event in self.recorder.events.values() if event["subject"] == drop]


@pytest.fixture(scope="session")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ships, and beside its models one that only has a card and a graph."""
    shipped = package("local")
    folder = tmp_path_factory.mktemp("package")
    shutil.copy(shipped / "sam.json", folder)
    (folder / "deployment.zip").symlink_to(shipped / "deployment.zip")
    (folder / "layers").mkdir()
    for layer in (shipped / "layers").iterdir():
        if layer.name not in ("models", "cards"):
            (folder / "layers" / layer.name).symlink_to(layer)
    for kind in ("models", "cards"):
        shutil.copytree(shipped / "layers" / kind, folder / "layers" / kind)
        for name in ("tiny-colours", "tiny-lessons"):
            write_classifier(folder / "layers" / kind / kind, name)
        for model, files in network_releases().items():
            write_network(folder / "layers" / kind / kind, files, model)
    return folder


@pytest.fixture(scope="session")
def site(packaged: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSystem]:
    parameters = {
        "LaneTimeout": str(TIMEOUT_S),
        "LaneVisibilityTimeout": str(VISIBILITY_S),
        "ClipTimeout": "12",  # after which the clip of a worker that was killed is delivered again
        "TrainerImage": "here",
    }
    data = tmp_path_factory.mktemp("cloud")
    with Cloud(
        package=packaged, data=data, parameters={"Stage": "test"} | parameters, max_workers=12
    ) as running:
        cloud = local_deployment(running.environment, running.outputs)
        system = RunningSystem(running, cloud, EventRecorder.subscribe(cloud, "tests"), data)
        for person, tags in (("obama", ["watch"]), ("biden", [])):
            result = enrol_photos(cloud, person.title(), [PHOTOS / f"{person}.jpg"], tags)
            assert result["accepted"], result
        yield system


@pytest.fixture(scope="session")
def trainer() -> Path:
    """The interpreter that training jobs run in."""
    try:
        return training_python()
    except TrainingEnvironmentError as error:
        pytest.skip(str(error))


def wait_until(condition: Callable[[], Any], *, within_s: float = WAIT_S) -> Any:
    """Ask again until it holds; fails when the time is up."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if result := condition():
            return result
        time.sleep(0.02)
    raise AssertionError(f"did not come to hold within {within_s:g} s")
