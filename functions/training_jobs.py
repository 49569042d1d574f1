"""Schedule, a SageMaker state change or an alarm → open training jobs advance, due trainings are ordered."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from chalice import Blueprint, Rate

from cloud.cloudwatch import ReleaseMetrics
from functions.runtime.container import container
from functions.runtime.handler import lambda_handler
from vigil.errors import Transient, VigilError
from vigil.releases.drift import DriftResult
from vigil.training.jobs import TrainingRun

trigger = Blueprint(__name__)

ALARM_LOST_AFTER = timedelta(minutes=30)
"""If a model has drifted for so long without a training, the alarm's event was lost."""


@trigger.schedule(Rate(5, unit=Rate.MINUTES), name="training_jobs")
@lambda_handler
def on_training_jobs(event: Any) -> dict[str, Any]:
    """{"jobs": {job: release, failure or state}}.

    A state change names one job; a scheduled run advances all of them, so that a lost event loses nothing.
    """
    c, detail = container(), event.detail or {}
    name = str(detail.get("TrainingJobName", ""))
    runs = [run for run in c.training_jobs.list_all() if run.is_open and name in ("", run.job.name)]
    advanced = [_advance(run) for run in runs]
    due: list[str] = []
    if "alarmName" in detail:
        due = list(c.training.drifted_models(_measure_drift()))
    if not detail:
        drifted = c.training.drifted_models(_measure_drift(), ALARM_LOST_AFTER)
        due = list(dict.fromkeys([*c.training.due_models(), *drifted]))
    advanced += [_advance(run) for model in due for run in _order_training(model)]
    if not detail:
        c.training.prune_datasets()
    return {"jobs": {run.job.name: run.release or run.failure_note or run.job.state for run in advanced}}


def _advance(run: TrainingRun) -> TrainingRun:
    """The run is saved before its result is registered."""
    c = container()
    run = c.training.advance(run)
    if run.awaits_release:
        try:
            run = c.training.register_result(run)
        except Transient as error:
            fields = {"job": run.job.name, "detail": str(error)}
            c.logger.warning("release-not-registered", extra=fields)
    fields = {
        "job": run.job.name,
        "release": run.release,
        "note": run.failure_note,
        "detail": run.job.detail,
    }
    c.logger.info(run.job.state, extra={name: text for name, text in fields.items() if text})
    return run


def _order_training(model: str) -> tuple[TrainingRun, ...]:
    """The ordered training; a model that cannot be trained does not stop the others."""
    try:
        return (container().training.order(model, None),)
    except VigilError as error:
        fields = {"model": model, "detail": str(error)}
        container().logger.warning("training-not-ordered", extra=fields)
        return ()


def _measure_drift() -> Mapping[str, DriftResult]:
    """The drift of each model's active release, also emitted as metrics."""
    c, drift = container(), {}
    metrics = ReleaseMetrics(c.settings.metrics_namespace, "drift")
    for model, release, result in c.drift_monitor.measure_all(c.clock()):
        values = {f"Drift{name.capitalize()}": [round(ratio, 4)] for name, ratio in result.ratios.items()}
        metrics.emit(model, release, values | {"Drift": [round(max(result.ratios.values()), 4)]})
        if result.exceeded:
            fields = {"model": model, "release": release, "moved": result.exceeded, "ratios": result.ratios}
            c.logger.warning("drift-detected", extra=fields)
        drift[model] = result
    return drift
