"""Bundled models are opened once from their releases; fetched releases serve only after verification."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from PIL import Image

from tests.fakes.onnx_classifier import write_classifier, write_release
from tests.unit.inference.sample_images import encode_image
from vigil.errors import DamagedRelease, Transient, UnknownModel
from vigil.inference.classifier import open_classifier
from vigil.inference.release import RELEASE_FILE, file_digests, open_release
from vigil.inference.repository import BundledModels, ReleaseCache, ReleaseCacheConfig
from vigil.toml_file import InvalidToml


@pytest.fixture
def models(tmp_path: Path) -> BundledModels:
    write_classifier(tmp_path)
    return BundledModels(tmp_path, {"classifier": open_classifier})


@pytest.mark.parametrize(("colour", "label"), [("red", "red"), ("lime", "green"), ("blue", "blue")])
def test_a_classifier_runs_from_its_card_alone(models: BundledModels, colour: str, label: str):
    stages: list[str] = []

    prediction = models.get("tiny-colours").predict(
        encode_image(Image.new("RGB", (60, 40), colour), "PNG"), {}, stages.append
    )

    assert [(one.label, one.status) for one in prediction.sightings] == [(label, "known")]
    assert prediction.size_px == (60, 40)
    assert stages == ["decode", "classify"]


def test_a_score_below_the_threshold_is_unknown(models: BundledModels):
    prediction = models.get("tiny-colours").predict(
        encode_image(Image.new("RGB", (60, 40), "white"), "PNG"), {}, ignore_stage
    )

    assert [(one.label, one.status) for one in prediction.sightings] == [("unknown", "unknown")]


def test_a_model_is_opened_once(models: BundledModels):
    assert models.get("tiny-colours") is models.get("tiny-colours")


def test_models_that_were_not_used_for_long_are_closed_to_stay_within_the_memory(tmp_path: Path):
    for name in ("first", "second", "third"):
        folder = write_classifier(tmp_path, name)
    size = sum(path.stat().st_size for path in folder.iterdir())
    models = BundledModels(tmp_path, {"classifier": open_classifier}, max_open_bytes=int(2.5 * size))
    first, second = models.get("first"), models.get("second")
    models.get("first")

    models.get("third")

    assert models.get("first") is first
    assert models.get("second") is not second


def test_the_error_for_an_unknown_model_names_the_known_ones(models: BundledModels):
    with pytest.raises(UnknownModel, match="tiny-colours"):
        models.get("nothing")


@pytest.mark.parametrize(
    "name", ["", "..", "../x", "/etc", "tiny-colours/", "Tiny-Colours", "a\0b", "x" * 300, "."]
)
def test_no_name_of_a_model_leads_out_of_the_folder(models: BundledModels, name: str):
    with pytest.raises(UnknownModel):
        models.get(name)


def test_a_model_of_a_kind_without_a_factory_is_not_served(tmp_path: Path):
    write_classifier(tmp_path)

    assert BundledModels(tmp_path, {}).names() == ()


def test_a_release_changes_its_id_with_any_byte(models: BundledModels, tmp_path: Path):
    before = models.open_part("tiny-colours").id
    card = tmp_path / "tiny-colours" / "card.toml"
    card.write_text(card.read_text().replace("threshold = 0.6", "threshold = 0.7"))

    assert models.open_part("tiny-colours").id != before


def test_a_missing_network_is_named(models: BundledModels, tmp_path: Path):
    (tmp_path / "tiny-colours" / "model.onnx").unlink()

    with pytest.raises(InvalidToml, match=r"model\.onnx"):
        models.get("tiny-colours")


def test_labels_that_do_not_fit_the_network_are_named(models: BundledModels, tmp_path: Path):
    card = tmp_path / "tiny-colours" / "card.toml"
    card.write_text(card.read_text().replace('"green", "blue"]', '"green"]'))

    with pytest.raises(InvalidToml, match="3 values for the 2 labels"):
        models.get("tiny-colours").predict(
            encode_image(Image.new("RGB", (6, 4), "red"), "PNG"), {}, ignore_stage
        )


def ignore_stage(stage: str) -> None:
    """No stage matters here."""


@pytest.fixture
def built_release(tmp_path: Path) -> Path:
    """A release as it is built: its files' digests are told beside them."""
    folder = tmp_path / "tiny-colours"
    write_classifier(tmp_path)
    (folder / RELEASE_FILE).write_text(json.dumps({"files": file_digests(folder), "parts": {}}))
    return folder


@pytest.mark.parametrize("file", ["model.onnx", "card.toml"])
def test_one_flipped_bit_is_detected_and_its_file_is_named(built_release: Path, file: str):
    whole = open_release(built_release.parent, built_release.name).id
    data = bytearray((built_release / file).read_bytes())
    data[-2] ^= 1
    (built_release / file).write_bytes(data)

    with pytest.raises(DamagedRelease) as caught:
        BundledModels(built_release.parent, {"classifier": open_classifier}).get(built_release.name)

    assert (caught.value.model, caught.value.release, caught.value.file) == ("tiny-colours", whole, file)
    assert str(caught.value) == f"tiny-colours/{file} of release {whole} is damaged"


@pytest.mark.parametrize("file", ["model.onnx", "card.toml"])
def test_a_model_without_one_of_its_files_is_damaged_rather_than_unknown(built_release: Path, file: str):
    (built_release / file).unlink()

    with pytest.raises(DamagedRelease, match=file):
        BundledModels(built_release.parent, {"classifier": open_classifier}).get(built_release.name)


def test_an_incomplete_release_file_is_damage(built_release: Path):
    (built_release / RELEASE_FILE).write_text('{"files": ')

    with pytest.raises(DamagedRelease, match=RELEASE_FILE):
        BundledModels(built_release.parent, {"classifier": open_classifier}).get(built_release.name)


def test_a_damaged_model_is_opened_after_its_file_is_restored(built_release: Path):
    models, data = (
        BundledModels(built_release.parent, {"classifier": open_classifier}),
        (built_release / "model.onnx").read_bytes(),
    )
    (built_release / "model.onnx").write_bytes(data[:-1])
    with pytest.raises(DamagedRelease):
        models.get(built_release.name)

    (built_release / "model.onnx").write_bytes(data)

    assert models.get(built_release.name).name == built_release.name


MODEL_NAME = "tiny-colours"


@dataclass
class FakeReleaseStore:
    """Releases by id; what is to be done aside waits for `work`."""

    root: Path
    releases: dict[str, dict[str, bytes]] = field(default_factory=dict)
    unavailable: bool = False
    failures: list[str] = field(default_factory=list)
    background_tasks: list[Callable[[], None]] = field(default_factory=list)

    def add(self, threshold: float) -> str:
        folder = self.root / f"made-{threshold}"
        files = write_release(folder, threshold=threshold)
        release_id = open_release(folder, MODEL_NAME).id
        self.releases[release_id] = files
        return release_id

    def fetch(self, model: str, release: str, folder: Path) -> None:
        if self.unavailable:
            raise Transient("S3 is away", dependency="store", operation="read object")
        for name, data in self.releases[release].items():
            (folder / name).write_bytes(data)

    def run_background_tasks(self) -> None:
        while self.background_tasks:
            self.background_tasks.pop()()

    def create_cache(self) -> ReleaseCache:
        models = BundledModels(self.root, {"classifier": open_classifier})
        return ReleaseCache(
            ReleaseCacheConfig(
                folder=self.root / "tmp",
                fetch=self.fetch,
                factories=models.factories,
                run_in_background=self.background_tasks.append,
                on_failure=lambda *failure: self.failures.append(failure[2]),
            )
        )


@pytest.fixture
def store(tmp_path: Path) -> FakeReleaseStore:
    return FakeReleaseStore(tmp_path)


def test_a_starting_container_waits_for_its_release(store: FakeReleaseStore):
    release = store.add(0.6)

    served = store.create_cache().get_or_previous(MODEL_NAME, release)

    assert served is not None
    assert served.release == release


def test_the_previous_release_serves_until_the_next_is_ready(store: FakeReleaseStore):
    first, second, cache = store.add(0.6), store.add(0.7), store.create_cache()
    cache.get_or_previous(MODEL_NAME, first)

    served = []
    for _ in range(2):
        model = cache.get_or_previous(MODEL_NAME, second)
        served.append(model.release if model else None)
        store.run_background_tasks()
    last = cache.get_or_previous(MODEL_NAME, second)

    assert served[0] == first
    assert last is not None
    assert last.release == second


def test_a_release_that_cannot_be_fetched_is_reported_and_raises_nothing(store: FakeReleaseStore):
    release = store.add(0.6)
    store.unavailable = True

    assert store.create_cache().get_or_previous(MODEL_NAME, release) is None
    assert store.failures == ["read object: S3 is away"]


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        (
            "golden.toml",
            lambda data: data.replace(b"mean = ", b"mean = 9 # "),
            "does not reproduce its golden output",
        ),
        ("model.onnx", lambda data: data[:40], "is no network"),
        ("card.toml", lambda data: data.replace(b"classifier", b"magic"), "pipeline.kind"),
    ],
)
def test_a_release_that_fails_verification_never_serves(
    store: FakeReleaseStore, file: str, change: Callable[[bytes], bytes], message: str
):
    folder = store.root / "spoilt"
    files = write_release(folder)
    (folder / MODEL_NAME / file).write_bytes(change(files[file]))
    release = open_release(folder, MODEL_NAME).id
    store.releases[release] = {path.name: path.read_bytes() for path in (folder / MODEL_NAME).iterdir()}

    assert store.create_cache().get_or_previous(MODEL_NAME, release) is None
    assert message in store.failures[0]


def test_files_of_another_release_are_refused(store: FakeReleaseStore):
    release = store.add(0.6)
    store.releases["f" * 16] = store.releases[release]

    assert store.create_cache().get_or_previous(MODEL_NAME, "f" * 16) is None
