"""A model's answers on a labelled data set become everything that we report, with intervals and by slice."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vigil.learn.confusion import confusion
from vigil.learn.curves import Curve, precision_recall, roc
from vigil.learn.identification import MissRate, Searches, miss_rate, rank_one
from vigil.learn.interval import Interval
from vigil.learn.intervals import Resampling
from vigil.learn.measures import counted, measured, sureness
from vigil.learn.reliability import Reliability
from vigil.learn.scored import Scored, Slices

FPIRS = (0.01, 0.001)
BY_SLICE = ("accuracy", "macro_f1", "auc")

Figures = Mapping[str, Interval]
Sliced = Mapping[str, Mapping[str, Figures]]
"""{"source": {"door": {"accuracy": …}}}"""


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """All that was measured of a classifier.

    figures    each of measures.MEASURES
    by_class   precision, recall and f1 of each label
    matrix     (C, C) int64: rows meant, columns said
    roc, pr    by label; of two classes only the second's
    """

    labels: tuple[str, ...]
    items: int
    figures: Figures
    by_class: Mapping[str, Mapping[str, float]]
    matrix: NDArray[np.int64]
    roc: Mapping[str, Curve]
    pr: Mapping[str, Curve]
    reliability: Reliability
    slices: Sliced


@dataclass(frozen=True, slots=True, eq=False)
class Identification:
    """All that was measured of a search in a gallery."""

    probes: int
    rank_one: Interval
    misses: tuple[MissRate, ...]
    slices: Sliced


def evaluate(scored: Scored, how: Resampling | None = None) -> Evaluation:
    """Measure a classifier."""
    sure, rates = scored.probabilities, counted(scored)
    return Evaluation(
        labels=scored.labels,
        items=len(scored),
        figures=measured(scored, how=how),
        by_class={
            label: {"precision": rates.precision[n], "recall": rates.recall[n], "f1": rates.f1[n]}
            for n, label in enumerate(scored.labels)
        },
        matrix=confusion(scored.truth, scored.said, len(scored.labels)),
        roc={scored.labels[n]: roc(scored.truth == n, sure[:, n]) for n in scored.positives},
        pr={scored.labels[n]: precision_recall(scored.truth == n, sure[:, n]) for n in scored.positives},
        reliability=sureness(scored),
        slices={
            name: {
                value: measured(scored.only(items), BY_SLICE, how) for value, items in parts(values).items()
            }
            for name, values in scored.slices.items()
        },
    )


def identify(searches: Searches, slices: Slices, how: Resampling | None = None) -> Identification:
    """Measure a search. Each slice has a threshold of its own, set by its own strangers."""
    return Identification(
        probes=len(searches.subject),
        rank_one=rank_one(searches, how),
        misses=tuple(miss_rate(searches, fpir, how) for fpir in FPIRS),
        slices={
            name: {value: _searched(searches.only(items), how) for value, items in parts(values).items()}
            for name, values in slices.items()
        },
    )


def parts(values: tuple[str, ...]) -> dict[str, NDArray[np.int64]]:
    """The indices that hold each value, in order of value."""
    held = np.asarray(values)
    return {value: np.flatnonzero(held == value) for value in sorted(set(values))}


def _searched(searches: Searches, how: Resampling | None) -> Figures:
    fnir = {f"fnir_at_fpir_{fpir:g}": miss_rate(searches, fpir, how).fnir for fpir in FPIRS[:1]}
    return {"rank_one": rank_one(searches, how), **fnir}
