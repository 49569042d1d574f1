"""The scenario: one release is promoted, a poisoned one is rejected, a failing one is rolled back.

The scenario only does what people and cameras do: upload, label, order a first training, register a release.
The schedules and events of the system do everything else.
"""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory

from cloud.s3.datasets import S3DatasetRepository
from cloud.s3.objects import S3ReleaseStore
from tests.lifecycle.dataset import Digit, invert
from tests.lifecycle.harness import Harness, ScenarioFailed
from tests.lifecycle.models import MODEL, broken_on_white, golden_toml
from vigil.releases.rollout import ReleaseRecord
from vigil.training.dataset_store import read_test_set
from vigil.training.examples import SPLITS, DatasetEntry, Split

RECIPE = Path(__file__).with_name("recipe.toml")
DROPS_PER_ROUND = 40
"""Drops between two reads of a release's stage."""

MAX_DROPS = 3000
MIN_ACCURACY = 0.95
POINTER_REFRESH_S = 5.0
"""Seconds within which lanes have read new pointers (they poll every three seconds)."""

RecordEvent = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class TrainedRelease:
    """A dataset, the pictures of its test split, and the release that was trained on it."""

    dataset_id: str
    release: str
    record: ReleaseRecord
    held_out: tuple[Digit, ...]


@dataclass(frozen=True, slots=True)
class ReleaseHistory:
    """Stages of a release as (stage, reason, start time), and the number of drops meanwhile."""

    stages: tuple[tuple[str, str, datetime], ...]
    drops: int

    @property
    def final_stage(self) -> str:
        return self.stages[-1][0]


def train_first_release(
    harness: Harness, digits: Sequence[Digit], record_event: RecordEvent
) -> tuple[TrainedRelease, dict[str, str]]:
    """Upload, label and train; return the release and the label of each drop."""
    record_event(f"{len(digits)} pictures are uploaded from four sources")
    drops: list[str] = []
    for source_number in range(4):
        drops += harness.upload([one.image for one in digits[source_number::4]], f"door-{source_number}")
    label_by_drop = dict(zip(drops, [one.label for door in range(4) for one in digits[door::4]], strict=True))
    harness.wait_for_rows(drops)
    record_event("a reviewer labels them")
    harness.allow_training()
    harness.label_drops(label_by_drop, "reviewer-1")
    record_event("a first training is ordered")
    job = harness.order_training(RECIPE.read_text("utf-8"))
    record_event(f"{job} is running")
    return _wait_for_release(harness), label_by_drop


def train_on_poisoned_labels(
    harness: Harness, promoted: TrainedRelease, label_by_drop: Mapping[str, str], record_event: RecordEvent
) -> TrainedRelease:
    """Relabel all training pictures at random; the test split keeps its labels.

    The number of corrections makes retraining due without an order.
    """
    earlier_jobs = harness.job_names()
    held_out = {e.group for e in _split_entries(harness, promoted.dataset_id, "test")}
    relabelled = [drop for drop in label_by_drop if drop not in held_out]
    shuffled = [label_by_drop[drop] for drop in relabelled]
    random.Random(7).shuffle(shuffled)
    record_event(f"a reviewer labels {len(relabelled)} pictures at random")
    harness.label_drops(dict(zip(relabelled, shuffled, strict=True)), "reviewer-2")
    record_event("retraining becomes due and runs")
    return _wait_for_release(harness, earlier_jobs)


def drop_until_stage(
    harness: Harness, release: str, images: Sequence[bytes], record_event: RecordEvent, *, until: str = ""
) -> ReleaseHistory:
    """Upload pictures until the release reaches a final stage or the stage `until`."""
    reported_stage, image_cycle, previous, drops_before = "", cycle(images), list[str](), len(harness.drops)
    while len(harness.drops) - drops_before < MAX_DROPS:
        uploaded = harness.upload(list(islice(image_cycle, DROPS_PER_ROUND)), "door-0")
        harness.wait_for_rows(previous)
        previous, stage = uploaded, harness.release_record(release).state.stage
        if stage != reported_stage:
            record_event(f"release {release} is {stage}, {len(harness.drops) - drops_before} drops later")
        reported_stage = stage
        if stage == until or stage not in ("registered", "shadow", "canary"):
            harness.wait_for_rows(previous)
            return _release_history(harness, release, len(harness.drops) - drops_before)
    raise ScenarioFailed(f"release {release} is still {reported_stage} after {MAX_DROPS} drops")


def roll_back_broken_release(
    harness: Harness, promoted: TrainedRelease, digits: Sequence[Digit], record_event: RecordEvent
) -> tuple[str, ReleaseHistory]:
    """Register a release that fails only on white images, and upload white images once it is in canary."""
    record_event("a release that fails on white images is registered")
    release = harness.register_release(_files_broken_on_white(harness, promoted.release))
    images = [one.image for one in digits]
    until_canary = drop_until_stage(harness, release, images, record_event, until="canary")
    if until_canary.final_stage != "canary":
        raise ScenarioFailed(f"the failing release ended in {until_canary.stages}")
    record_event("white images are uploaded")
    from_canary = drop_until_stage(harness, release, [invert(picture) for picture in images], record_event)
    return release, ReleaseHistory(from_canary.stages, until_canary.drops + from_canary.drops)


def measure_served_accuracy(
    harness: Harness, held_out: Sequence[Digit], release: str
) -> tuple[float, list[str]]:
    """Upload the test split; return accuracy and predicted labels."""
    time.sleep(POINTER_REFRESH_S)
    drops = harness.upload([one.image for one in held_out], "held-out")
    other_releases = {row.get("release", "") for row in harness.wait_for_rows(drops)} - {release}
    if other_releases:
        raise ScenarioFailed(f"held-out pictures were answered by {sorted(other_releases)}, not {release}")
    labels = harness.predicted_labels(drops)
    correct = [label == one.label for label, one in zip(labels, held_out, strict=True)]
    return sum(correct) / len(correct), labels


def count_by_split(harness: Harness, dataset_id: str) -> dict[str, int]:
    """Return the number of pictures per split."""
    return {split: len(_split_entries(harness, dataset_id, split)) for split in SPLITS}


def _wait_for_release(harness: Harness, earlier_jobs: Sequence[str] = ()) -> TrainedRelease:
    """Wait for the next completed training job."""
    finished = harness.wait_for_job(earlier_jobs)
    items = read_test_set(MODEL, finished.job.spec.dataset_id, S3DatasetRepository(harness.dataset_store))
    held_out = tuple(Digit(picture, entry.label) for entry, picture in items)
    return TrainedRelease(
        finished.job.spec.dataset_id, finished.release, harness.release_record(finished.release), held_out
    )


def _split_entries(harness: Harness, dataset_id: str, split: Split) -> tuple[DatasetEntry, ...]:
    return S3DatasetRepository(harness.dataset_store).read_entries(MODEL, dataset_id, split)


def _release_history(harness: Harness, release: str, drops: int) -> ReleaseHistory:
    history = harness.release_record(release).state.history
    return ReleaseHistory(
        tuple((transition.stage, "; ".join(transition.reasons), transition.at) for transition in history),
        drops,
    )


def _files_broken_on_white(harness: Harness, release: str) -> dict[str, bytes]:
    """Return the files of a release with a network that fails on white images."""
    release_files = S3ReleaseStore(harness.deployment.client("s3"), harness.dataset_store.bucket)
    with TemporaryDirectory() as temporary:
        release_files.fetch(MODEL, release, Path(temporary))
        files = {path.name: path.read_bytes() for path in Path(temporary).iterdir()}
    files["model.onnx"] = broken_on_white(files["model.onnx"])
    files["golden.toml"] = golden_toml(files["model.onnx"]).encode()
    return files
