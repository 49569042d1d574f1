"""Known people's faces become an embedding that tells people never seen apart better."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import numpy_helper

from tests.models.training.jobs import (
    LocalJob,
    card_values,
    face_images,
    person_vectors,
    recipe_text,
)
from tests.models.training.tiny_network import BACKBONE_CARD, tiny_backbone

SHORT_FIT = {
    r"epochs = .*": "epochs = 12",
    r"learning_rate = .*": "learning_rate = 1e-2",
    r"max_quality_loss = .*": "max_quality_loss = -1.0",
}


def vector_job(trainer: Path, root: Path) -> LocalJob:
    job = LocalJob(trainer, root)
    for channel, first, count in (("train", 0, 80), ("validation", 100, 45), ("test", 200, 60)):
        job.write_arrays(channel, **person_vectors(first, count, 6))
    job.configure(recipe_text("embedding", SHORT_FIT), task="embedding")
    return job


def image_job(trainer: Path, root: Path, unfreeze: str, quality_loss: float = -1.0) -> LocalJob:
    job = LocalJob(trainer, root)
    for channel, first, count in (("train", 0, 20), ("validation", 100, 20), ("test", 200, 20)):
        job.write_arrays(channel, **face_images(first, count, 4))
    changes = {r"epochs = .*": "epochs = 3", r"max_quality_loss = .*": f"max_quality_loss = {quality_loss}"}
    job.configure(recipe_text("embedding", {**SHORT_FIT, **changes}), task="embedding", unfreeze=unfreeze)
    job.write_text("input/data/backbone/card.toml", BACKBONE_CARD)
    onnx.save(tiny_backbone(), job.root / "input/data/backbone/model.onnx")
    return job


def run_network(path: Path, **inputs: Any) -> Any:
    return ort.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, inputs)[0]


def test_identification_of_new_subjects_improves(trainer: Path, tmp_path: Path):
    job = vector_job(trainer, tmp_path)

    done = job.run()

    card = card_values(job.release)
    assert done.returncode == 0, done.stderr[-2000:]
    before, after = (card[f"quality{part}.rank_one"] for part in (".before", ""))
    assert after > before + 0.1
    assert run_network(job.release / "model.onnx", vectors=np.ones((2, 32), np.float32)).shape == (2, 32)


def test_two_processes_train_one_release(trainer: Path, tmp_path: Path):
    job = vector_job(trainer, tmp_path)

    done = job.run("--processes", "2")

    card = card_values(job.release)
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(re.findall("^epoch=0 ", done.stdout, re.MULTILINE)) == 1
    assert card["quality.rank_one"] > card["quality.before.rank_one"] + 0.1


@pytest.fixture(scope="module")
def released(trainer: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, LocalJob]:
    """A job that left the backbone frozen and one that did not, both done."""
    jobs = {said: image_job(trainer, tmp_path_factory.mktemp(said), said) for said in ("false", "true")}
    for job in jobs.values():
        done = job.run()
        assert done.returncode == 0, done.stderr[-2000:]
    return jobs


@pytest.mark.parametrize(("unfreeze", "moved"), [("false", False), ("true", True)])
def test_the_backbone_moves_only_where_it_is_unfrozen(
    released: Mapping[str, LocalJob], unfreeze: str, moved: bool
):
    job = released[unfreeze]

    model = onnx.load(job.release / "model.onnx")
    held = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    given = {tensor.name: numpy_helper.to_array(tensor) for tensor in tiny_backbone().graph.initializer}
    assert [np.allclose(held[name], given[name], atol=1e-7) for name in ("k1", "slope", "k3")] == [
        not moved
    ] * 3
    assert run_network(job.release / "model.onnx", input=np.zeros((2, 3, 12, 12), np.float32)).shape == (
        2,
        16,
    )


def test_eight_bits_are_taken_where_they_cost_no_more_than_the_recipe_allows(
    trainer: Path, tmp_path: Path, released: Mapping[str, LocalJob]
):
    job = image_job(trainer, tmp_path, "false", quality_loss=1.0)

    done = job.run()

    plain, small = (one.release / "model.onnx" for one in (released["false"], job))
    cards = [card_values(path.parent) for path in (plain, small)]
    assert done.returncode == 0, done.stderr[-2000:]
    assert [card["training.int8"] for card in cards] == [False, True]
    assert small.stat().st_size < plain.stat().st_size
    examples = np.random.default_rng(1).uniform(-1, 1, (8, 3, 12, 12)).astype(np.float32)
    one, other = (run_network(path, input=examples) for path in (plain, small))
    similarity = (one * other).sum(axis=1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)
    assert similarity.min() > 0.97


def test_the_new_card_is_the_backbones_but_not_its_source(released: Mapping[str, LocalJob]):
    card = card_values(released["true"].release)
    assert (card["input.channels"], card["output.vector"], card["licence.spdx"]) == (
        "bgr",
        "output",
        "MIT",
    )
    assert not [name for name in card if name.startswith("source.")]
    assert len(card["calibration.fmr"]) == len(card["calibration.cosine"])


def test_a_subject_in_two_splits_is_an_error(trainer: Path, tmp_path: Path):
    job = vector_job(trainer, tmp_path)
    job.write_arrays("test", **person_vectors(0, 10, 6))

    assert job.run().returncode == 1
    assert "10 people are in both train and test" in job.failure


def test_unfreeze_without_a_backbone_is_an_error(trainer: Path, tmp_path: Path):
    job = vector_job(trainer, tmp_path)
    job.configure(recipe_text("embedding", SHORT_FIT), task="embedding", unfreeze="true")

    assert job.run("--processes", "2").returncode == 1
    assert job.failure.startswith("InvalidRecipe: unfreeze needs a channel named backbone")
