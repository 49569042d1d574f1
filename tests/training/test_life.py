"""A model's life in small, with nothing played but AWS: a better release is promoted, bad ones are not."""

import io
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from infra.learn.first import fragile, golden
from tests.flows.test_tending import Shelf as Shown
from tests.memory import NOON, Books, Hands, MemoryLedger, MemoryObjects
from tests.onnx_classifier import write_classifier
from tests.training.jobs import SMALL, Job, recipe
from vigil.drops import Drop, Object
from vigil.flow.admit import admit, pedigree_of
from vigil.flow.casting import Casting
from vigil.flow.label import Label
from vigil.flow.process import Shift, World, process
from vigil.flow.prune import Stock
from vigil.flow.releases import tend
from vigil.flow.taken import Register, Taken
from vigil.flow.teach import School, publish, reviewed
from vigil.learn.dataset import DataSet, Terms
from vigil.learn.exam import Scorer
from vigil.learn.gates import default_gates
from vigil.learn.pedigree import Pedigree
from vigil.learn.release import Pointers
from vigil.learn.stages import Book, Standing
from vigil.learn.trial import Trial
from vigil.predict.classifier import Classifier, open_classifier
from vigil.predict.fetched import Fetched, Workshop
from vigil.predict.shelf import Shelf
from vigil.watch.rules import default_watch

MODEL = "tiny-colours"
COLOURS = ("red", "green", "blue")
LEASE = timedelta(seconds=20)
LABELLED, MOST_DROPS = 240, 1000
TERMS = Terms(validation=0.25, test=0.25, near_bits=0)
RECIPE = recipe("small", {r"channels = .*": 'channels = "rgb"', **SMALL, r"epochs = .*": "epochs = 5"})
GATES = {
    stage: replace(gate, drops=40, latency_free_ms=1000.0)  # this machine's speed is not what is tried
    for stage, gate in default_gates().items()
}


def picture(number: int) -> bytes:
    """Dark noise, a little more of one colour than of the others."""
    pixels = np.random.default_rng(number).integers(0, 90, (16, 16, 3)).astype(np.uint8)
    pixels[:, :, number % 3] += 30
    return packed(Image.fromarray(pixels))


def white_paper(number: int) -> bytes:
    return packed(ImageOps.invert(Image.open(io.BytesIO(picture(number)))))


def packed(image: Image.Image) -> bytes:
    held = io.BytesIO()
    image.save(held, "PNG")
    return held.getvalue()


@dataclass
class Record(Shown):
    """What releases showed, with when."""

    clock: Hands = field(default_factory=Hands)
    noted: list[tuple[datetime, Trial]] = field(default_factory=list)

    def note(self, trial: Trial) -> None:
        self.noted.append((self.clock(), trial))

    def seen(self, model: str, release: str, since: datetime) -> Sequence[Trial]:
        return [trial for at, trial in self.noted if trial.release == release and at >= since]


@dataclass
class Village:
    """The real stories over a world in memory; also port Shelves. What is bundled takes green for blue."""

    root: Path
    python: Path
    books: Books = field(default_factory=Books)
    record: Record = field(default_factory=lambda: Record(Book(MODEL, Pointers(), 0, ())))
    releases: dict[str, Mapping[str, bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        card = write_classifier(self.root / "bundled") / "card.toml"
        card.write_text(card.read_text("utf-8").replace('"green", "blue"', '"blue", "green"'), "utf-8")
        self.shelf = Shelf(self.root / "bundled", {"classifier": open_classifier})
        self.fetched = Fetched(
            Workshop(
                folder=self.root / "tmp",
                fetch=self._fetch,
                pipelines=self.shelf.pipelines,
                aside=lambda task: task(),
                missed=lambda *told: pytest.fail(str(told)),
            )
        )
        casting = Casting(
            lambda _: self.record.kept.pointers,
            self.fetched,
            self.record.note,
            lambda *_: None,
        )
        self.ledger, self.objects, self.numbers = MemoryLedger(), MemoryObjects(), count()
        self.clock = self.record.clock
        self.world = World(self.ledger, self.objects, self.shelf, default_watch, self.clock, trials=casting)

    def drop(self, data: bytes) -> str:
        """Dropped and answered; the drop's id."""
        name = f"d{next(self.numbers)}"
        self.clock.move(1)
        self.objects.held[name, "v"] = data
        drop = Drop(name, MODEL, "door", self.where(name), self.clock())
        process(drop, self.world, Shift(name, self.clock() + LEASE, LEASE))
        return name

    def where(self, drop: str) -> Object:
        return Object("photos", drop, "v")

    def learn(self, labels: Sequence[Label], name: str) -> tuple[DataSet, Mapping[str, bytes]]:
        """A data set, and what a real training job makes of it."""
        register = Register(
            drop=lambda drop: Taken(self.where(drop), self.ledger.sightings[drop]),
            policy=lambda _: "always",
            agrees=lambda _: None,
            fetch=self.objects.fetch,
        )
        school = School(Stock(self.books, lambda *_: None), register)
        data = publish(MODEL, labels, TERMS, school, now=NOON)
        job, place = Job(self.python, self.root / name), f"data/{MODEL}/{data.id}/"
        for key, held in self.books.held.items():
            if key.startswith(place) and not key.endswith("dataset.json"):
                target = job.root / "input" / "data" / key.removeprefix(place)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(held[-1])
        job.tell(RECIPE, task="classifier", model=MODEL, data=data.id)
        assert job.run().returncode == 0
        return data, {path.name: path.read_bytes() for path in (job.root / "model" / MODEL).iterdir()}

    def admit(self, data: DataSet, files: Mapping[str, bytes]) -> Standing:
        """Examined beside the active release, and on record."""
        pedigree = pedigree_of(MODEL, files, parent=self.bundled(MODEL), data=data.id, recipe=None)
        items = reviewed(MODEL, data.id, self.books)
        return admit(pedigree, files, items, shelves=self, keep=self._keep, now=self.clock())

    def lived(self, release: str, coming: list[bytes], until: str) -> str:
        """The stage that a release reaches while these pictures come in, again and again."""
        for n in range(MOST_DROPS):
            stage = self._stage(release)
            if stage == until or stage not in ("registered", "shadow", "canary"):
                return stage
            self.drop(coming[n % len(coming)])
            tend(MODEL, self.record, self.record, self.record, GATES, now=self.clock())
        return self._stage(release)

    def put(self, release: Pedigree, files: Mapping[str, bytes]) -> None:
        self.releases[release.id] = files

    def opened(self, model: str, release: str) -> Scorer:
        found = self.fetched.opened(model, release)
        assert isinstance(found, Classifier)
        return found

    def active(self, model: str) -> Scorer | None:
        release = self.record.kept.pointers.active
        if release is not None and release != self.bundled(model):
            return self.opened(model, release)
        found = self.shelf.get(model)
        assert isinstance(found, Classifier)
        return found

    def bundled(self, model: str) -> str:
        return self.shelf.get(model).release

    def _keep(self, new: Standing, bundled: str | None, _data: str | None, _parent: str | None) -> bool:
        book = self.record.kept
        pointers = book.pointers if book.pointers.active else Pointers(bundled)
        self.record.kept = Book(MODEL, pointers, book.revision, (*book.standings, new))
        return True

    def _fetch(self, _: str, release: str, folder: Path) -> None:
        for name, held in self.releases[release].items():
            (folder / name).write_bytes(held)

    def _stage(self, release: str) -> str:
        found = self.record.kept.find(release)
        assert found is not None
        return found.life.stage


def test_a_models_life(trainer: Path, tmp_path: Path):
    village, plain = Village(tmp_path, trainer), [picture(n) for n in range(LABELLED)]

    meant = {village.drop(one): COLOURS[n % 3] for n, one in enumerate(plain)}
    labels = [Label(drop, MODEL, "door", text, "one", NOON) for drop, text in meant.items()]
    data, files = village.learn(labels, "good")
    good = village.admit(data, files)
    assert village.lived(good.life.id, plain, "active") == "active"
    assert good.metric.value >= 0.95
    assert good.gain is not None
    assert good.gain.low > 0.3

    held_out = {entry.group for entry in data.split("test")}
    shuffled = [label.label for label in labels if label.drop not in held_out]
    random.Random(7).shuffle(shuffled)
    said = iter(shuffled)
    harmed = [one if one.drop in held_out else replace(one, label=next(said), by="two") for one in labels]
    poisoned = village.admit(*village.learn(harmed, "poisoned"))
    assert village.lived(poisoned.life.id, plain, "active") == "rejected"

    weak = {**files, "model.onnx": fragile(files["model.onnx"])}
    weak["golden.toml"] = golden(weak["model.onnx"]).encode()
    breaking = village.admit(data, weak).life.id
    assert village.lived(breaking, plain, "canary") == "canary"
    assert village.lived(breaking, [white_paper(n) for n in range(60)], "active") == "rolled-back"

    assert {row.state for row in village.ledger.records.values()} == {"done"}
    assert village.record.kept.pointers.active == good.life.id
