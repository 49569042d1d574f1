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

from tests.training.jobs import Job, faces, people, recipe
from tests.training.tiny import BACKBONE, backbone
from vigil.predict.table import read

QUICK = {
    r"epochs = .*": "epochs = 12",
    r"rate = .*": "rate = 1e-2",
    r"quality_loss = .*": "quality_loss = -1.0",
}


def with_people(trainer: Path, root: Path) -> Job:
    job = Job(trainer, root)
    for channel, first, count in (("train", 0, 80), ("validation", 100, 45), ("test", 200, 60)):
        job.pack(channel, **people(first, count, 6))
    job.tell(recipe("embedding", QUICK), task="embedding")
    return job


def with_faces(trainer: Path, root: Path, unfreeze: str, quality_loss: float = -1.0) -> Job:
    job = Job(trainer, root)
    for channel, first, count in (("train", 0, 20), ("validation", 100, 20), ("test", 200, 20)):
        job.pack(channel, **faces(first, count, 4))
    changes = {r"epochs = .*": "epochs = 3", r"quality_loss = .*": f"quality_loss = {quality_loss}"}
    job.tell(recipe("embedding", {**QUICK, **changes}), task="embedding", unfreeze=unfreeze)
    job.write("input/data/backbone/card.toml", BACKBONE)
    onnx.save(backbone(), job.root / "input/data/backbone/model.onnx")
    return job


def vectors(path: Path, **inputs: Any) -> Any:
    return ort.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, inputs)[0]


def test_people_never_seen_are_missed_less_often(trainer: Path, tmp_path: Path):
    job = with_people(trainer, tmp_path)

    done = job.run()

    card = read(job.release / "card.toml")
    assert done.returncode == 0, done.stderr[-2000:]
    before, after = (card.number(f"quality{part}.rank_one") for part in (".before", ""))
    assert after > before + 0.1
    assert vectors(job.release / "model.onnx", vectors=np.ones((2, 32), np.float32)).shape == (2, 32)


def test_two_processes_learn_as_one_and_leave_one_release(trainer: Path, tmp_path: Path):
    job = with_people(trainer, tmp_path)

    done = job.run("--processes", "2")

    card = read(job.release / "card.toml")
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(re.findall("^epoch=0 ", done.stdout, re.MULTILINE)) == 1
    assert card.number("quality.rank_one") > card.number("quality.before.rank_one") + 0.1


@pytest.fixture(scope="module")
def released(trainer: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Job]:
    """A job that left the backbone frozen and one that did not, both done."""
    jobs = {said: with_faces(trainer, tmp_path_factory.mktemp(said), said) for said in ("false", "true")}
    for job in jobs.values():
        done = job.run()
        assert done.returncode == 0, done.stderr[-2000:]
    return jobs


@pytest.mark.parametrize(("unfreeze", "moved"), [("false", False), ("true", True)])
def test_the_backbone_moves_only_where_it_is_unfrozen(
    released: Mapping[str, Job], unfreeze: str, moved: bool
):
    job = released[unfreeze]

    model = onnx.load(job.release / "model.onnx")
    held = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    given = {tensor.name: numpy_helper.to_array(tensor) for tensor in backbone().graph.initializer}
    assert [np.allclose(held[name], given[name], atol=1e-7) for name in ("k1", "slope", "k3")] == [
        not moved
    ] * 3
    assert vectors(job.release / "model.onnx", input=np.zeros((2, 3, 12, 12), np.float32)).shape == (2, 16)


def test_eight_bits_are_taken_where_they_cost_no_more_than_the_recipe_allows(
    trainer: Path, tmp_path: Path, released: Mapping[str, Job]
):
    job = with_faces(trainer, tmp_path, "false", quality_loss=1.0)

    done = job.run()

    plain, small = (one.release / "model.onnx" for one in (released["false"], job))
    cards = [read(path.parent / "card.toml") for path in (plain, small)]
    assert done.returncode == 0, done.stderr[-2000:]
    assert [card.switch("training.int8") for card in cards] == [False, True]
    assert small.stat().st_size < plain.stat().st_size
    shown = np.random.default_rng(1).uniform(-1, 1, (8, 3, 12, 12)).astype(np.float32)
    one, other = (vectors(path, input=shown) for path in (plain, small))
    likeness = (one * other).sum(axis=1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)
    assert likeness.min() > 0.97


def test_the_new_card_is_the_backbones_but_not_its_source(released: Mapping[str, Job]):
    card = read(released["true"].release / "card.toml")
    assert (card.text("input.channels"), card.text("output.vector"), card.text("licence.spdx")) == (
        "bgr",
        "output",
        "MIT",
    )
    assert "source" not in card
    assert len(card.numbers("calibration.fmr")) == len(card.numbers("calibration.cosine"))


def test_nobody_may_be_in_two_splits(trainer: Path, tmp_path: Path):
    job = with_people(trainer, tmp_path)
    job.pack("test", **people(0, 10, 6))

    assert job.run().returncode == 1
    assert "10 people are in both train and test" in job.failure


def test_there_is_nothing_to_unfreeze_without_a_backbone(trainer: Path, tmp_path: Path):
    job = with_people(trainer, tmp_path)
    job.tell(recipe("embedding", QUICK), task="embedding", unfreeze="true")

    assert job.run("--processes", "2").returncode == 1
    assert job.failure.startswith("BadRecipe: unfreeze needs a channel named backbone")
