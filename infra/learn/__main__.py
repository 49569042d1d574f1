"""`python -m infra.learn`: from labelled drops to a promoted release; a poisoned one; one that breaks."""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from infra.cli.deployment import local
from infra.learn import story
from infra.learn.digits import Digit, NoDigits, digits
from infra.learn.first import MODEL, write_first
from infra.learn.report import Seen, write
from infra.learn.town import NotSo, Town
from infra.local.cloud import Cloud
from infra.package import package
from vigil.flow.teach import reviewed
from vigil.learn.exam import METRIC, examine
from vigil.learn.measures import interval
from vigil.predict.classifier import open_classifier
from vigil.predict.release import open_release

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
PARAMETERS = {
    "Stage": "learn",
    "TrainerImage": "on-this-machine",
    "WorkTimeout": "20",
    "WorkVisibility": "120",
}
KNOWN = 120
"""The first pictures of the file hold five of each digit: what the first release is made of."""


def main() -> int:
    said = _parser().parse_args()
    began = time.monotonic()
    try:
        pictures = digits(BUILD / "cache" / "digits")[: said.pictures]
        seen, page = _lived(pictures, began)
    except (NoDigits, NotSo) as failure:
        sys.stderr.write(f"learn: {failure}\n")
        return 1
    metric = seen.lesson.standing.metric
    sys.stdout.write(
        f"learn: ok, {seen.drops} drops, none without its answer; first release {seen.first:.3f}, promoted "
        f"{metric.value:.3f} ({metric.low:.3f} to {metric.high:.3f}) on {metric.items} held-out pictures, "
        f"{seen.answered:.3f} said rightly when dropped, where the unsure stay unknown; "
        f"poisoned {seen.poisoned.standing.metric.value:.3f} rejected; "
        f"bad canary rolled back; {seen.seconds:.0f} s; {page.relative_to(ROOT)}\n"
    )
    return 0


def _lived(pictures: Sequence[Digit], began: float) -> tuple[Seen, Path]:
    with tempfile.TemporaryDirectory(prefix="vigil-learn-") as place:
        folder = _packaged(Path(place) / "package", pictures)
        with Cloud(package=folder, data=Path(place) / "cloud", parameters=PARAMETERS, processes=3) as cloud:
            town = Town(cloud, local(cloud.environment, cloud.outputs))
            return _told(town, folder, pictures, began)


def _told(town: Town, package: Path, pictures: Sequence[Digit], began: float) -> tuple[Seen, Path]:
    """The story, in its order; every drop of it is asked for its end at the close."""
    lesson, meant = story.teach(town, pictures, _say)
    plain = [one.picture for one in pictures]
    course = _ends(story.run(town, lesson.release, plain, _say), "active")
    if lesson.standing.metric.value < story.WANTED:
        raise NotSo(f"the promoted release has {lesson.standing.metric.value:.3f} on held-out pictures")
    right, heard = story.answered(town, lesson.held_out, lesson.release)
    poisoned = story.poison(town, lesson, meant, _say)
    rejected = _ends(story.run(town, poisoned.release, plain, _say), "rejected")
    fragile, rolled_back = story.break_in_canary(town, lesson, pictures, _say)
    _ends(rolled_back, "rolled-back")
    _none_lost(town)
    seen = Seen(
        lesson=lesson,
        splits=story.counts(town, lesson.data),
        first=_first(town, package, lesson.data),
        course=course,
        answered=right,
        poisoned=poisoned,
        rejected=rejected,
        fragile=fragile,
        rolled_back=rolled_back,
        drops=len(town.drops),
        seconds=time.monotonic() - began,
    )
    return seen, write(BUILD / "learn", seen, heard)


def _packaged(folder: Path, pictures: Sequence[Digit]) -> Path:
    """What ships, and beside its models the first release of the digits."""
    shipped = package("local", on_progress=_say)
    (folder / "layers").mkdir(parents=True)
    shutil.copy(shipped / "sam.json", folder)
    (folder / "deployment.zip").symlink_to(shipped / "deployment.zip")
    for layer in (shipped / "layers").iterdir():
        if layer.name != "models":
            (folder / "layers" / layer.name).symlink_to(layer)
    shutil.copytree(shipped / "layers" / "models", folder / "layers" / "models")
    write_first(folder / "layers" / "models" / "models", pictures[:KNOWN])
    return folder


def _first(town: Town, package: Path, data: str) -> float:
    """The bundled release, on the pictures that the new one was measured on."""
    release = open_release(package / "layers" / "models" / "models", MODEL)
    model = open_classifier(release, lambda name: open_release(package, name))
    return interval(examine(model, reviewed(MODEL, data, town.library)), METRIC).value


def _ends(course: story.Course, wanted: str) -> story.Course:
    if course.end != wanted:
        raise NotSo(f"the release ended as {course.end}, not {wanted}: {course.stages}")
    return course


def _none_lost(town: Town) -> None:
    rows = town.ended(town.drops)
    without = [row["drop_id"] for row in rows if row["state"] != "done"]
    if without:
        raise NotSo(f"{len(without)} of {len(rows)} drops have no answer: {without[:3]}")


def _say(what: str) -> None:
    sys.stderr.write(f"learn: {what}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.learn", description="The life of a model.")
    parser.add_argument("--pictures", type=int, default=1797, help="how many of the 1,797 digits to use")
    return parser


if __name__ == "__main__":
    sys.exit(main())
