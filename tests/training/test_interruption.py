"""A job that was killed, or asked to leave, ends with the very weights that it would have had."""

import re
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.training.jobs import SMALL, Job, pack_stripes, recipe

SLOW = {**SMALL, r"checkpoint_s = .*": "checkpoint_s = 0.0", r"epochs = .*": "epochs = 5"}


@pytest.fixture(scope="module")
def undisturbed(trainer: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    job = prepared(trainer, tmp_path_factory.mktemp("undisturbed"))
    assert job.run().returncode == 0
    return (job.release / "model.onnx").read_bytes()


KEPT = """
import sys
from pathlib import Path
from models.training import __main__
from models.training.progress import Progress

tell = Progress.epoch

def told(progress, number, **figures):
    print("kept", Path(sys.argv[2], "checkpoints", "checkpoint.pt").is_file())
    tell(progress, number, **figures)

Progress.epoch = told
__main__.main()
"""
"""A job that says before each epoch's line whether there is a checkpoint."""


def prepared(trainer: Path, root: Path) -> Job:
    job = Job(trainer, root)
    pack_stripes(job)
    job.tell(recipe("small", SLOW), task="classifier")
    return job


def disturb(job: Job, number: signal.Signals, *more: str) -> tuple[int, str]:
    """Send a signal after the second epoch; the exit status, and what was said from then on."""
    with job.start(*more) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("epoch=1"):
                process.send_signal(number)
                break
        rest = process.stdout.read()
    return process.returncode, rest


def test_a_killed_job_resumes_and_ends_with_the_same_weights(
    trainer: Path, tmp_path: Path, undisturbed: bytes
):
    job = prepared(trainer, tmp_path)

    status, _ = disturb(job, signal.SIGKILL)
    again = job.run()

    assert (status, again.returncode) == (-signal.SIGKILL, 0)
    assert again.stdout.splitlines()[1].startswith("resumed")
    assert (job.release / "model.onnx").read_bytes() == undisturbed


def test_an_epoch_that_was_told_is_kept(trainer: Path, tmp_path: Path):
    """Who kills a job right after the line has nothing to fear for that epoch."""
    job = prepared(trainer, tmp_path)
    job.tell(recipe("small", SLOW | {r"checkpoint_s = .*": "checkpoint_s = 600.0"}), task="classifier")

    done = job.finished([str(trainer), "-c", KEPT, "--root", str(tmp_path), "--threads", "1"])

    assert done.returncode == 0
    assert re.findall(r"epoch=\d|kept \w+", done.stdout)[:2] == ["kept True", "epoch=0"]


def test_a_job_asked_to_leave_keeps_its_place_and_leaves_cleanly(
    trainer: Path, tmp_path: Path, undisturbed: bytes
):
    job = prepared(trainer, tmp_path)

    status, said = disturb(job, signal.SIGTERM)
    left = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    model = job.release.exists()
    again = job.run()

    assert (status, model, left) == (0, False, ["checkpoint.pt"])
    assert "interrupted at epoch" in said
    assert not (tmp_path / "output" / "failure").exists()
    assert again.returncode == 0
    assert (job.release / "model.onnx").read_bytes() == undisturbed


def test_a_damaged_checkpoint_is_no_checkpoint(trainer: Path, tmp_path: Path, undisturbed: bytes):
    job = prepared(trainer, tmp_path)
    job.write("checkpoints/checkpoint.pt", "half a checkp")

    assert job.run().returncode == 0
    assert (job.release / "model.onnx").read_bytes() == undisturbed


def test_two_processes_leave_together(trainer: Path, tmp_path: Path):
    job = prepared(trainer, tmp_path)

    status, said = disturb(job, signal.SIGTERM, "--processes", "2")

    assert status == 0
    assert said.count("interrupted at epoch") == 1
    assert (tmp_path / "checkpoints" / "checkpoint.pt").exists()
    assert not (tmp_path / "output" / "failure").exists()


def test_a_checkpoint_of_another_recipe_is_not_taken_up(trainer: Path, tmp_path: Path):
    job = prepared(trainer, tmp_path)
    disturb(job, signal.SIGKILL)
    job.tell(recipe("small", {**SLOW, r"seed = .*": "seed = 8"}), task="classifier")

    assert job.run().stdout.splitlines()[1].startswith("epoch=0")
