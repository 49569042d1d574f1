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

from cloud.s3.datasets import S3DatasetRepository
from tests.fakes.memory import (
    NOON,
    FakeClock,
    MemoryInputReader,
    MemoryLedger,
    MemoryObjectStore,
)
from tests.fakes.onnx_classifier import write_classifier
from tests.lifecycle.models import broken_on_white, golden_toml
from tests.models.training.jobs import SMALL_NETWORK, LocalJob, recipe_text
from tests.unit.releases.test_advance_rollout import MemoryReleases as Shown
from vigil.alerts.rules import default_rules
from vigil.drops.messages import Drop, S3Object
from vigil.drops.process import Invocation, ProcessingPorts, process_drop
from vigil.inference.classifier import Classifier, open_classifier
from vigil.inference.repository import BundledModels, ReleaseCache, ReleaseCacheConfig
from vigil.releases.gates import default_gates
from vigil.releases.lifecycle import ReleasePointers
from vigil.releases.manifest import ReleaseManifest
from vigil.releases.registration import Scorer, build_manifest, register_release
from vigil.releases.rollout import ModelReleases, ReleaseRecord, advance_rollout
from vigil.releases.routing import RolloutRouter
from vigil.releases.shadow import ShadowComparison, comparison_of
from vigil.training.dataset import Dataset, SplitPolicy
from vigil.training.dataset_store import DatasetBuilder, DatasetStore, publish_dataset, read_test_set
from vigil.training.examples import DropForTraining, TrainingPolicy
from vigil.training.labels import Label

MODEL = "tiny-colours"
COLOURS = ("red", "green", "blue")
LEASE = timedelta(seconds=20)
LABELLED_COUNT, MAX_DROPS = 240, 1000
SPLIT_POLICY = SplitPolicy(validation=0.25, test=0.25, max_hash_distance=0)
RECIPE = recipe_text(
    "small", {r"channels = .*": 'channels = "rgb"', **SMALL_NETWORK, r"epochs = .*": "epochs = 5"}
)
GATES = {
    stage: replace(gate, min_drops=40, latency_target_ms=1000.0)  # this machine's speed is not what is tried
    for stage, gate in default_gates().items()
}


def coloured_image(number: int) -> bytes:
    """Dark noise, a little more of one colour than of the others."""
    pixels = np.random.default_rng(number).integers(0, 90, (16, 16, 3)).astype(np.uint8)
    pixels[:, :, number % 3] += 30
    return encode_png(Image.fromarray(pixels))


def inverted_image(number: int) -> bytes:
    return encode_png(ImageOps.invert(Image.open(io.BytesIO(coloured_image(number)))))


def encode_png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


@dataclass
class InMemoryComparisons(Shown):
    """What releases showed, with when."""

    clock: FakeClock = field(default_factory=FakeClock)
    recorded: list[tuple[datetime, ShadowComparison]] = field(default_factory=list)

    def note(self, trial: ShadowComparison) -> None:
        self.recorded.append((self.clock(), trial))

    def comparisons_since(self, model: str, release: str, since: datetime) -> Sequence[ShadowComparison]:
        return [trial for at, trial in self.recorded if trial.release == release and at >= since]


@dataclass
class InMemorySystem:
    """The real stories over a world in memory; also port Shelves. What is bundled takes green for blue."""

    root: Path
    python: Path
    store: MemoryObjectStore = field(default_factory=MemoryObjectStore)
    comparisons: InMemoryComparisons = field(
        default_factory=lambda: InMemoryComparisons(ModelReleases(MODEL, ReleasePointers(), 0, ()))
    )
    releases: dict[str, Mapping[str, bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        card = write_classifier(self.root / "bundled") / "card.toml"
        card.write_text(card.read_text("utf-8").replace('"green", "blue"', '"blue", "green"'), "utf-8")
        self.bundled_models = BundledModels(self.root / "bundled", {"classifier": open_classifier})
        self.release_cache = ReleaseCache(
            ReleaseCacheConfig(
                folder=self.root / "tmp",
                fetch=self._fetch_files,
                factories=self.bundled_models.factories,
                run_in_background=lambda task: task(),
                on_failure=lambda *told: pytest.fail(str(told)),
            )
        )
        router = RolloutRouter(
            lambda _: self.comparisons.releases.pointers,
            self.release_cache,
            self.bundled_models,
        )
        self.ledger, self.objects, self.numbers = MemoryLedger(), MemoryInputReader(), count()
        self.clock = self.comparisons.clock
        self.ports = ProcessingPorts(self.ledger, self.objects, router, default_rules, self.clock)

    def drop(self, data: bytes) -> str:
        """Dropped and answered; the drop's id."""
        name = f"d{next(self.numbers)}"
        self.clock.advance(1)
        self.objects.stored[name, "v"] = data
        drop = Drop(name, MODEL, "door", self.payload(name), self.clock())
        result = process_drop(drop, self.ports, Invocation(name, self.clock() + LEASE, LEASE))
        comparison = comparison_of(drop, result.outputs) if result.outputs else None
        if comparison is not None:
            self.comparisons.note(comparison)
        return name

    def payload(self, drop: str) -> S3Object:
        return S3Object("photos", drop, "v")

    def train(self, labels: Sequence[Label], name: str) -> tuple[Dataset, Mapping[str, bytes]]:
        """A data set, and what a real training job makes of it."""
        register = TrainingPolicy(
            find_drop=lambda drop: DropForTraining(self.payload(drop), self.ledger.sightings[drop]),
            source_policy=lambda _: "always",
            has_consented=lambda _: None,
            fetch_object=self.objects.fetch,
        )
        school = DatasetBuilder(DatasetStore(S3DatasetRepository(self.store), lambda *_: None), register)
        data = publish_dataset(MODEL, labels, SPLIT_POLICY, school, now=NOON)
        job, place = LocalJob(self.python, self.root / name), f"data/{MODEL}/{data.id}/"
        for key, held in self.store.versions.items():
            if key.startswith(place) and not key.endswith("dataset.json"):
                target = job.root / "input" / "data" / key.removeprefix(place)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(held[-1])
        job.configure(RECIPE, task="classifier", model=MODEL, data=data.id)
        assert job.run().returncode == 0
        return data, {path.name: path.read_bytes() for path in (job.root / "model" / MODEL).iterdir()}

    def admit(self, data: Dataset, files: Mapping[str, bytes]) -> ReleaseRecord:
        """Examined beside the active release, and on record."""
        pedigree = build_manifest(
            MODEL, files, parent=self.bundled_release_id(MODEL), data=data.id, recipe=None
        )
        items = read_test_set(MODEL, data.id, S3DatasetRepository(self.store))
        return register_release(
            pedigree, files, items, releases=self, save=self._save_release, now=self.clock()
        )

    def run_until(self, release: str, images: list[bytes], until: str) -> str:
        """The stage that a release reaches while these pictures come in, again and again."""
        for n in range(MAX_DROPS):
            stage = self._stage(release)
            if stage == until or stage not in ("registered", "shadow", "canary"):
                return stage
            self.drop(images[n % len(images)])
            advance_rollout(
                MODEL, self.comparisons, self.comparisons, self.comparisons, GATES, now=self.clock()
            )
        return self._stage(release)

    def store_release(self, release: ReleaseManifest, files: Mapping[str, bytes]) -> None:
        self.releases[release.id] = files

    def open_release(self, model: str, release: str) -> Scorer:
        found = self.release_cache.fetch_and_open(model, release)
        assert isinstance(found, Classifier)
        return found

    def open_active(self, model: str) -> Scorer | None:
        release = self.comparisons.releases.pointers.active
        if release is not None and release != self.bundled_release_id(model):
            return self.open_release(model, release)
        found = self.bundled_models.get(model)
        assert isinstance(found, Classifier)
        return found

    def bundled_release_id(self, model: str) -> str:
        return self.bundled_models.get(model).release

    def _save_release(
        self, new: ReleaseRecord, bundled: str | None, _data: str | None, _parent: str | None
    ) -> bool:
        book = self.comparisons.releases
        pointers = book.pointers if book.pointers.active else ReleasePointers(bundled)
        self.comparisons.releases = ModelReleases(MODEL, pointers, book.revision, (*book.records, new))
        return True

    def _fetch_files(self, _: str, release: str, folder: Path) -> None:
        for name, held in self.releases[release].items():
            (folder / name).write_bytes(held)

    def _stage(self, release: str) -> str:
        found = self.comparisons.releases.find(release)
        assert found is not None
        return found.state.stage


def test_a_better_release_is_promoted_and_bad_ones_are_not(trainer: Path, tmp_path: Path):
    system, images = InMemorySystem(tmp_path, trainer), [coloured_image(n) for n in range(LABELLED_COUNT)]

    label_by_drop = {system.drop(one): COLOURS[n % 3] for n, one in enumerate(images)}
    labels = [Label(drop, MODEL, "door", text, "one", NOON) for drop, text in label_by_drop.items()]
    data, files = system.train(labels, "good")
    good = system.admit(data, files)
    assert system.run_until(good.state.release, images, "active") == "active"
    assert good.metric.value >= 0.95
    assert good.gain is not None
    assert good.gain.low > 0.3

    held_out = {entry.group for entry in data.split("test")}
    shuffled = [label.label for label in labels if label.drop not in held_out]
    random.Random(7).shuffle(shuffled)
    shuffled_labels = iter(shuffled)
    poisoned_labels = [
        one if one.drop in held_out else replace(one, label=next(shuffled_labels), labelled_by="two")
        for one in labels
    ]
    poisoned = system.admit(*system.train(poisoned_labels, "poisoned"))
    assert system.run_until(poisoned.state.release, images, "active") == "rejected"

    broken_files = {**files, "model.onnx": broken_on_white(files["model.onnx"])}
    broken_files["golden.toml"] = golden_toml(broken_files["model.onnx"]).encode()
    breaking = system.admit(data, broken_files).state.release
    assert system.run_until(breaking, images, "canary") == "canary"
    assert system.run_until(breaking, [inverted_image(n) for n in range(60)], "active") == "rolled-back"

    assert {row.state for row in system.ledger.records.values()} == {"done"}
    assert system.comparisons.releases.pointers.active == good.state.release
