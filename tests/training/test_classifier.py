"""A recipe and labelled pictures become a release that serves what was trained."""

import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from infra.trainer.environment import ROOT, environment
from tests.training.jobs import LABELS, SMALL, Job, list_stripes, recipe
from vigil.learn import manifest
from vigil.learn.training import METRICS
from vigil.predict.card import Accepts
from vigil.predict.classifier import open_classifier
from vigil.predict.release import open_release
from vigil.predict.session import open_session
from vigil.predict.shelf import Shelf
from vigil.predict.table import read
from vigil.seeing import Model

# Runs in the trainer's interpreter: the shipped graph's weights, computed by torch.
BY_TORCH = """
import json, sys, onnx, torch
from pathlib import Path
from models.training.graph import Graph
from vigil.predict.card import Accepts, Preparation
from vigil.predict.decode import decode
from vigil.predict.prepare import tensor
from vigil.predict.table import read
release, pictures = Path(sys.argv[1]), sys.argv[2:]
card = read(release / "card.toml")
graph, preparation = Graph(onnx.load(release / "model.onnx")).eval(), Preparation.read(card)
images = [decode(Path(p).read_bytes(), Accepts.read(card), side_px=32).image for p in pictures]
inputs = torch.cat([torch.from_numpy(tensor(image, preparation)) for image in images])
print(json.dumps(torch.softmax(graph(inputs), 1).tolist()))
"""


def shelved(job: Job) -> Model:
    return Shelf(job.release.parent, {"classifier": open_classifier}).get("trained")


def quiet(stage: str) -> None:
    """Nobody wants to know the stage."""


@pytest.fixture(scope="module")
def trained(trainer: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    job = Job(trainer, tmp_path_factory.mktemp("classifier"))
    list_stripes(job)
    job.tell(recipe("small", SMALL), task="classifier")
    done = job.run()
    assert done.returncode == 0, done.stderr[-2000:]
    return job, done.stdout


def test_the_release_is_served_by_its_card_alone(trained: Any):
    job, _ = trained
    held_out = job.root / "input" / "data" / "test"
    entries = manifest.read((held_out / "manifest.jsonl").read_text("utf-8"))

    model = shelved(job)

    said = [model.see((held_out / entry.object).read_bytes(), {}, quiet).sightings[0] for entry in entries]
    card = read(job.release / "card.toml")
    known = [sighting.status == "known" for sighting in said]
    right = [sighting.label == entry.label for sighting, entry in zip(said, entries, strict=True)]
    assert np.mean(known) == pytest.approx(card.number("quality.answered"), abs=1e-4)
    assert np.sum(right) / np.sum(known) == pytest.approx(card.number("quality.right_of_answered"), abs=1e-4)


def test_what_is_served_is_what_torch_computes(trained: Any):
    job, _ = trained
    pictures = [job.root / f"input/data/test/{n}.png" for n in range(6)]
    model = shelved(job)

    told = subprocess.run(
        [job.python, "-c", BY_TORCH, job.release, *pictures],
        cwd=ROOT,
        env=dict(environment()),
        capture_output=True,
        check=True,
        timeout=60,
    )

    served = [model.see(picture.read_bytes(), {}, quiet).sightings[0].score for picture in pictures]
    assert served == pytest.approx([max(row) for row in json.loads(told.stdout)], abs=1e-4)


def test_the_release_has_a_golden_answer_that_the_serving_runtime_gives(trained: Any):
    job, _ = trained
    (golden,) = tomllib.loads((job.release / "golden.toml").read_text("utf-8"))["noise"]
    noise = np.random.default_rng(golden["seed"]).uniform(-1, 1, golden["shape"]).astype(np.float32)

    session = open_session(open_release(job.release.parent, "trained"))
    given = session.run([golden["output"]], noise)[0]

    assert list(given.shape) == golden["output_shape"]
    np.testing.assert_allclose(given.ravel()[:6], golden["first"], atol=golden["tolerance"])


def test_the_card_tells_measured_quality_and_where_it_comes_from(trained: Any):
    job, _ = trained

    card = read(job.release / "card.toml")

    assert card.texts("output.labels") == LABELS
    assert card.text("quality.split") == "test"
    assert card.number("quality.accuracy") >= 0.95
    assert card.numbers("quality.accuracy_interval")[0] <= card.number("quality.accuracy")
    assert card.whole("quality.slices.source.a.items") + card.whole("quality.slices.source.b.items") == 48
    assert card.text("training.data") == "d" * 16
    assert card.number("training.export_difference") <= 1e-4
    assert Accepts.read(card).suffixes >= {".jpg", ".png"}


def test_progress_is_found_by_the_jobs_metric_expressions(trained: Any):
    _, said = trained

    found = {name: re.findall(expression, said) for name, expression in METRICS.items()}

    assert {len(values) for values in found.values()} == {10}
    assert float(found["validation:loss"][-1]) < float(found["validation:loss"][0])


def test_8_bits_are_taken_where_they_cost_no_more_than_allowed(trainer: Path, tmp_path: Path):
    job = Job(trainer, tmp_path)
    list_stripes(job)
    wide = {
        **SMALL,
        r"layers = .*": 'layers = ["conv16", "pool", "dense32"]',
        r"quality_loss = .*": "quality_loss = 0.05",
    }
    job.tell(recipe("small", wide), task="classifier")

    done = job.run()

    card = read(job.release / "card.toml")
    assert done.returncode == 0
    assert card.switch("training.int8")
    assert card.number("training.int8_loss") <= 0.05
    assert shelved(job).name == "trained"


@pytest.mark.parametrize(
    ("settings", "changes", "reason"),
    [
        ({"task": "classify"}, {}, "BadRecipe: hyperparameter task 'classify'"),
        (
            {"task": "classifier"},
            {r"layers = .*": 'layers = ["convolution"]'},
            "there is no layer 'convolution'",
        ),
        (
            {"task": "classifier"},
            {r"answer = .*": 'answer = "sigmoid"'},
            "sigmoid cannot answer with 3 labels",
        ),
    ],
)
def test_a_job_that_cannot_be_done_says_why(
    trainer: Path, tmp_path: Path, settings: dict[str, str], changes: dict[str, str], reason: str
):
    job = Job(trainer, tmp_path)
    list_stripes(job)
    job.tell(recipe("small", {**SMALL, **changes}), **settings)

    assert job.run().returncode == 1
    assert reason in job.failure


def test_a_channel_that_is_missing_is_named(trainer: Path, tmp_path: Path):
    job = Job(trainer, tmp_path)
    job.tell(recipe("small", SMALL), task="classifier")

    assert job.run().returncode == 1
    assert "channel train" in job.failure
