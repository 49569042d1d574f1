"""Training jobs to run here: their folders, and data that is quickly learned."""

import json
import re
import subprocess
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from models.training.environment import ROOT, training_command, training_environment
from tests.fakes.memory import NOON
from vigil.training.dataset import format_manifest
from vigil.training.examples import DatasetEntry, Split

RECIPES = ROOT / "models" / "training" / "recipes"
LABELS = ("across", "down", "plain")
SMALL_NETWORK: Mapping[str, str] = {
    r"layers = .*": 'layers = ["conv8", "conv8", "mean", "dense16"]',
    r"size = .*": "size = [16, 16]",
    r"epochs = .*": "epochs = 10",
    r"batch_size = .*": "batch_size = 16",
    r"rotate_deg = .*": "rotate_deg = 0.0",
    r"learning_rate = .*": "learning_rate = 1e-2",
    r"max_quality_loss = .*": "max_quality_loss = -1.0",
    r"dropout = .*": "dropout = 0.0",
}


@dataclass(frozen=True)
class LocalJob:
    """One job's folders and the interpreter that runs it."""

    python: Path
    root: Path

    def configure(self, recipe: str, **settings: str) -> None:
        """Write its hyperparameters and recipe, as SageMaker would lay them out."""
        hyperparameters = {"model": "trained", "data": "d" * 16, **settings}
        self.write_text("input/config/hyperparameters.json", json.dumps(hyperparameters))
        self.write_text("input/data/recipe/recipe.toml", recipe)

    def write_arrays(self, channel: str, **arrays: Any) -> None:
        folder = self.root / "input" / "data" / channel
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(folder / "set.npz", **arrays)

    def write_text(self, path: str, text: str) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")

    def run(self, *more: str) -> subprocess.CompletedProcess[str]:
        return self.run_command(training_command(self.python, self.root, "--threads", "1", *more))

    def run_command(self, arguments: list[str]) -> subprocess.CompletedProcess[str]:
        """A command, run to its end as a job is."""
        return subprocess.run(
            arguments,
            cwd=ROOT,
            env=dict(training_environment()),
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )

    def start(self, *more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            training_command(self.python, self.root, "--threads", "1", *more),
            cwd=ROOT,
            env=dict(training_environment()),
            stdout=subprocess.PIPE,
            text=True,
        )

    @property
    def release(self) -> Path:
        return self.root / "model" / "trained"

    @property
    def failure(self) -> str:
        return (self.root / "output" / "failure").read_text("utf-8")


def recipe_text(name: str, changes: Mapping[str, str]) -> str:
    """A recipe of the package with some lines changed; each of them must exist."""
    text = (RECIPES / f"{name}.toml").read_text("utf-8")
    for line, replacement in changes.items():
        text, count = re.subn(f"(?m)^{line}", replacement, text)
        assert count, f"{name}.toml has no line {line}"
    return text


def striped_images(count: int, seed: int) -> tuple[Any, Any]:
    """(N, 16, 16) uint8 pictures of three kinds, noisy, and which kind each is."""
    rng = np.random.default_rng(seed)
    kinds = np.arange(count) % 3
    pictures = rng.integers(0, 120, (count, 16, 16)).astype(np.uint8)
    for n, kind in enumerate(kinds):
        if kind == 0:
            pictures[n, rng.integers(0, 3) :: 3, :] += 110
        elif kind == 1:
            pictures[n, :, rng.integers(0, 3) :: 3] += 110
    return pictures, kinds


def write_striped_arrays(job: LocalJob) -> None:
    for seed, (channel, count) in enumerate((("train", 192), ("validation", 48), ("test", 48))):
        pictures, kinds = striped_images(count, seed)
        job.write_arrays(channel, images=pictures, labels=kinds, names=np.array(LABELS))


def write_striped_manifest(job: LocalJob) -> None:
    """The same as files with a manifest, with the door that each came from."""
    splits: tuple[tuple[Split, int], ...] = (("train", 192), ("validation", 48), ("test", 48))
    for seed, (split, count) in enumerate(splits):
        folder = job.root / "input" / "data" / split
        folder.mkdir(parents=True)
        entries = []
        for n, (picture, kind) in enumerate(zip(*striped_images(count, seed), strict=True)):
            Image.fromarray(picture).save(folder / f"{n}.png")
            slices = {"source": "ab"[n // 3 % 2]}
            entries.append(
                DatasetEntry(f"{n}.png", "", LABELS[kind], split, f"g{n}", "reviewer", NOON, slices)
            )
        (folder / "manifest.jsonl").write_text(format_manifest(entries), "utf-8")


def person_vectors(first: int, count: int, each: int) -> dict[str, Any]:
    """Vectors in which who one is shows in 8 of 32 numbers, and the louder rest is noise."""
    rng = np.random.default_rng(first)
    subjects = np.repeat(rng.normal(0, 1, (count, 8)), each, axis=0) + rng.normal(0, 0.3, (count * each, 8))
    noise = rng.normal(0, 0.8, (count * each, 24))
    names = np.repeat([f"p{first + n}" for n in range(count)], each)
    return {"vectors": np.hstack([subjects, noise]).astype(np.float32), "labels": names}


def face_images(first: int, count: int, each: int) -> dict[str, Any]:
    """Pictures of 12 x 12 that differ more between people than within."""
    rng = np.random.default_rng(first)
    subjects = np.repeat(rng.integers(40, 215, (count, 12, 12, 3)), each, axis=0)
    images = np.clip(subjects + rng.normal(0, 25, subjects.shape), 0, 255).astype(np.uint8)
    return {"images": images, "labels": np.repeat([f"q{first + n}" for n in range(count)], each)}


def card_values(folder: Path) -> dict[str, Any]:
    """The values of a release's card.toml by dotted key, such as "quality.accuracy"."""
    values: dict[str, Any] = {}
    tables: list[tuple[str, dict[str, Any]]] = [
        ("", tomllib.loads((folder / "card.toml").read_text("utf-8")))
    ]
    while tables:
        prefix, table = tables.pop()
        for name, value in table.items():
            if isinstance(value, dict):
                tables.append((f"{prefix}{name}.", value))
            else:
                values[f"{prefix}{name}"] = value
    return values
