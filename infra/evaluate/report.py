"""A release measured on a data set, written as evaluation.json and evaluation.html."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from infra.evaluate import plots, told
from infra.evaluate.answering import answer
from vigil.learn.evaluation import Evaluation, evaluate, identify
from vigil.learn.scored import Scored
from vigil.predict.release import Release, open_release

WORDS = {
    "accuracy": "right answers, whether said or too unsure to be",
    "macro_precision": "of what was said to be a class, how much was; mean over classes",
    "macro_recall": "of what is a class, how much was found; mean over classes",
    "macro_f1": "harmonic mean of both; mean over classes",
    "micro_f1": "the same of all answers pooled",
    "answered": "share that reaches the card's threshold",
    "right_of_answered": "right answers among those",
    "auc": "area under ROC",
    "average_precision": "area under precision-recall",
    "calibration_error": "gap between confidence and how often it is right",
    "rank_one": "enrolled probes whose own subject comes first",
}


@dataclass(frozen=True, slots=True)
class Report:
    """Where both files lie, and what the JSON one says."""

    json: Path
    html: Path
    figures: Mapping[str, Any]


def report(models: Path, model: str, data: Path, target: Path) -> Report:
    """Measure the release `model` under `models` on one split of a data set. Raises VigilError."""
    mpl.rcParams["svg.hashsalt"] = "vigil"
    release = open_release(models, model)
    found = answer(release, data)
    if isinstance(found, Scored):
        measured = evaluate(found)
        figures, drawings = told.classifier(measured), _drawings(measured)
    else:
        searched = identify(found.searches, found.slices)
        figures = told.identification(searched)
        drawings = {"Misses and false alarms": plots.detection_error(found.searches)}
    figures = {"model": model, "release": release.id, "data": str(data), **figures}
    return _written(target, figures, drawings, release)


def _drawings(measured: Evaluation) -> dict[str, str]:
    drawn = {
        "ROC": plots.roc(measured),
        "Precision and recall": plots.precision_recall(measured),
        "Confusion": plots.confusion(measured),
        "Calibration": plots.reliability(measured.reliability),
    }
    for name, values in measured.slices.items():
        if len(values) == 1:
            continue  # the whole, once more
        drawn[f"Accuracy by {name}"] = plots.slices(values, "accuracy")
    return drawn


def _written(
    target: Path, figures: Mapping[str, Any], drawings: Mapping[str, str], release: Release
) -> Report:
    target.mkdir(parents=True, exist_ok=True)
    made = Report(target / "evaluation.json", target / "evaluation.html", figures)
    made.json.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", "utf-8")
    page = (
        _pages()
        .get_template("report.html")
        .render(told=figures, drawings=drawings, words=WORDS, summary=release.card.text("model.summary"))
    )
    made.html.write_text(page, "utf-8")
    return made


def _pages() -> Environment:
    pages = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters["figure"] = _figure
    return pages


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
