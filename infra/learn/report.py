"""What `make learn` saw, as JSON and a page with plots."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import matplotlib as mpl
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from infra.learn import plots
from infra.learn.story import WANTED, Course, Lesson
from vigil.learn.interval import Interval
from vigil.learn.stages import Standing


@dataclass(frozen=True, slots=True)
class Seen:
    """All figures of a run; accuracies are 0 to 1, of held-out pictures.

    first     of the bundled release, on what the new one was measured on
    answered  of the promoted release, of pictures that were dropped; `heard` is what it said of each
    marks     when the world outside did what
    """

    lesson: Lesson
    splits: dict[str, int]
    first: Interval
    course: Course
    answered: float
    heard: tuple[str, ...]
    poisoned: Lesson
    rejected: Course
    fragile: Standing
    rolled_back: Course
    drops: int
    marks: tuple[tuple[datetime, str], ...]
    ended: datetime
    minute_s: float

    @property
    def seconds(self) -> float:
        return (self.ended - self.marks[0][0]).total_seconds()


def write(folder: Path, seen: Seen) -> Path:
    """learn.json and index.html; where the page is."""
    mpl.rcParams["svg.hashsalt"] = "vigil"
    folder.mkdir(parents=True, exist_ok=True)
    told = figures(seen)
    (folder / "learn.json").write_text(json.dumps(told, indent=1) + "\n", "utf-8")
    pages = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    page = folder / "index.html"
    page.write_text(pages.get_template("report.html").render(told=told, drawings=_drawings(seen)), "utf-8")
    return page


def figures(seen: Seen) -> dict[str, Any]:
    """As plain values."""
    began = seen.marks[0][0]
    return {
        "splits": seen.splits,
        "drops": seen.drops,
        "seconds": round(seen.seconds, 1),
        "minute_s": seen.minute_s,
        "first_accuracy": asdict(seen.first),
        "promoted": _told(seen.lesson.standing, seen.course, began) | {"answered_accuracy": seen.answered},
        "poisoned": _told(seen.poisoned.standing, seen.rejected, began),
        "fragile": _told(seen.fragile, seen.rolled_back, began),
        "data": {"promoted": seen.lesson.data, "poisoned": seen.poisoned.data},
        "marks": [
            {"seconds": round((at - began).total_seconds(), 1), "text": text} for at, text in seen.marks
        ],
    }


def _told(standing: Standing, course: Course, began: datetime) -> dict[str, Any]:
    return {
        "release": standing.life.id,
        "accuracy": asdict(standing.metric),
        "gain": asdict(standing.gain) if standing.gain else None,
        "drops": course.drops,
        "stages": [
            {"stage": stage, "why": why, "seconds": round((at - began).total_seconds(), 1)}
            for stage, why, at in course.stages
        ],
    }


def _drawings(seen: Seen) -> dict[str, str]:
    began = seen.marks[0][0]
    replaced = next(at for stage, _, at in seen.course.stages if stage == "active")
    courses = {"first": [("active", began), ("retired", replaced)]}
    for name, course in (
        ("promoted", seen.course),
        ("poisoned", seen.rejected),
        ("fragile", seen.rolled_back),
    ):
        courses[name] = [(stage, at) for stage, _, at in course.stages]
    measured = {
        "first": seen.first,
        "promoted": seen.lesson.standing.metric,
        "poisoned": seen.poisoned.standing.metric,
        "fragile, before it met white paper": seen.fragile.metric,
    }
    return {
        "lives": plots.lives(courses, [at for at, _ in seen.marks], seen.ended),
        "accuracies": plots.accuracies(measured, WANTED),
        "confusion": plots.confusion(seen.heard, [one.label for one in seen.lesson.held_out]),
    }
