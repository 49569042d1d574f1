"""Records as tables that a person reads."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from cloud.dynamodb.training_jobs import TrainingRun
from vigil.people.reembedding import ReembeddingProgress
from vigil.releases.lifecycle import ReleasePointers, ReleaseStage, ReleaseState
from vigil.releases.manifest import ReleaseManifest
from vigil.releases.rollout import ModelReleases
from vigil.statistics import Interval
from vigil_cli.console import new_table
from vigil_cli.deployment import Deployment

COLOURS = {
    "done": "green",
    "known": "green",
    "rejected": "yellow",
    "ambiguous": "yellow",
    "unfit": "dim",
    "unknown": "cyan",
    "quarantined": "red",
    "critical": "bold red",
    "warning": "yellow",
}


def coloured(text: str, colour_of: str = "") -> Text:
    """A word in the colour of its state."""
    return Text(text, style=COLOURS.get(colour_of or text, ""))


def format_number(value: float | None, digits: int = 2) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def duration_text(row: Mapping[str, Any]) -> str:
    """Milliseconds of the work: the stages' sum where it was kept, else from the claim to the end."""
    if row.get("times_ms"):
        return format_number(sum(row["times_ms"].values()), 0)
    if "completed_at" not in row:
        return ""
    started, completed = (datetime.fromisoformat(row[name]) for name in ("first_claimed_at", "completed_at"))
    return format_number((completed - started).total_seconds() * 1000, 0)


def subject_text(cloud: Deployment, sighting: Mapping[str, Any]) -> Text:
    """An enrolled person's name, or what the sighting is instead."""
    name = cloud.display_name(sighting["label"]) if sighting["status"] == "known" else sighting["status"]
    issues = f" ({', '.join(sighting['quality_issues'])})" if sighting.get("quality_issues") else ""
    return coloured(f"{name}{issues}", sighting["status"])


def object_name(row: Mapping[str, Any]) -> str:
    """What a drop was: its object's key without lane and model, or the message."""
    key = row.get("s3_object", {}).get("key", "")
    return key.split("/", 2)[2] if key.count("/") >= 2 else key or "(message)"


def drops_table(cloud: Deployment, rows: Iterable[Mapping[str, Any]]) -> Table:
    """One line a sighting, the drop's own facts on its first."""
    table = new_table("Drops", "object", "state", ">seen", "who", ">score", ">needed", ">ms", "drop")
    for row in rows:
        sightings = cloud.records.sightings(row["drop_id"]) if row.get("sightings") else []
        state = coloured(row["state"] + (f": {row['reason']}" if row.get("reason") else ""), row["state"])
        ms = duration_text(row)
        first: list[Any] = [object_name(row), state, str(row.get("sightings", ""))]
        for sighting in sightings or [{}]:
            scores = [format_number(sighting.get("score")), format_number(sighting.get("threshold"))]
            sighting_cells = [subject_text(cloud, sighting) if sighting else "", *scores]
            table.add_row(*first, *sighting_cells, ms, row["drop_id"][:12] if first[0] else "")
            first, ms = ["", "", ""], ""
    return table


# MERGED: Releases and training jobs as tables that a person reads.

STAGE_COLOURS = {
    "active": "done",
    "canary": "rejected",
    "rejected": "quarantined",
    "rolled-back": "quarantined",
}
"""Coloured as these states of drops are."""


PRICES_NOTE = "by the example prices in layers/vigil/training/machines.toml: set yours"


def releases_table(models: Iterable[ModelReleases], progress: Mapping[str, ReembeddingProgress]) -> Table:
    """One line a release, and first the one that answers.

    progress  of each that is made anew what is kept
    """
    table = new_table("Releases", "model", "release", "stage", "measured", "gain", "since", "why")
    for model_releases in models:
        if model_releases.find(model_releases.pointers.active) is None:
            active = model_releases.pointers.active or "bundled"
            table.add_row(
                model_releases.model, active, coloured("answers", "done"), "", "", "", "it ships with this"
            )
        for record in sorted(model_releases.records, key=lambda one: one.state.since, reverse=True):
            state = record.state
            stage = _stage_text(state.stage, state.release, model_releases.pointers)
            since = f"{state.since:%d %b %H:%M}"
            table.add_row(
                model_releases.model,
                state.release,
                stage,
                _interval_text(record.metric),
                _interval_text(record.gain),
                since,
                _reason_text(state, progress.get(state.release)),
            )
    return table


def history_table(model_releases: ModelReleases) -> Table:
    """One line a step, with what the gates saw or who said so."""
    table = new_table(f"{model_releases.model}: every step", "release", "step", "to", "at", "why")
    steps = [
        (record.state.release, move) for record in model_releases.records for move in record.state.history
    ]
    for release, move in sorted(steps, key=lambda step: (step[1].at, step[0])):
        stage = coloured(move.stage, STAGE_COLOURS.get(move.stage, ""))
        table.add_row(release, move.step, stage, f"{move.at:%d %b %H:%M:%S}", "\n".join(move.reasons))
    return table


def removed_data_warnings(manifests: Iterable[ReleaseManifest]) -> Iterator[str]:
    """Releases that learned from what they would not learn from any more."""
    for manifest in manifests:
        if manifest.removed_data:
            items = sum(removal.removed_items for removal in manifest.removed_data)
            yield (
                f"{manifest.id} learned from {items} pictures that are no longer in data set "
                f"{manifest.dataset_id}"
            )


def trainings_table(jobs: Iterable[TrainingRun]) -> Table:
    """One line a job: what it was expected to cost, and what it has cost."""
    columns = ("job", "state", ">expected", ">at most", ">cost", "release", "why")
    table = new_table(f"Training jobs, dollars {PRICES_NOTE}", *columns)
    for job_row in jobs:
        dollars = (
            format_number(job_row.expected_usd, 2),
            format_number(job_row.max_usd, 2),
            format_number(job_row.cost_usd, 4) if job_row.run_s else "",
        )
        table.add_row(
            job_row.job.name,
            job_row.job.state,
            *dollars,
            job_row.release,
            job_row.failure_note or job_row.job.detail,
        )
    return table


def _stage_text(stage: ReleaseStage, release: str, pointers: ReleasePointers) -> Text:
    """Where it stands; of a candidate, for which share of the drops."""
    text: str = stage
    if release == pointers.candidate:
        text = f"{stage} {pointers.canary_share or pointers.shadow_share:.0%}"
    return coloured(text, STAGE_COLOURS.get(stage, ""))


def _reason_text(state: ReleaseState, progress: ReembeddingProgress | None) -> str:
    """Why it came where it is; what passed gates says so in a word, `vigil models MODEL` with all figures."""
    if progress is not None and not progress.is_complete:
        return progress.summary
    reasons = state.history[-1].reasons if state.history else ()
    if len(reasons) > 1 and state.history[-1].step == "pass":
        return f"passed {len(reasons)} gates"
    return "; ".join(reasons)


def _interval_text(interval: Interval | None) -> str:
    if interval is None:
        return ""
    return f"{interval.value:.3f} ({interval.low:.3f}-{interval.high:.3f})"
