"""An evaluation as a card's [quality] table: each figure, its interval, and the same by slice."""

import math
from collections.abc import Mapping
from typing import Any

from vigil.learn.evaluation import Evaluation, Identification
from vigil.learn.interval import Interval


def of_classifier(evaluation: Evaluation, split: str) -> dict[str, Any]:
    return {
        "split": split,
        "items": evaluation.items,
        **_figures(evaluation.figures),
        "labels": {label: _rounded(rates) for label, rates in evaluation.by_class.items()},
        "slices": _slices(evaluation.slices),
    }


def of_search(found: Identification, split: str) -> dict[str, Any]:
    misses = {f"fnir_at_fpir_{miss.fpir:g}".replace(".", "_"): miss for miss in found.misses if miss.resolved}
    return {
        "split": split,
        "probes": found.probes,
        **_figures({"rank_one": found.rank_one, **{name: miss.fnir for name, miss in misses.items()}}),
        "slices": _slices(found.slices),
    }


def _figures(figures: Mapping[str, Interval]) -> dict[str, Any]:
    """What is undefined is left out: TOML readers differ about NaN."""
    told: dict[str, Any] = {}
    for name, figure in figures.items():
        if not math.isnan(figure.value):
            told[name] = round(figure.value, 4)
            told[f"{name}_interval"] = [round(figure.low, 4), round(figure.high, 4)]
    return told


def _slices(slices: Mapping[str, Mapping[str, Mapping[str, Interval]]]) -> dict[str, Any]:
    return {
        name: {value: {"items": _items(figures), **_figures(figures)} for value, figures in values.items()}
        for name, values in slices.items()
    }


def _items(figures: Mapping[str, Interval]) -> int:
    return max((figure.items for figure in figures.values()), default=0)


def _rounded(rates: Mapping[str, float]) -> dict[str, float]:
    return {name: round(rate, 4) for name, rate in rates.items()}
