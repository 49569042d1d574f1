"""The container as far as it can be tried unbuilt: what it copies is there, and runs by itself."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from models.training.environment import ROOT, TRAINING_MODULE
from tests.models.training.jobs import (
    SMALL_NETWORK,
    LocalJob,
    recipe_text,
    write_striped_arrays,
)

DOCKERFILE = (ROOT / "models" / "training" / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
COPIES = [
    (source, target if target.rstrip("/") == target else target + Path(source).name)
    for sources, target in re.findall(r"(?m)^COPY (.+) (\S+)$", DOCKERFILE)
    for source in sources.split()
]


def test_the_container_runs_the_same_entry_point_as_this_machine():
    (entry,) = re.findall(r"(?m)^ENTRYPOINT (\[.*\])$", DOCKERFILE)

    assert json.loads(entry) == ["python", "-m", TRAINING_MODULE]


def test_installed_requirements_are_pinned_and_copied():
    installed = re.findall(r'-r "?([^\s"]+)', DOCKERFILE)

    assert installed == ["models/training/requirements.lock", "models/training/${TORCH}.lock"]
    for name in ("requirements", "torch", "torch-cpu"):
        assert f"models/training/{name}.lock" in dict(COPIES)
    assert "--require-hashes" in DOCKERFILE


def test_the_container_runs_as_the_owner_of_the_folders_that_sagemaker_mounts():
    """They belong to root, whatever the image did to /opt/ml before."""
    assert re.findall(r"(?m)^USER ", DOCKERFILE) == []


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """/opt/program, as the COPY lines lay it out, and nothing else of this project."""
    for source, target in COPIES:
        place = tmp_path / "program" / target
        place.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(
                ROOT / source, place, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            shutil.copy(ROOT / source, place)
    return tmp_path / "program"


def test_the_copied_files_are_enough_to_train(trainer: Path, program: Path, tmp_path: Path):
    job = LocalJob(trainer, tmp_path / "ml")
    write_striped_arrays(job)
    job.configure(recipe_text("small", {**SMALL_NETWORK, r"epochs = .*": "epochs = 1"}), task="classifier")

    done = subprocess.run(
        [str(trainer), "-m", TRAINING_MODULE, "--root", str(job.root), "--threads", "1"],
        cwd=program,
        env={"PYTHONPATH": str(program), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-2000:]
    assert (job.release / "model.onnx").is_file()
