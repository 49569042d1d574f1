"""From labelled drops to a promoted release, then a poisoned one, then one that breaks in canary."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory

from cloud.depot import Depot
from infra.learn.digits import Digit, inverted
from infra.learn.first import MODEL, fragile, golden
from infra.learn.town import NotSo, Town
from vigil.flow.admit import pedigree_of
from vigil.flow.teach import folder, reviewed
from vigil.learn.exam import measured
from vigil.learn.example import SPLITS, Entry
from vigil.learn.manifest import read
from vigil.learn.release import register
from vigil.learn.stages import Standing
from vigil.predict.classifier import Classifier, open_classifier
from vigil.predict.release import open_release

RECIPE = Path(__file__).with_name("recipe.toml")
ROUND = 120
"""Drops between two looks at what a candidate has shown."""

MOST_ROUNDS = 12
WANTED = 0.95

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
    """What a release went through: its stages with their reasons, and how many drops that took."""

    stages: tuple[tuple[str, str], ...]
    drops: int

    @property
    def end(self) -> str:
        return self.stages[-1][0]


def teach(town: Town, pictures: Sequence[Digit], say: Say) -> tuple[Lesson, dict[str, str]]:
    """Drops, labels, data set, job, release on record; also what each drop shows."""
    say(f"dropping {len(pictures)} pictures")
    drops: list[str] = []
    for door in range(4):
        drops += town.put([one.picture for one in pictures[door::4]], f"door-{door}")
    meant = dict(zip(drops, [one.label for door in range(4) for one in pictures[door::4]], strict=True))
    town.ended(drops)
    say("labelling what they show")
    town.label(meant, "reviewer-1")
    say("data set, training job, examination")
    kept = town.train(RECIPE.read_text("utf-8"))
    return _lesson(town, kept.job.lesson.data, kept.release), meant


def poison(town: Town, lesson: Lesson, meant: Mapping[str, str], say: Say) -> Lesson:
    """Somebody labels everything that is learned from at random; what is measured on stays as reviewed."""
    say("a reviewer labels at random")
    held_out = {e.group for e in _entries(town, lesson.data, "test")}
    open_to_harm = [drop for drop in meant if drop not in held_out]
    shuffled = [meant[drop] for drop in open_to_harm]
    random.Random(7).shuffle(shuffled)  # noqa: S311 - a shuffle that can be repeated, not a secret
    town.label(dict(zip(open_to_harm, shuffled, strict=True)), "reviewer-2")
    say("data set, training job, examination of the poisoned candidate")
    kept = town.train(RECIPE.read_text("utf-8").replace("epochs = 14", "epochs = 3"))
    return _lesson(town, kept.job.lesson.data, kept.release)


def run(town: Town, release: str, pictures: Sequence[bytes], say: Say, *, until: str = "") -> Course:
    """Drop pictures, round after round, until a release has come to an end, or to the stage named."""
    told, drops = "", 0
    feed = cycle(pictures)
    for _ in range(MOST_ROUNDS):
        while town.invoke("Releases")["moved"]:
            pass
        stage = town.standing(release).life.stage
        if stage != told:
            say(f"release {release} is {stage}")
        told = stage
        if stage == until or stage not in ("registered", "shadow", "canary"):
            return _course(town, release, drops)
        town.ended(town.put(list(islice(feed, ROUND)), "door-0"))
        drops += ROUND
    raise NotSo(f"release {release} is still {told} after {drops} drops")


def break_in_canary(town: Town, lesson: Lesson, pictures: Sequence[Digit], say: Say) -> tuple[str, Course]:
    """A release as good as the active one, but for pictures that nobody dropped before it was in canary."""
    say("a release that breaks on white paper is registered")
    release = _register_fragile(town, lesson)
    plain = [one.picture for one in pictures]
    before = run(town, release, plain, say, until="canary")
    if before.end != "canary":
        raise NotSo(f"the fragile release ended in {before.stages}")
    say("white paper comes in")
    after = run(town, release, [inverted(picture) for picture in plain], say)
    return release, Course(after.stages, before.drops + after.drops)


def answered(town: Town, held_out: Sequence[Digit], release: str) -> tuple[float, list[str]]:
    """The share of held-out pictures told rightly when dropped, all by this release; and what was said."""
    drops = town.put([one.picture for one in held_out], "held-out")
    rows = town.ended(drops)
    others = {row.get("release", "") for row in rows} - {release}
    if others:
        raise NotSo(f"held-out pictures were answered by {sorted(others)}, not {release}")
    heard = town.said(drops)
    right = [said == one.label for said, one in zip(heard, held_out, strict=True)]
    return sum(right) / len(right), heard


def _lesson(town: Town, data: str, release: str) -> Lesson:
    items = reviewed(MODEL, data, town.library)
    held_out = tuple(Digit(picture, entry.label) for entry, picture in items)
    return Lesson(data, release, town.standing(release), held_out)


def _entries(town: Town, data: str, split: str) -> tuple[Entry, ...]:
    text = town.library.get(f"{folder(MODEL, data)}/{split}/manifest.jsonl").decode()
    return read(text)


def counts(town: Town, data: str) -> dict[str, int]:
    """Pictures by split."""
    return {split: len(_entries(town, data, split)) for split in SPLITS}


def _course(town: Town, release: str, drops: int) -> Course:
    history = town.standing(release).life.history
    return Course(tuple((move.stage, "; ".join(move.reasons)) for move in history), drops)


def _register_fragile(town: Town, lesson: Lesson) -> str:
    """By the same examination as any: measured beside the active release, on the same reviewed set."""
    depot = Depot(town.reached.client("s3"), town.library.bucket)
    with TemporaryDirectory() as place:
        sound, weak = Path(place) / "sound", Path(place) / "weak"
        (sound / MODEL).mkdir(parents=True)
        depot.fetch(MODEL, lesson.release, sound / MODEL)
        files = {path.name: path.read_bytes() for path in (sound / MODEL).iterdir()}
        files["model.onnx"] = fragile(files["model.onnx"])
        files["golden.toml"] = golden(files["model.onnx"]).encode()
        pedigree = pedigree_of(MODEL, files, parent=lesson.release, data=lesson.data, recipe=None)
        depot.put(pedigree, files)
        (weak / MODEL).mkdir(parents=True)
        depot.fetch(MODEL, pedigree.id, weak / MODEL)
        items = reviewed(MODEL, lesson.data, town.library)
        metric, gain = measured(_opened(weak), _opened(sound), items)
    standing = Standing(register(MODEL, pedigree.id, datetime.now(UTC)), metric, gain)
    town.lives.register(standing, bundled=None, data=lesson.data, parent=lesson.release)
    return pedigree.id


def _opened(root: Path) -> Classifier:
    release = open_release(root, MODEL)
    return open_classifier(release, lambda name: open_release(root, name))
