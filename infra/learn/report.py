"""What `make learn` saw, as JSON and a page with plots."""

import html
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np

from infra.learn.digits import Digit
from infra.learn.first import LABELS
from infra.learn.story import Course, Lesson

mpl.use("Agg")
from matplotlib import pyplot as plt


@dataclass(frozen=True, slots=True)
class Seen:
    """All figures of a run; accuracies are 0 to 1, of held-out pictures.

    first     of the bundled release, on what the new one was measured on
    answered  of the promoted release, of pictures that were dropped
    """

    lesson: Lesson
    splits: dict[str, int]
    first: float
    course: Course
    answered: float
    poisoned: Lesson
    rejected: Course
    fragile: str
    rolled_back: Course
    drops: int
    seconds: float


def write(folder: Path, seen: Seen, said: list[str]) -> Path:
    """learn.json, two plots and index.html; where the page is."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "learn.json").write_text(json.dumps(figures(seen), indent=1), "utf-8")
    _confusion(folder / "confusion.png", said, seen.lesson.held_out)
    _accuracies(folder / "accuracy.png", seen)
    page = folder / "index.html"
    page.write_text(_page(seen), "utf-8")
    return page


def figures(seen: Seen) -> dict[str, object]:
    """As plain values."""
    return {
        "splits": seen.splits,
        "drops": seen.drops,
        "seconds": round(seen.seconds, 1),
        "first_accuracy": seen.first,
        "promoted": _told(seen.lesson, seen.course) | {"answered_accuracy": seen.answered},
        "poisoned": _told(seen.poisoned, seen.rejected),
        "fragile": {"release": seen.fragile, **asdict(seen.rolled_back)},
    }


def _told(lesson: Lesson, course: Course) -> dict[str, object]:
    standing = lesson.standing
    gain = asdict(standing.gain) if standing.gain else None
    told = {"release": lesson.release, "data": lesson.data, "accuracy": asdict(standing.metric), "gain": gain}
    return told | asdict(course)


def _confusion(path: Path, said: list[str], meant: tuple[Digit, ...]) -> None:
    counts = np.zeros((len(LABELS), len(LABELS)), np.int64)
    for one, digit in zip(said, meant, strict=True):
        if one in LABELS:
            counts[LABELS.index(digit.label), LABELS.index(one)] += 1
    figure, axes = plt.subplots(figsize=(5, 5))
    axes.imshow(counts, cmap="Blues")
    for row, column in np.ndindex(counts.shape):
        if counts[row, column]:
            axes.text(column, row, str(counts[row, column]), ha="center", va="center", fontsize=8)
    axes.set(xticks=range(10), yticks=range(10), xlabel="said", ylabel="meant")
    axes.set_title("held-out pictures, dropped again", fontsize=10)
    figure.savefig(path, dpi=110, bbox_inches="tight")
    plt.close(figure)


def _accuracies(path: Path, seen: Seen) -> None:
    names = ("first", "promoted", "poisoned")
    values = (seen.first, seen.lesson.standing.metric.value, seen.poisoned.standing.metric.value)
    figure, axes = plt.subplots(figsize=(5, 3))
    bars = axes.bar(names, values, color=("#999999", "#2a7fba", "#c0392b"))
    axes.bar_label(bars, fmt="%.3f")
    axes.axhline(0.95, color="black", linewidth=0.8, linestyle="--")
    axes.set(ylim=(0, 1.08), ylabel="accuracy, held out")
    figure.savefig(path, dpi=110, bbox_inches="tight")
    plt.close(figure)


def _page(seen: Seen) -> str:
    courses = (("promoted", seen.course), ("poisoned", seen.rejected), ("fragile", seen.rolled_back))
    rows = "".join(
        f"<tr><td>{name}</td><td>{stage}</td><td>{html.escape(reasons)}</td></tr>"
        for name, course in courses
        for stage, reasons in course.stages
    )
    return f"""<!doctype html><meta charset="utf-8"><title>The life of a model</title>
<style>body{{font:15px sans-serif;max-width:60em;margin:2em auto}}td{{padding:.2em .8em}}</style>
<h1>The life of a model</h1>
<p>{seen.drops} drops, each with its answer; {seen.splits["train"]} pictures learned from,
{seen.splits["test"]} held out. {seen.seconds:.0f} s.</p>
<img src="accuracy.png" alt="accuracies"><img src="confusion.png" alt="confusion">
<table><tr><th>release</th><th>stage</th><th>why</th></tr>{rows}</table>"""
