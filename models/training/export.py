"""Writes a release's folder: the network, the card with its quality table, and golden outputs."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import tomli_w
from numpy.typing import NDArray

from models.evaluation.identification import IdentificationEvaluation
from models.evaluation.metrics import ClassifierEvaluation
from models.training.export_check import run_onnx
from vigil.statistics import Interval


def classifier_quality(evaluation: ClassifierEvaluation, split: str) -> dict[str, Any]:
    return {
        "split": split,
        "items": evaluation.items,
        **_rounded_figures(evaluation.figures),
        "labels": {label: _rounded_rates(rates) for label, rates in evaluation.by_class.items()},
        "slices": _rounded_slices(evaluation.slices),
    }


def identification_quality(identification: IdentificationEvaluation, split: str) -> dict[str, Any]:
    misses = {
        f"fnir_at_fpir_{miss.fpir:g}".replace(".", "_"): miss
        for miss in identification.miss_rates
        if miss.is_resolved
    }
    return {
        "split": split,
        "probes": identification.probes,
        **_rounded_figures(
            {"rank_one": identification.rank_one, **{name: miss.fnir for name, miss in misses.items()}}
        ),
        "slices": _rounded_slices(identification.slices),
    }


def _rounded_figures(figures: Mapping[str, Interval]) -> dict[str, Any]:
    """Each figure with its interval; undefined figures are left out."""
    rounded: dict[str, Any] = {}
    for name, figure in figures.items():
        if not math.isnan(figure.value):
            rounded[name] = round(figure.value, 4)
            rounded[f"{name}_interval"] = [round(figure.low, 4), round(figure.high, 4)]
    return rounded


def _rounded_slices(slices: Mapping[str, Mapping[str, Mapping[str, Interval]]]) -> dict[str, Any]:
    return {
        name: {
            value: {"items": _item_count(figures), **_rounded_figures(figures)}
            for value, figures in values.items()
        }
        for name, values in slices.items()
    }


def _item_count(figures: Mapping[str, Interval]) -> int:
    return max((figure.items for figure in figures.values()), default=0)


def _rounded_rates(rates: Mapping[str, float]) -> dict[str, float]:
    return {name: round(rate, 4) for name, rate in rates.items()}


GOLDEN_SEED = 7
GOLDEN_TOLERANCE = 0.02
"""Relative to the largest output: processors round 8-bit sums differently."""


def write_release(folder: Path, model: onnx.ModelProto, card: Mapping[str, Any]) -> None:
    """Write the folder; the card last, because a folder without a card is not a model."""
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / "model.onnx")
    (folder / "golden.toml").write_text(_golden_toml(model), "utf-8")
    (folder / "card.toml").write_text(tomli_w.dumps(card), "utf-8")


def _golden_toml(model: onnx.ModelProto) -> str:
    """Seeded noise, and the first values and the mean of its outputs."""
    shape = [1, *(size.dim_value for size in model.graph.input[0].type.tensor_type.shape.dim[1:])]
    noise = np.random.default_rng(GOLDEN_SEED).uniform(-1, 1, shape).astype(np.float32)
    output: NDArray[np.float32] = run_onnx(model, noise)
    noise_table = {
        "seed": GOLDEN_SEED,
        "shape": shape,
        "output": model.graph.output[0].name,
        "output_shape": list(output.shape),
        "first": [round(float(value), 5) for value in output.ravel()[:6]],
        "mean": round(float(output.mean()), 5),
        "tolerance": round(GOLDEN_TOLERANCE * max(1.0, float(np.abs(output).max())), 5),
    }
    return (
        f"# The model's outputs, measured when it was exported.\n\n{tomli_w.dumps({'noise': [noise_table]})}"
    )
