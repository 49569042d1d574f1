"""A job that was killed, or asked to leave, ends with the very weights that it would have had."""

import re
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.models.training.jobs import (
    SMALL_NETWORK,
    LocalJob,
    recipe_text,
    write_striped_arrays,
)

FREQUENT_CHECKPOINTS = {
    **SMALL_NETWORK,
    r"checkpoint_interval_s = .*": "checkpoint_interval_s = 0.0",
    r"epochs = .*": "epochs = 12",
}


@pytest.fixture(scope="module")
def undisturbed(trainer: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    job = prepare_job(trainer, tmp_path_factory.mktemp("undisturbed"))
    assert job.run().returncode == 0
    return (job.release / "model.onnx").read_bytes()


CHECKPOINT_BEFORE_LOG_PROGRAM = """
import sys
from pathlib import Path
from models.training import __main__
from models.training.trainer import ProgressLog

log_epoch = ProgressLog.log_epoch

def log_epoch_and_checkpoint(progress, number, **figures):
    print("saved", Path(sys.argv[2], "checkpoints", "checkpoint.pt").is_file())
    log_epoch(progress, number, **figures)

ProgressLog.log_epoch = log_epoch_and_checkpoint
__main__.main()
"""
"""A job that says before each epoch's line whether there is a checkpoint."""


def prepare_job(trainer: Path, root: Path) -> LocalJob:
    job = LocalJob(trainer, root)
    write_striped_arrays(job)
    job.configure(recipe_text("small", FREQUENT_CHECKPOINTS), task="classifier")
    return job


def send_signal_after_epoch(job: LocalJob, number: signal.Signals, *more: str) -> tuple[int, str]:
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
    job = prepare_job(trainer, tmp_path)

    status, _ = send_signal_after_epoch(job, signal.SIGKILL)
    again = job.run()

    assert (status, again.returncode) == (-signal.SIGKILL, 0)
    assert again.stdout.splitlines()[1].startswith("resumed")
    assert (job.release / "model.onnx").read_bytes() == undisturbed


def test_an_epoch_is_checkpointed_before_it_is_logged(trainer: Path, tmp_path: Path):
    """Who kills a job right after the line has nothing to fear for that epoch."""
    job = prepare_job(trainer, tmp_path)
    job.configure(
        recipe_text(
            "small", FREQUENT_CHECKPOINTS | {r"checkpoint_interval_s = .*": "checkpoint_interval_s = 600.0"}
        ),
        task="classifier",
    )

    done = job.run_command(
        [str(trainer), "-c", CHECKPOINT_BEFORE_LOG_PROGRAM, "--root", str(tmp_path), "--threads", "1"]
    )

    assert done.returncode == 0
    assert re.findall(r"epoch=\d|saved \w+", done.stdout)[:2] == ["saved True", "epoch=0"]


def test_a_stopped_job_writes_a_checkpoint_and_exits_cleanly(
    trainer: Path, tmp_path: Path, undisturbed: bytes
):
    job = prepare_job(trainer, tmp_path)

    status, output = send_signal_after_epoch(job, signal.SIGTERM)
    left = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    model = job.release.exists()
    again = job.run()

    assert (status, model, left) == (0, False, ["checkpoint.pt"])
    assert "interrupted at epoch" in output
    assert not (tmp_path / "output" / "failure").exists()
    assert again.returncode == 0
    assert (job.release / "model.onnx").read_bytes() == undisturbed


def test_a_damaged_checkpoint_is_ignored(trainer: Path, tmp_path: Path, undisturbed: bytes):
    job = prepare_job(trainer, tmp_path)
    job.write_text("checkpoints/checkpoint.pt", "half a checkp")

    assert job.run().returncode == 0
    assert (job.release / "model.onnx").read_bytes() == undisturbed


def test_two_processes_stop_together(trainer: Path, tmp_path: Path):
    job = prepare_job(trainer, tmp_path)

    status, output = send_signal_after_epoch(job, signal.SIGTERM, "--processes", "2")

    assert status == 0
    assert output.count("interrupted at epoch") == 1
    assert (tmp_path / "checkpoints" / "checkpoint.pt").exists()
    assert not (tmp_path / "output" / "failure").exists()


def test_a_checkpoint_of_another_recipe_is_ignored(trainer: Path, tmp_path: Path):
    job = prepare_job(trainer, tmp_path)
    send_signal_after_epoch(job, signal.SIGKILL)
    job.configure(recipe_text("small", {**FREQUENT_CHECKPOINTS, r"seed = .*": "seed = 8"}), task="classifier")

    assert job.run().stdout.splitlines()[1].startswith("epoch=0")
