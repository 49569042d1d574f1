"""A finished release as a folder: the graph, its card, and what it answers for known input."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from models.training import toml
from models.training.prove import answers

GOLDEN_SEED = 7
SLACK = 0.02
"""Of the largest answer: other processors round 8-bit sums otherwise."""


def leave(folder: Path, model: onnx.ModelProto, card: Mapping[str, Any]) -> None:
    """Write the folder; the card last, since a shelf takes a folder without one for no model."""
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / "model.onnx")
    (folder / "golden.toml").write_text(_golden(model), "utf-8")
    (folder / "card.toml").write_text(toml.written(card), "utf-8")


def _golden(model: onnx.ModelProto) -> str:
    """Seeded noise, and the beginning and mean of what the graph makes of it."""
    shape = [1, *(size.dim_value for size in model.graph.input[0].type.tensor_type.shape.dim[1:])]
    noise = np.random.default_rng(GOLDEN_SEED).uniform(-1, 1, shape).astype(np.float32)
    given: NDArray[np.float32] = answers(model, noise)
    table = {
        "seed": GOLDEN_SEED,
        "shape": shape,
        "output": model.graph.output[0].name,
        "output_shape": list(given.shape),
        "first": [round(float(value), 5) for value in given.ravel()[:6]],
        "mean": round(float(given.mean()), 5),
        "tolerance": round(SLACK * max(1.0, float(np.abs(given).max())), 5),
    }
    return f"# What this very graph answers, measured when it was made.\n\n[[noise]]\n{toml.written(table)}"
