"""An evaluation as plain values, for JSON; what is undefined is null."""

import math
from collections.abc import Mapping
from typing import Any

from vigil.learn.evaluation import Evaluation, Figures, Identification, Sliced
from vigil.learn.interval import Interval


def classifier(found: Evaluation) -> dict[str, Any]:
    return {
        "kind": "classifier",
        "items": found.items,
        "labels": list(found.labels),
        "figures": _figures(found.figures),
        "by_class": {label: dict(rates) for label, rates in found.by_class.items()},
        "confusion": found.matrix.tolist(),
        "reliability": [
            {"count": part.count, "confidence": part.confidence, "accuracy": part.accuracy}
            for part in found.reliability.bins
        ],
        "slices": _slices(found.slices),
    }


def identification(found: Identification) -> dict[str, Any]:
    misses = [
        {"fpir": one.fpir, "resolved": one.resolved, "threshold": one.threshold, "fnir": _interval(one.fnir)}
        for one in found.misses
    ]
    return {
        "kind": "identification",
        "items": found.probes,
        "figures": _figures({"rank_one": found.rank_one}),
        "misses": misses,
        "slices": _slices(found.slices),
    }


def _slices(slices: Sliced) -> dict[str, Any]:
    return {name: {value: _figures(of) for value, of in values.items()} for name, values in slices.items()}


def _figures(figures: Figures | Mapping[str, Interval]) -> dict[str, Any]:
    return {name: _interval(figure) for name, figure in figures.items()}


def _interval(figure: Interval) -> dict[str, Any]:
    return {
        "value": _number(figure.value),
        "low": _number(figure.low),
        "high": _number(figure.high),
        "items": figure.items,
    }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
