"""`python -m infra.learn`: from labelled drops to a promoted release; a poisoned one; one that breaks."""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
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
from vigil.learn.interval import Interval
from vigil.learn.measures import interval
from vigil.predict.classifier import open_classifier
from vigil.predict.release import open_release

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
MINUTE_S = 3
"""What a minute takes here for those who teach and release: else this would take hours."""

PACES = {"vigil-learn-releases": MINUTE_S, "vigil-learn-retrain": MINUTE_S}
PARAMETERS = {
    "Stage": "learn",
    "TrainerImage": "on-this-machine",
    "WorkTimeout": "20",
    "WorkVisibility": "120",
    "LiveConcurrency": "3",
    "LessonMinuteSeconds": str(MINUTE_S),
}
PROCESSES = 8
"""Workers of all functions: the scheduled ones stay warm beside the lane's."""

KNOWN = 120
"""The first pictures of the file hold five of each digit: what the first release is made of."""


class Diary:
    """What happened when, told as it happens."""

    def __init__(self) -> None:
        self.marks: list[tuple[datetime, str]] = []

    def say(self, what: str) -> None:
        self.marks.append((datetime.now(UTC), what))
        seconds = (self.marks[-1][0] - self.marks[0][0]).total_seconds()
        sys.stderr.write(f"learn: {seconds:4.0f} s  {what}\n")


def main() -> int:
    said = _parser().parse_args()
    try:
        pictures = digits(BUILD / "cache" / "digits")[: said.pictures]
        seen = _lived(pictures)
    except (NoDigits, NotSo) as failure:
        sys.stderr.write(f"learn: {failure}\n")
        return 1
    page = write(BUILD / "learn", seen)
    metric = seen.lesson.standing.metric
    sys.stdout.write(
        f"learn: ok, {seen.drops} drops, none without its answer; first release {seen.first.value:.3f}, "
        f"promoted {metric.value:.3f} ({metric.low:.3f} to {metric.high:.3f}) on {metric.items} held out, "
        f"{seen.answered:.3f} said rightly when dropped, where the unsure stay unknown; "
        f"poisoned {seen.poisoned.standing.metric.value:.3f} rejected; "
        f"bad canary rolled back; {seen.seconds:.0f} s; {page.relative_to(ROOT)}\n"
    )
    return 0


def _lived(pictures: Sequence[Digit]) -> Seen:
    with tempfile.TemporaryDirectory(prefix="vigil-learn-") as place:
        folder = _packaged(Path(place) / "package", pictures)
        with Cloud(
            package=folder,
            data=Path(place) / "cloud",
            parameters=PARAMETERS,
            processes=PROCESSES,
            paces=PACES,
        ) as cloud:
            town = Town(cloud, local(cloud.environment, cloud.outputs))
            return _told(town, folder, pictures)


def _told(town: Town, package: Path, pictures: Sequence[Digit]) -> Seen:
    """The story, in its order; every drop of it is asked for its end at the close."""
    diary, plain = Diary(), [one.picture for one in pictures]
    lesson, meant = story.teach(town, pictures, diary.say)
    course = _ends(story.run(town, lesson.release, plain, diary.say), "active")
    if lesson.standing.metric.value < story.WANTED:
        raise NotSo(f"the promoted release has {lesson.standing.metric.value:.3f} on held-out pictures")
    right, heard = story.answered(town, lesson.held_out, lesson.release)
    poisoned = story.poison(town, lesson, meant, diary.say)
    rejected = _ends(story.run(town, poisoned.release, plain, diary.say), "rejected")
    fragile, rolled_back = story.break_in_canary(town, lesson, pictures, diary.say)
    _ends(rolled_back, "rolled-back")
    _none_lost(town)
    return Seen(
        lesson=lesson,
        splits=story.counts(town, lesson.data),
        first=_first(town, package, lesson.data),
        course=course,
        answered=right,
        heard=tuple(heard),
        poisoned=poisoned,
        rejected=rejected,
        fragile=town.standing(fragile),
        rolled_back=rolled_back,
        drops=len(town.drops),
        marks=tuple(diary.marks),
        ended=datetime.now(UTC),
        minute_s=MINUTE_S,
    )


def _packaged(folder: Path, pictures: Sequence[Digit]) -> Path:
    """What ships, and beside its models the first release of the digits."""
    shipped = package("local")
    (folder / "layers").mkdir(parents=True)
    shutil.copy(shipped / "sam.json", folder)
    (folder / "deployment.zip").symlink_to(shipped / "deployment.zip")
    for layer in (shipped / "layers").iterdir():
        if layer.name != "models":
            (folder / "layers" / layer.name).symlink_to(layer)
    shutil.copytree(shipped / "layers" / "models", folder / "layers" / "models")
    write_first(folder / "layers" / "models" / "models", pictures[:KNOWN])
    return folder


def _first(town: Town, package: Path, data: str) -> Interval:
    """The bundled release, on the pictures that the new one was measured on."""
    release = open_release(package / "layers" / "models" / "models", MODEL)
    model = open_classifier(release, lambda name: open_release(package, name))
    return interval(examine(model, reviewed(MODEL, data, town.library)), METRIC)


def _ends(course: story.Course, wanted: str) -> story.Course:
    if course.end != wanted:
        raise NotSo(f"the release ended as {course.end}, not {wanted}: {course.stages}")
    return course


def _none_lost(town: Town) -> None:
    rows = town.ended(town.drops)
    without = [row["drop_id"] for row in rows if row["state"] != "done"]
    if without:
        raise NotSo(f"{len(without)} of {len(rows)} drops have no answer: {without[:3]}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.learn", description="The life of a model.")
    parser.add_argument("--pictures", type=int, default=1797, help="how many of the 1,797 digits to use")
    return parser


if __name__ == "__main__":
    sys.exit(main())
