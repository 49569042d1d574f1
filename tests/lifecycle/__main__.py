"""Run the life cycle: a promoted release from labelled drops, a poisoned release, and a failing release."""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from cloud.s3.datasets import S3DatasetRepository
from infra.local.cloud import Cloud
from infra.package import package
from tests.deployment import local_deployment
from tests.lifecycle.dataset import Digit, read_digits
from tests.lifecycle.harness import Harness, ScenarioFailed
from tests.lifecycle.models import MODEL, write_first_release
from tests.lifecycle.report import LifecycleReport, write_report
from tests.lifecycle.scenario import (
    MIN_ACCURACY,
    ReleaseHistory,
    count_by_split,
    drop_until_stage,
    measure_served_accuracy,
    roll_back_broken_release,
    train_first_release,
    train_on_poisoned_labels,
)
from vigil.inference.classifier import open_classifier
from vigil.inference.evaluation import metric_interval
from vigil.inference.release import open_release
from vigil.releases.registration import score_test_set
from vigil.statistics import Interval
from vigil.training.dataset_store import read_test_set

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
MINUTE_S = 3
"""Length of a scheduling minute of training and rollout functions, in seconds."""

SCHEDULE_INTERVALS_S = {"vigil-lifecycle-rollout": MINUTE_S, "vigil-lifecycle-training-jobs": MINUTE_S}
PARAMETERS = {
    "Stage": "lifecycle",
    "TrainerImage": "on-this-machine",
    "LaneTimeout": "20",
    "LaneVisibilityTimeout": "120",
    "LiveConcurrency": "3",
    "TrainingMinuteSeconds": str(MINUTE_S),
}
PROCESSES = 8
"""Worker processes of all functions, so that scheduled functions stay warm."""

FIRST_RELEASE_IMAGES = 120
"""Number of pictures of the first release; they contain at least five of each digit."""


class EventLog:
    """Events with their times; each is printed when it is recorded."""

    def __init__(self) -> None:
        self.events: list[tuple[datetime, str]] = []

    def record(self, text: str) -> None:
        self.events.append((datetime.now(UTC), text))
        seconds = (self.events[-1][0] - self.events[0][0]).total_seconds()
        sys.stderr.write(f"lifecycle: {seconds:4.0f} s  {text}\n")


def main() -> int:
    arguments = _parser().parse_args()
    try:
        digits = read_digits()[: arguments.pictures]
        report = _run_on_local_cloud(digits)
    except ScenarioFailed as failure:
        sys.stderr.write(f"lifecycle: {failure}\n")
        return 1
    page = write_report(BUILD / "lifecycle", report)
    metric = report.promoted.record.metric
    sys.stdout.write(
        f"lifecycle: ok, {report.drops} drops, all done; "
        f"first release {report.first_accuracy.value:.3f}, "
        f"promoted {metric.value:.3f} ({metric.low:.3f} to {metric.high:.3f}) on {metric.items} pictures, "
        f"served accuracy {report.served_accuracy:.3f}, where low scores stay unknown; "
        f"poisoned release {report.poisoned.record.metric.value:.3f} rejected; "
        f"failing canary rolled back; {report.seconds:.0f} s; {page.relative_to(ROOT)}\n"
    )
    return 0


def _run_on_local_cloud(digits: Sequence[Digit]) -> LifecycleReport:
    with tempfile.TemporaryDirectory(prefix="vigil-lifecycle-") as temporary:
        folder = _package_with_first_release(Path(temporary) / "package", digits)
        with Cloud(
            package=folder,
            data=Path(temporary) / "cloud",
            parameters=PARAMETERS,
            max_workers=PROCESSES,
            function_minute_s=SCHEDULE_INTERVALS_S,
        ) as cloud:
            harness = Harness(cloud, local_deployment(cloud.environment, cloud.outputs))
            return _run_scenario(harness, folder, digits)


def _run_scenario(harness: Harness, package: Path, digits: Sequence[Digit]) -> LifecycleReport:
    """Run all steps and check that every drop is done."""
    events, images = EventLog(), [one.image for one in digits]
    promoted, label_by_drop = train_first_release(harness, digits, events.record)
    promoted_history = _require_final_stage(
        drop_until_stage(harness, promoted.release, images, events.record), "active"
    )
    if promoted.record.metric.value < MIN_ACCURACY:
        raise ScenarioFailed(f"the promoted release has {promoted.record.metric.value:.3f} on test pictures")
    served_accuracy, served_labels = measure_served_accuracy(harness, promoted.held_out, promoted.release)
    poisoned = train_on_poisoned_labels(harness, promoted, label_by_drop, events.record)
    poisoned_history = _require_final_stage(
        drop_until_stage(harness, poisoned.release, images, events.record), "rejected"
    )
    broken, broken_history = roll_back_broken_release(harness, promoted, digits, events.record)
    _require_final_stage(broken_history, "rolled-back")
    _require_all_done(harness)
    return LifecycleReport(
        promoted=promoted,
        split_sizes=count_by_split(harness, promoted.dataset_id),
        first_accuracy=_first_release_accuracy(harness, package, promoted.dataset_id),
        promoted_history=promoted_history,
        served_accuracy=served_accuracy,
        served_labels=tuple(served_labels),
        poisoned=poisoned,
        poisoned_history=poisoned_history,
        broken=harness.release_record(broken),
        broken_history=broken_history,
        drops=len(harness.drops),
        events=tuple(events.events),
        ended_at=datetime.now(UTC),
        minute_s=MINUTE_S,
    )


def _package_with_first_release(folder: Path, digits: Sequence[Digit]) -> Path:
    """Create a package with the first release of the digits model."""
    shipped = package("local")
    (folder / "layers").mkdir(parents=True)
    shutil.copy(shipped / "sam.json", folder)
    (folder / "deployment.zip").symlink_to(shipped / "deployment.zip")
    for layer in (shipped / "layers").iterdir():
        if layer.name != "models":
            (folder / "layers" / layer.name).symlink_to(layer)
    shutil.copytree(shipped / "layers" / "models", folder / "layers" / "models")
    write_first_release(folder / "layers" / "models" / "models", digits[:FIRST_RELEASE_IMAGES])
    return folder


def _first_release_accuracy(harness: Harness, package: Path, dataset_id: str) -> Interval:
    """Accuracy of the bundled release on the test split of the new release."""
    release = open_release(package / "layers" / "models" / "models", MODEL)
    model = open_classifier(release, lambda name: open_release(package, name))
    return metric_interval(
        score_test_set(model, read_test_set(MODEL, dataset_id, S3DatasetRepository(harness.dataset_store)))
    )


def _require_final_stage(history: ReleaseHistory, expected: str) -> ReleaseHistory:
    if history.final_stage != expected:
        raise ScenarioFailed(f"the release ended as {history.final_stage}, not {expected}: {history.stages}")
    return history


def _require_all_done(harness: Harness) -> None:
    rows = harness.wait_for_rows(harness.drops)
    unfinished = [row["drop_id"] for row in rows if row["state"] != "done"]
    if unfinished:
        raise ScenarioFailed(f"{len(unfinished)} of {len(rows)} drops are not done: {unfinished[:3]}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.lifecycle", description=__doc__)
    parser.add_argument("--pictures", type=int, default=1797, help="how many of the 1,797 digits to use")
    return parser


if __name__ == "__main__":
    sys.exit(main())
