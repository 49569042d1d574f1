"""From labelled drops to a promoted release, then a poisoned one, then one that breaks in canary.

What is done here is what people and cameras do: drop, label, order a first lesson, bring a release along.
Everything else is done by the system's own schedules and events, and only watched.
"""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory

from cloud.depot import Depot
from infra.learn.digits import Digit, inverted
from infra.learn.first import MODEL, fragile, golden
from infra.learn.town import NotSo, Town
from vigil.flow.prune import folder
from vigil.flow.teach import reviewed
from vigil.learn.example import SPLITS, Entry
from vigil.learn.manifest import read
from vigil.learn.stages import Standing

RECIPE = Path(__file__).with_name("recipe.toml")
ROUND = 40
"""Drops between two looks at where a release stands."""

MOST_DROPS = 3000
WANTED = 0.95
NOTICED_S = 5.0
"""Lanes look at the pointers every three seconds."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Lesson:
    """A data set, its test split's pictures, and the release that was learned from it."""

    data: str
    release: str
    standing: Standing
    held_out: tuple[Digit, ...]


@dataclass(frozen=True, slots=True)
class Course:
    """What a release went through: (stage, why, since when); and how many drops came in meanwhile."""

    stages: tuple[tuple[str, str, datetime], ...]
    drops: int

    @property
    def end(self) -> str:
        return self.stages[-1][0]


def teach(town: Town, pictures: Sequence[Digit], say: Say) -> tuple[Lesson, dict[str, str]]:
    """Drops, labels, and an order; also what each drop shows."""
    say(f"{len(pictures)} pictures are dropped at four doors")
    drops: list[str] = []
    for door in range(4):
        drops += town.put([one.picture for one in pictures[door::4]], f"door-{door}")
    meant = dict(zip(drops, [one.label for door in range(4) for one in pictures[door::4]], strict=True))
    town.ended(drops)
    say("a reviewer labels what they show")
    town.open_to_learning()
    town.label(meant, "reviewer-1")
    say("a first lesson is ordered")
    job = town.order(RECIPE.read_text("utf-8"))
    say(f"{job} trains")
    return _learned(town), meant


def poison(town: Town, lesson: Lesson, meant: Mapping[str, str], say: Say) -> Lesson:
    """Somebody labels everything that is learned from at random; what is measured on stays as reviewed.

    So many corrections make a lesson due: nobody orders it.
    """
    before = town.jobs()
    held_out = {e.group for e in _entries(town, lesson.data, "test")}
    open_to_harm = [drop for drop in meant if drop not in held_out]
    shuffled = [meant[drop] for drop in open_to_harm]
    random.Random(7).shuffle(shuffled)  # noqa: S311 - a shuffle that can be repeated, not a secret
    say(f"a reviewer labels {len(open_to_harm)} pictures at random")
    town.label(dict(zip(open_to_harm, shuffled, strict=True)), "reviewer-2")
    say("a lesson becomes due by itself, and trains")
    return _learned(town, before)


def run(town: Town, release: str, pictures: Sequence[bytes], say: Say, *, until: str = "") -> Course:
    """Cameras go on dropping pictures until a release has come to its end, or to the stage named."""
    told, feed, before, first = "", cycle(pictures), list[str](), len(town.drops)
    while len(town.drops) - first < MOST_DROPS:
        coming = town.put(list(islice(feed, ROUND)), "door-0")
        town.ended(before)
        before, stage = coming, town.standing(release).life.stage
        if stage != told:
            say(f"release {release} is {stage}, {len(town.drops) - first} drops later")
        told = stage
        if stage == until or stage not in ("registered", "shadow", "canary"):
            town.ended(before)
            return _course(town, release, len(town.drops) - first)
    raise NotSo(f"release {release} is still {told} after {MOST_DROPS} drops")


def break_in_canary(town: Town, lesson: Lesson, pictures: Sequence[Digit], say: Say) -> tuple[str, Course]:
    """A release as good as the active one, but for pictures that nobody dropped before it was in canary."""
    say("somebody brings a release that breaks on white paper")
    release = town.offer(_weakened(town, lesson.release))
    plain = [one.picture for one in pictures]
    before = run(town, release, plain, say, until="canary")
    if before.end != "canary":
        raise NotSo(f"the fragile release ended in {before.stages}")
    say("white paper comes in")
    after = run(town, release, [inverted(picture) for picture in plain], say)
    return release, Course(after.stages, before.drops + after.drops)


def answered(town: Town, held_out: Sequence[Digit], release: str) -> tuple[float, list[str]]:
    """The share of held-out pictures told rightly when dropped, all by this release; and what was said."""
    time.sleep(NOTICED_S)
    drops = town.put([one.picture for one in held_out], "held-out")
    others = {row.get("release", "") for row in town.ended(drops)} - {release}
    if others:
        raise NotSo(f"held-out pictures were answered by {sorted(others)}, not {release}")
    heard = town.said(drops)
    right = [said == one.label for said, one in zip(heard, held_out, strict=True)]
    return sum(right) / len(right), heard


def counts(town: Town, data: str) -> dict[str, int]:
    """Pictures by split."""
    return {split: len(_entries(town, data, split)) for split in SPLITS}


def _learned(town: Town, before: Sequence[str] = ()) -> Lesson:
    """The next lesson that has an end."""
    kept = town.learned(before)
    items = reviewed(MODEL, kept.job.lesson.data, town.library)
    held_out = tuple(Digit(picture, entry.label) for entry, picture in items)
    return Lesson(kept.job.lesson.data, kept.release, town.standing(kept.release), held_out)


def _entries(town: Town, data: str, split: str) -> tuple[Entry, ...]:
    text = town.library.get(f"{folder(MODEL, data)}/{split}/manifest.jsonl").decode()
    return read(text)


def _course(town: Town, release: str, drops: int) -> Course:
    history = town.standing(release).life.history
    return Course(tuple((move.stage, "; ".join(move.reasons), move.at) for move in history), drops)


def _weakened(town: Town, release: str) -> dict[str, bytes]:
    """The files of a release, its network changed so that it breaks on white paper."""
    depot = Depot(town.reached.client("s3"), town.library.bucket)
    with TemporaryDirectory() as place:
        depot.fetch(MODEL, release, Path(place))
        files = {path.name: path.read_bytes() for path in Path(place).iterdir()}
    files["model.onnx"] = fragile(files["model.onnx"])
    files["golden.toml"] = golden(files["model.onnx"]).encode()
    return files
