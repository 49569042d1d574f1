"""The report of `make lifecycle` as JSON and as a page with plots."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import matplotlib as mpl
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from tests.lifecycle import plots
from tests.lifecycle.scenario import MIN_ACCURACY, ReleaseHistory, TrainedRelease
from vigil.releases.rollout import ReleaseRecord
from vigil.statistics import Interval


@dataclass(frozen=True, slots=True)
class LifecycleReport:
    """All figures of a run; accuracies are 0 to 1, on the test split.

    first_accuracy   of the bundled release
    served_accuracy  of the promoted release on dropped pictures; `served_labels` are its labels
    events           times of external actions
    """

    promoted: TrainedRelease
    split_sizes: dict[str, int]
    first_accuracy: Interval
    promoted_history: ReleaseHistory
    served_accuracy: float
    served_labels: tuple[str, ...]
    poisoned: TrainedRelease
    poisoned_history: ReleaseHistory
    broken: ReleaseRecord
    broken_history: ReleaseHistory
    drops: int
    events: tuple[tuple[datetime, str], ...]
    ended_at: datetime
    minute_s: float

    @property
    def seconds(self) -> float:
        return (self.ended_at - self.events[0][0]).total_seconds()


def write_report(folder: Path, report: LifecycleReport) -> Path:
    """Write lifecycle.json and index.html; return the path of the page."""
    mpl.rcParams["svg.hashsalt"] = "vigil"
    folder.mkdir(parents=True, exist_ok=True)
    values = report_json(report)
    (folder / "lifecycle.json").write_text(json.dumps(values, indent=1) + "\n", "utf-8")
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    page = folder / "index.html"
    page.write_text(
        templates.get_template("report.html").render(values=values, drawings=_plots_by_name(report)), "utf-8"
    )
    return page


def report_json(report: LifecycleReport) -> dict[str, Any]:
    """Return the report as plain values."""
    started_at = report.events[0][0]
    return {
        "splits": report.split_sizes,
        "drops": report.drops,
        "seconds": round(report.seconds, 1),
        "minute_s": report.minute_s,
        "first_accuracy": asdict(report.first_accuracy),
        "promoted": _release_json(report.promoted.record, report.promoted_history, started_at)
        | {"served_accuracy": report.served_accuracy},
        "poisoned": _release_json(report.poisoned.record, report.poisoned_history, started_at),
        "broken": _release_json(report.broken, report.broken_history, started_at),
        "data": {"promoted": report.promoted.dataset_id, "poisoned": report.poisoned.dataset_id},
        "events": [
            {"seconds": round((at - started_at).total_seconds(), 1), "text": text}
            for at, text in report.events
        ],
    }


def _release_json(record: ReleaseRecord, history: ReleaseHistory, started_at: datetime) -> dict[str, Any]:
    return {
        "release": record.state.release,
        "accuracy": asdict(record.metric),
        "gain": asdict(record.gain) if record.gain else None,
        "drops": history.drops,
        "stages": [
            {"stage": stage, "reason": why, "seconds": round((at - started_at).total_seconds(), 1)}
            for stage, why, at in history.stages
        ],
    }


def _plots_by_name(report: LifecycleReport) -> dict[str, str]:
    started_at = report.events[0][0]
    replaced = next(at for stage, _, at in report.promoted_history.stages if stage == "active")
    timelines = {"first": [("active", started_at), ("retired", replaced)]}
    for name, history in (
        ("promoted", report.promoted_history),
        ("poisoned", report.poisoned_history),
        ("broken", report.broken_history),
    ):
        timelines[name] = [(stage, at) for stage, _, at in history.stages]
    measured = {
        "first": report.first_accuracy,
        "promoted": report.promoted.record.metric,
        "poisoned": report.poisoned.record.metric,
        "broken, before white images": report.broken.metric,
    }
    return {
        "timelines": plots.plot_release_timelines(
            timelines, [at for at, _ in report.events], report.ended_at
        ),
        "accuracies": plots.plot_accuracies(measured, MIN_ACCURACY),
        "confusion": plots.plot_confusion(
            report.served_labels, [one.label for one in report.promoted.held_out]
        ),
    }
