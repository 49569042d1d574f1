"""`python -m tests.lifecycle`: from labelled drops to a promoted release; a poisoned one; one that breaks."""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from infra.local.cloud import Cloud
from infra.package import package
from tests.lifecycle.dataset import DatasetUnavailable, Digit, load_digits
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
from vigil_cli.deployment import local_deployment

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
MINUTE_S = 3
"""What a minute takes here for those who teach and release: else this would take hours."""

SCHEDULE_INTERVALS_S = {"vigil-learn-rollout": MINUTE_S, "vigil-learn-training-jobs": MINUTE_S}
PARAMETERS = {
    "Stage": "learn",
    "TrainerImage": "on-this-machine",
    "LaneTimeout": "20",
    "LaneVisibilityTimeout": "120",
    "LiveConcurrency": "3",
    "TrainingMinuteSeconds": str(MINUTE_S),
}
PROCESSES = 8
"""Workers of all functions: the scheduled ones stay warm beside the lane's."""

FIRST_RELEASE_IMAGES = 120
"""The first pictures of the file hold five of each digit: what the first release is made of."""


class EventLog:
    """What happened when, told as it happens."""

    def __init__(self) -> None:
        self.events: list[tuple[datetime, str]] = []

    def record(self, text: str) -> None:
        self.events.append((datetime.now(UTC), text))
        seconds = (self.events[-1][0] - self.events[0][0]).total_seconds()
        sys.stderr.write(f"learn: {seconds:4.0f} s  {text}\n")


def main() -> int:
    arguments = _parser().parse_args()
    try:
        digits = load_digits(BUILD / "cache" / "digits")[: arguments.pictures]
        report = _run_on_local_cloud(digits)
    except (DatasetUnavailable, ScenarioFailed) as failure:
        sys.stderr.write(f"learn: {failure}\n")
        return 1
    page = write_report(BUILD / "learn", report)
    metric = report.promoted.record.metric
    sys.stdout.write(
        f"learn: ok, {report.drops} drops, none without its answer; "
        f"first release {report.first_accuracy.value:.3f}, "
        f"promoted {metric.value:.3f} ({metric.low:.3f} to {metric.high:.3f}) on {metric.items} held out, "
        f"{report.served_accuracy:.3f} said rightly when dropped, where the unsure stay unknown; "
        f"poisoned {report.poisoned.record.metric.value:.3f} rejected; "
        f"bad canary rolled back; {report.seconds:.0f} s; {page.relative_to(ROOT)}\n"
    )
    return 0


def _run_on_local_cloud(digits: Sequence[Digit]) -> LifecycleReport:
    with tempfile.TemporaryDirectory(prefix="vigil-learn-") as temporary:
        folder = _package_with_first_release(Path(temporary) / "package", digits)
        with Cloud(
            package=folder,
            data=Path(temporary) / "cloud",
            parameters=PARAMETERS,
            max_workers=PROCESSES,
            function_minute_s=SCHEDULE_INTERVALS_S,
        ) as cloud:
            town = Harness(cloud, local_deployment(cloud.environment, cloud.outputs))
            return _run_scenario(town, folder, digits)


def _run_scenario(harness: Harness, package: Path, digits: Sequence[Digit]) -> LifecycleReport:
    """The story, in its order; every drop of it is asked for its end at the close."""
    events, images = EventLog(), [one.image for one in digits]
    promoted, label_by_drop = train_first_release(harness, digits, events.record)
    promoted_history = _require_final_stage(
        drop_until_stage(harness, promoted.release, images, events.record), "active"
    )
    if promoted.record.metric.value < MIN_ACCURACY:
        raise ScenarioFailed(
            f"the promoted release has {promoted.record.metric.value:.3f} on held-out pictures"
        )
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
    """What ships, and beside its models the first release of the digits."""
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
    """The bundled release, on the pictures that the new one was measured on."""
    release = open_release(package / "layers" / "models" / "models", MODEL)
    model = open_classifier(release, lambda name: open_release(package, name))
    return metric_interval(score_test_set(model, read_test_set(MODEL, dataset_id, harness.dataset_store)))


def _require_final_stage(history: ReleaseHistory, expected: str) -> ReleaseHistory:
    if history.final_stage != expected:
        raise ScenarioFailed(f"the release ended as {history.final_stage}, not {expected}: {history.stages}")
    return history


def _require_all_done(harness: Harness) -> None:
    rows = harness.wait_for_rows(harness.drops)
    unfinished = [row["drop_id"] for row in rows if row["state"] != "done"]
    if unfinished:
        raise ScenarioFailed(f"{len(unfinished)} of {len(rows)} drops have no answer: {unfinished[:3]}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.lifecycle", description="The life of a model.")
    parser.add_argument("--pictures", type=int, default=1797, help="how many of the 1,797 digits to use")
    return parser


if __name__ == "__main__":
    sys.exit(main())
