"""Evaluates a release on a labelled dataset, and writes evaluation.json and evaluation.html."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from jinja2 import (
    Environment,
    FileSystemLoader,
    StrictUndefined,
    select_autoescape,
)
from msgspec import structs
from numpy.typing import NDArray

from models.evaluation import plots
from models.evaluation.identification import (
    IdentificationEvaluation,
    SearchScores,
    evaluate_identification,
    probe_indices,
    search_split,
)
from models.evaluation.metrics import ClassifierEvaluation, Figures, FiguresBySlice, evaluate_classifier
from models.training.data import Samples, read_channel
from vigil.errors import VigilError
from vigil.inference.card import NetworkCard, Preprocessing
from vigil.inference.classifier import ClassifierCard, OutputHead
from vigil.inference.evaluation import ScoredDataset
from vigil.inference.release import Release, open_release
from vigil.inference.session import Session, open_session
from vigil.statistics import Interval


def classifier_json(evaluation: ClassifierEvaluation) -> dict[str, Any]:
    return {
        "kind": "classifier",
        "items": evaluation.items,
        "labels": list(evaluation.labels),
        "figures": figures_json(evaluation.figures),
        "by_class": {label: dict(rates) for label, rates in evaluation.by_class.items()},
        "confusion": evaluation.confusion.tolist(),
        "reliability": [
            {"count": part.count, "confidence": part.confidence, "accuracy": part.accuracy}
            for part in evaluation.reliability.bins
        ],
        "slices": _slices_json(evaluation.slices),
    }


def identification_json(result: IdentificationEvaluation) -> dict[str, Any]:
    misses = [
        {
            "fpir": one.fpir,
            "resolved": one.is_resolved,
            "threshold": one.threshold,
            "fnir": _interval_json(one.fnir),
        }
        for one in result.miss_rates
    ]
    return {
        "kind": "identification",
        "items": result.probes,
        "figures": figures_json({"rank_one": result.rank_one}),
        "fnir_at_fpir": misses,
        "slices": _slices_json(result.slices),
    }


def _slices_json(slices: FiguresBySlice) -> dict[str, Any]:
    return {
        name: {value: figures_json(figures) for value, figures in values.items()}
        for name, values in slices.items()
    }


def figures_json(figures: Figures | Mapping[str, Interval]) -> dict[str, Any]:
    return {name: _interval_json(figure) for name, figure in figures.items()}


def _interval_json(figure: Interval) -> dict[str, Any]:
    return {
        "value": _number_or_none(figure.value),
        "low": _number_or_none(figure.low),
        "high": _number_or_none(figure.high),
        "items": figure.items,
    }


def _number_or_none(value: float) -> float | None:
    return None if math.isnan(value) else value


class IncompatibleDataset(VigilError):
    """The release and the dataset do not match; the message says why."""


@dataclass(frozen=True, slots=True, eq=False)
class IdentificationRun:
    """The search scores and the slices of the probes."""

    searches: SearchScores
    slices: dict[str, tuple[str, ...]]


def run_release(release: Release, folder: Path) -> ScoredDataset | IdentificationRun:
    """A classifier's scores, or an embedding's searches, in which one person in three is not enrolled.

    folder  one split: manifest.jsonl with its files, or .npz sets.
            Raises IncompatibleDataset, InvalidToml, InvalidTrainingData
    """
    preprocessing = release.convert_card(NetworkCard).input
    samples = read_channel(folder, _unnormalised(preprocessing))
    if not len(samples):
        raise IncompatibleDataset(f"{folder} has no items")
    session = open_session(release)
    output = release.card_file.values.get("output", {})
    if "labels" in output:
        head = release.convert_card(ClassifierCard).output
        return _score_classifier(samples, head, session, preprocessing)
    if "vector" not in output:
        raise IncompatibleDataset(f"{release.name} is neither a classifier nor an embedder")
    vectors = np.stack(_run_network(samples, session, output["vector"], preprocessing))
    probes = probe_indices(samples.labels)
    slices = {name: tuple(values[n] for n in probes) for name, values in samples.slices.items()}
    return IdentificationRun(search_split(vectors, samples.labels), slices)


def _score_classifier(
    samples: Samples, head: OutputHead, session: Session, preprocessing: Preprocessing
) -> ScoredDataset:
    outputs = _run_network(samples, session, head.name, preprocessing)
    scores = np.stack([head.scores(raw) for raw in outputs]).astype(np.float64)
    labels = _match_labels(head.labels, samples.labels)
    return ScoredDataset(
        labels, samples.class_indices(labels), scores, head.threshold, samples.groups, samples.slices
    )


def _run_network(
    samples: Samples, session: Session, output: str, preprocessing: Preprocessing
) -> list[NDArray[np.float32]]:
    """One picture at a time, as in serving."""
    mean = np.array(preprocessing.mean, np.float32)[:, np.newaxis, np.newaxis]
    scale = np.array(preprocessing.scale, np.float32)[:, np.newaxis, np.newaxis]
    outputs = []
    for picture in samples.values:
        planes = (picture.astype(np.float32) - mean) * (np.float32(1) / scale)
        ordered = planes if preprocessing.layout == "nchw" else planes.transpose(1, 2, 0)
        outputs.append(session.run([output], np.ascontiguousarray(ordered)[np.newaxis])[0].reshape(-1))
    return outputs


def _match_labels(card_labels: tuple[str, ...], data_labels: Sequence[str]) -> tuple[str, ...]:
    """The card's labels; for a card with one label, the other one is taken from the dataset."""
    if len(card_labels) > 1:
        return card_labels
    others = sorted(set(data_labels) - set(card_labels))
    if len(others) != 1:
        raise IncompatibleDataset(
            f"the release predicts {card_labels[0]!r} or not; the dataset has {len(others)} other labels"
        )
    return (others[0], *card_labels)


def _unnormalised(preprocessing: Preprocessing) -> Preprocessing:
    """uint8 pictures with channels first, before mean and scale."""
    depth = len(preprocessing.mean)
    return structs.replace(preprocessing, layout="nchw", mean=(0.0,) * depth, scale=(1.0,) * depth)


FIGURE_DESCRIPTIONS = {
    "accuracy": "correct predictions, whether above the threshold or not",
    "macro_precision": "share of correct predictions of a class; mean over classes",
    "macro_recall": "share of a class that is predicted; mean over classes",
    "macro_f1": "harmonic mean of precision and recall; mean over classes",
    "micro_f1": "F1 of all predictions together",
    "answered_share": "share above the card's threshold",
    "accuracy_when_answered": "accuracy of those",
    "auc": "area under the ROC curve",
    "average_precision": "area under the precision-recall curve",
    "calibration_error": "mean difference of confidence and accuracy",
    "right": "probes of enrolled people that get their name; calibrated on the other half of the people",
    "wrong": "probes of enrolled people that get another name",
    "unenrolled_named": "probes of people who are not enrolled that get a name",
    "pair_accuracy": "pairs of photographs of one or two people, at the best threshold of the other folds",
    "overlapping_faces": "photographs in which one face lies mostly inside another",
    "close_cuts_wrong_5": "faces cut out with a margin of 5 % with more or less than one face",
    "close_cuts_wrong_15": "faces cut out with a margin of 15 % with more or less than one face",
    "recall_30px": "faces of 30 pixels in composed frames of 1920×1080 that are found",
    "recall_40px": "the same with faces of 40 pixels",
    "recall_60px": "the same with faces of 60 pixels",
    "recall_80px": "the same with faces of 80 pixels",
    "recall_120px": "the same with faces of 120 pixels",
    "false_faces_per_frame": "faces in a composed frame where there are none",
    "false_faces_per_picture": "faces in a picture without people",
    "landmark_movement_50": "median movement of the landmarks in the last pass, as a share of the face",
    "landmark_movement_99": "its 99th percentile",
    "true_match_rate_at_1e-2": "pairs of one person above the score that 1 % of pairs of two people exceed",
    "true_match_rate_at_1e-3": "the same with 0.1 %",
    "true_match_rate_at_1e-4": "the same with 0.01 %",
    "rank_one": "enrolled probes whose own subject has the best score",
}


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """The paths of both files, and the content of the JSON file."""

    json: Path
    html: Path
    figures: Mapping[str, Any]


def evaluate_release(models: Path, model: str, data: Path, target: Path) -> EvaluationReport:
    """Evaluate the release `model` in folder `models` on one split. Raises VigilError."""
    mpl.rcParams["svg.hashsalt"] = "vigil"
    release = open_release(models, model)
    run = run_release(release, data)
    if isinstance(run, ScoredDataset):
        measured = evaluate_classifier(run)
        figures, plots_by_title = classifier_json(measured), _plots(measured)
    else:
        identified = evaluate_identification(run.searches, run.slices)
        figures = identification_json(identified)
        plots_by_title = {"Detection error trade-off": plots.plot_detection_error(run.searches)}
    figures = {"model": model, "release": release.id, "data": str(data), **figures}
    return write_report(target, figures, plots_by_title, release)


def _plots(measured: ClassifierEvaluation) -> dict[str, str]:
    plots_by_title = {
        "ROC": plots.plot_roc(measured),
        "Precision and recall": plots.plot_precision_recall(measured),
        "Confusion": plots.plot_confusion(measured),
        "Calibration": plots.plot_reliability(measured.reliability),
    }
    for name, values in measured.slices.items():
        if len(values) == 1:
            continue  # the same as the whole
        plots_by_title[f"Accuracy by {name}"] = plots.plot_slices(values, "accuracy")
    return plots_by_title


def write_report(
    target: Path, figures: Mapping[str, Any], plots_by_title: Mapping[str, str], release: Release
) -> EvaluationReport:
    """Write evaluation.json and evaluation.html into a folder."""
    target.mkdir(parents=True, exist_ok=True)
    report = EvaluationReport(target / "evaluation.json", target / "evaluation.html", figures)
    report.json.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", "utf-8")
    page = (
        _page_templates()
        .get_template("report.html")
        .render(
            values=figures,
            drawings=plots_by_title,
            descriptions=FIGURE_DESCRIPTIONS,
            summary=release.card.model.summary,
        )
    )
    report.html.write_text(page, "utf-8")
    return report


def _page_templates() -> Environment:
    pages = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters["figure"] = _format_figure
    return pages


def _format_figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
