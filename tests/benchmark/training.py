"""Training speed in steps per second and peak memory at the sizes of the recipes, on a GPU if available."""

import json
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.training.environment import (
    ROOT,
    TrainingEnvironmentError,
    training_command,
    training_environment,
    training_python,
)

RECIPES = ROOT / "models" / "training" / "recipes"
PROGRESS_PATTERN = re.compile(r"steps_per_s=(\S+) peak_memory_mb=(\S+)")
EPOCHS = 2
"""Runs per recipe; the first is warm-up."""

TIMEOUT_S = 240
SIDE_PX = 128
EMBEDDING_LENGTH = 512


def measure_training() -> dict[str, Any]:
    """Return figures by recipe and the device; an empty result if torch cannot be installed."""
    try:
        python = training_python()
    except TrainingEnvironmentError as error:
        return {"details": {"training": str(error)}}
    jobs = {"reference": _random_images, "embedding": _random_vectors}
    measured = {recipe: _run_recipe(python, recipe, make) for recipe, make in jobs.items()}
    return {
        "training_steps_per_second": {recipe: steps for recipe, (steps, _, _) in measured.items()},
        "training_peak_mb": {recipe: peak for recipe, (_, peak, _) in measured.items()},
        "details": {"training": measured["reference"][2]},
    }


def _run_recipe(python: Path, recipe: str, make_data: Any) -> tuple[float, float, str]:
    """Return steps per second, peak MB and device of a short job at the size of the recipe."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for seed, split in enumerate(("train", "validation", "test")):
            channel_dir = root / "input" / "data" / split
            channel_dir.mkdir(parents=True)
            np.savez(channel_dir / "set.npz", **make_data(np.random.default_rng(seed), split))
        _write_job_config(root, recipe)
        completed = subprocess.run(
            training_command(python, root, "--threads", "1"),  # several wait for one another by spinning
            cwd=ROOT,
            env=dict(training_environment()),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    measurements = PROGRESS_PATTERN.findall(completed.stdout)
    if completed.returncode or not measurements:
        raise RuntimeError(f"training {recipe} ended with {completed.returncode}: {completed.stderr[-500:]}")
    steps, peak = measurements[-1]
    return (
        round(float(steps), 2),
        round(float(peak), 1),
        completed.stdout.splitlines()[0].removeprefix("device "),
    )


def _write_job_config(root: Path, recipe: str) -> None:
    task = "embedding" if recipe == "embedding" else "classifier"
    config, recipe_dir = root / "input" / "config", root / "input" / "data" / "recipe"
    config.mkdir()
    recipe_dir.mkdir()
    hyperparameters = {"task": task, "model": recipe, "data": "noise"}
    (config / "hyperparameters.json").write_text(json.dumps(hyperparameters), "utf-8")
    text = (RECIPES / f"{recipe}.toml").read_text("utf-8")
    (recipe_dir / "recipe.toml").write_text(re.sub(r"(?m)^epochs = .*", f"epochs = {EPOCHS}", text), "utf-8")


def _random_images(rng: np.random.Generator, split: str) -> dict[str, NDArray[Any]]:
    """Random pixels: speed does not depend on content."""
    count = 128 if split == "train" else 24
    images = rng.integers(0, 255, (count, SIDE_PX, SIDE_PX, 3)).astype(np.uint8)
    return {"images": images, "labels": np.arange(count) % 2}


def _random_vectors(rng: np.random.Generator, split: str) -> dict[str, NDArray[Any]]:
    """Forty people per split; no person is in two splits."""
    vectors = rng.normal(0, 1, (800, EMBEDDING_LENGTH)).astype(np.float32)
    return {"vectors": vectors, "labels": np.array([f"{split}-{n % 40}" for n in range(len(vectors))])}
