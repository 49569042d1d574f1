"""Steps a second and peak memory of training, at the sizes of the recipes; on a GPU where one is at hand."""

import json
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from infra.trainer.environment import ROOT, NoTrainer, command, environment, trainer_python

RECIPES = ROOT / "models" / "training" / "recipes"
MEASURED = re.compile(r"steps_per_s=(\S+) peak_memory_mb=(\S+)")
EPOCHS = 2
"""The first warms up; the last is what counts."""

WAIT_S = 240
SIDE_PX = 128
LENGTH = 512


def training() -> dict[str, Any]:
    """Figures by recipe, and what they were measured on; none where torch cannot be had."""
    try:
        python = trainer_python()
    except NoTrainer as error:
        return {"details": {"training": str(error)}}
    jobs = {"reference": _pictures, "embedding": _vectors}
    measured = {recipe: _measured(python, recipe, make) for recipe, make in jobs.items()}
    return {
        "training_steps_per_second": {recipe: steps for recipe, (steps, _, _) in measured.items()},
        "training_peak_mb": {recipe: peak for recipe, (_, peak, _) in measured.items()},
        "details": {"training": measured["reference"][2]},
    }


def _measured(python: Path, recipe: str, make: Any) -> tuple[float, float, str]:
    """Steps a second, MB at most, and the device, of a short job of a recipe's own size."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for seed, split in enumerate(("train", "validation", "test")):
            home = root / "input" / "data" / split
            home.mkdir(parents=True)
            np.savez(home / "set.npz", **make(np.random.default_rng(seed), split))
        _told(root, recipe)
        done = subprocess.run(
            command(python, root, "--threads", "1"),  # several wait for one another by spinning
            cwd=ROOT,
            env=dict(environment()),
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=False,
        )
    found = MEASURED.findall(done.stdout)
    if done.returncode or not found:
        raise RuntimeError(f"training {recipe} ended with {done.returncode}: {done.stderr[-500:]}")
    steps, peak = found[-1]
    return round(float(steps), 2), round(float(peak), 1), done.stdout.splitlines()[0].removeprefix("device ")


def _told(root: Path, recipe: str) -> None:
    task = "embedding" if recipe == "embedding" else "classifier"
    config, home = root / "input" / "config", root / "input" / "data" / "recipe"
    config.mkdir()
    home.mkdir()
    told = {"task": task, "model": recipe, "data": "noise"}
    (config / "hyperparameters.json").write_text(json.dumps(told), "utf-8")
    text = (RECIPES / f"{recipe}.toml").read_text("utf-8")
    (home / "recipe.toml").write_text(re.sub(r"(?m)^epochs = .*", f"epochs = {EPOCHS}", text), "utf-8")


def _pictures(rng: np.random.Generator, split: str) -> dict[str, NDArray[Any]]:
    """Noise: how fast it is does not depend on what it shows."""
    count = 128 if split == "train" else 24
    images = rng.integers(0, 255, (count, SIDE_PX, SIDE_PX, 3)).astype(np.uint8)
    return {"images": images, "labels": np.arange(count) % 2}


def _vectors(rng: np.random.Generator, split: str) -> dict[str, NDArray[Any]]:
    """Forty people a split, each in no other."""
    vectors = rng.normal(0, 1, (800, LENGTH)).astype(np.float32)
    return {"vectors": vectors, "labels": np.array([f"{split}-{n % 40}" for n in range(len(vectors))])}
