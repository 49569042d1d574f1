"""A recipe and labelled pictures become a release that serves what was trained."""

import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.training.environment import ROOT, training_environment
from tests.models.training.jobs import (
    LABELS,
    SMALL_NETWORK,
    LocalJob,
    card_values,
    recipe_text,
    write_striped_manifest,
)
from vigil.inference.classifier import ClassifierCard, open_classifier
from vigil.inference.release import open_release
from vigil.inference.repository import BundledModels
from vigil.inference.session import open_session
from vigil.inference.types import Model
from vigil.toml_file import load_toml
from vigil.training.dataset import parse_manifest
from vigil.training.jobs import PROGRESS_METRICS

# Runs in the trainer's interpreter: the shipped graph's weights, computed by torch.
TORCH_PROGRAM = """
import json, sys, onnx, torch
from pathlib import Path
from models.training.onnx_module import OnnxModule
from vigil.inference.card import NetworkCard
from vigil.toml_file import load_toml
from vigil.inference.images import decode_image
from vigil.inference.preprocess import to_tensor
release, pictures = Path(sys.argv[1]), sys.argv[2:]
card = load_toml(release / "card.toml")
network = OnnxModule(onnx.load(release / "model.onnx")).eval()
preprocessing, limits = card.convert(NetworkCard).input, card.convert(NetworkCard).accepts
images = [decode_image(Path(p).read_bytes(), limits, side_px=32).image for p in pictures]
inputs = torch.cat([torch.from_numpy(to_tensor(image, preprocessing)) for image in images])
print(json.dumps(torch.softmax(network(inputs), 1).tolist()))
"""


def load_trained(job: LocalJob) -> Model:
    return BundledModels(job.release.parent, {"classifier": open_classifier}).get("trained")


def ignore_stage(stage: str) -> None:
    """Nobody wants to know the stage."""


@pytest.fixture(scope="module")
def trained(trainer: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    job = LocalJob(trainer, tmp_path_factory.mktemp("classifier"))
    write_striped_manifest(job)
    job.configure(recipe_text("small", SMALL_NETWORK), task="classifier")
    completed = job.run()
    assert completed.returncode == 0, completed.stderr[-2000:]
    return job, completed.stdout


def test_the_release_is_served_by_its_card_alone(trained: Any):
    job, _ = trained
    held_out = job.root / "input" / "data" / "test"
    entries = parse_manifest((held_out / "manifest.jsonl").read_text("utf-8"))

    model = load_trained(job)

    sightings = [
        model.predict((held_out / entry.key).read_bytes(), {}, ignore_stage).sightings[0] for entry in entries
    ]
    card = card_values(job.release)
    known = [sighting.status == "known" for sighting in sightings]
    right = [sighting.label == entry.label for sighting, entry in zip(sightings, entries, strict=True)]
    assert np.mean(known) == pytest.approx(card["quality.answered_share"], abs=1e-4)
    assert np.sum(right) / np.sum(known) == pytest.approx(card["quality.accuracy_when_answered"], abs=1e-4)


def test_what_is_served_is_what_torch_computes(trained: Any):
    job, _ = trained
    pictures = [job.root / f"input/data/test/{n}.png" for n in range(6)]
    model = load_trained(job)

    completed = subprocess.run(
        [job.python, "-c", TORCH_PROGRAM, job.release, *pictures],
        cwd=ROOT,
        env=dict(training_environment()),
        capture_output=True,
        check=True,
        timeout=300,
    )

    served = [
        model.predict(picture.read_bytes(), {}, ignore_stage).sightings[0].score for picture in pictures
    ]
    assert served == pytest.approx([max(row) for row in json.loads(completed.stdout)], abs=1e-4)


def test_the_release_has_a_golden_answer_that_the_serving_runtime_gives(trained: Any):
    job, _ = trained
    (golden,) = tomllib.loads((job.release / "golden.toml").read_text("utf-8"))["noise"]
    noise = np.random.default_rng(golden["seed"]).uniform(-1, 1, golden["shape"]).astype(np.float32)

    session = open_session(open_release(job.release.parent, "trained"))
    given = session.run([golden["output"]], noise)[0]

    assert list(given.shape) == golden["output_shape"]
    np.testing.assert_allclose(given.ravel()[:6], golden["first"], atol=golden["tolerance"])


def test_the_card_contains_measured_quality_and_its_provenance(trained: Any):
    job, _ = trained

    card = card_values(job.release)

    assert tuple(card["output.labels"]) == LABELS
    assert card["quality.split"] == "test"
    assert card["quality.accuracy"] >= 0.95
    assert card["quality.accuracy_interval"][0] <= card["quality.accuracy"]
    assert card["quality.slices.source.a.items"] + card["quality.slices.source.b.items"] == 48
    assert card["training.data"] == "d" * 16
    assert card["training.export_difference"] <= 1e-4
    assert load_toml(job.release / "card.toml").convert(ClassifierCard).accepts.suffixes >= {".jpg", ".png"}


def test_progress_is_found_by_the_jobs_metric_expressions(trained: Any):
    _, output = trained

    found = {name: re.findall(expression, output) for name, expression in PROGRESS_METRICS.items()}

    assert {len(values) for values in found.values()} == {10}
    assert float(found["validation:loss"][-1]) < float(found["validation:loss"][0])


def test_8_bits_are_taken_where_they_cost_no_more_than_allowed(trainer: Path, tmp_path: Path):
    job = LocalJob(trainer, tmp_path)
    write_striped_manifest(job)
    wide = {
        **SMALL_NETWORK,
        r"layers = .*": 'layers = ["conv16", "pool", "dense32"]',
        r"max_quality_loss = .*": "max_quality_loss = 0.05",
    }
    job.configure(recipe_text("small", wide), task="classifier")

    done = job.run()

    card = card_values(job.release)
    assert done.returncode == 0
    assert card["training.int8"] is True
    assert card["training.int8_loss"] <= 0.05
    assert load_trained(job).name == "trained"


@pytest.mark.parametrize(
    ("settings", "changes", "reason"),
    [
        ({"task": "classify"}, {}, "InvalidRecipe: hyperparameter task 'classify'"),
        (
            {"task": "classifier"},
            {r"layers = .*": 'layers = ["convolution"]'},
            "unknown layer 'convolution'",
        ),
        (
            {"task": "classifier"},
            {r"head = .*": 'head = "sigmoid"'},
            "sigmoid cannot answer with 3 labels",
        ),
    ],
)
def test_a_job_that_cannot_run_writes_the_reason(
    trainer: Path, tmp_path: Path, settings: dict[str, str], changes: dict[str, str], reason: str
):
    job = LocalJob(trainer, tmp_path)
    write_striped_manifest(job)
    job.configure(recipe_text("small", {**SMALL_NETWORK, **changes}), **settings)

    assert job.run().returncode == 1
    assert reason in job.failure


def test_a_missing_channel_is_named_in_the_failure(trainer: Path, tmp_path: Path):
    job = LocalJob(trainer, tmp_path)
    job.configure(recipe_text("small", SMALL_NETWORK), task="classifier")

    assert job.run().returncode == 1
    assert "channel train" in job.failure
