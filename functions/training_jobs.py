"""Schedule, SageMaker's states, an alarm or an order → training jobs one step on, releases on record."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any

from chalice import Blueprint, Rate

from functions.runtime.container import container
from functions.runtime.handler import lambda_handler
from functions.runtime.training_service import (
    ALARM_LOST_AFTER,
    TrainingRun,
    drifted_models,
    due_models,
    order_training,
    prune_datasets,
    register_external,
    register_result,
    training_paths,
)
from vigil.errors import Transient, VigilError
from vigil.reliability.time_scale import scale_durations
from vigil.training.jobs import InstancePool, TrainingLimits, default_instance_types
from vigil.training.service import expected_cost, refresh, submit

trigger = Blueprint(__name__)

TRAINING_LIMITS = TrainingLimits(max_run_s=4 * 3600, max_wait_s=8 * 3600, volume_gb=30)

DEFAULT_JOB_DURATION_S = timedelta(minutes=30).total_seconds()
"""How long a job is expected to take while none of its model has ended."""


@trigger.lambda_function(name="train")
@lambda_handler
def on_train(event: Mapping[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001 - Lambda hands it over
    """{"model", "recipe"?} → {"job", "state", "data", "expected_usd", "max_usd"}, or {"error"}.

    {"model", "archive_key"} → {"release", "metric"}: a release made elsewhere, by its key in the store.
    """
    try:
        if "archive_key" in event:
            release_record = register_external(str(event["model"]), str(event["archive_key"]))
            return {"release": release_record.state.release, "metric": round(release_record.metric.value, 4)}
        job_record = _advance_job(order_training(str(event["model"]), event.get("recipe")))
    except VigilError as fault:
        return {"error": {"kind": type(fault).__name__, "message": str(fault)}}
    result = {
        "job": job_record.job.name,
        "state": job_record.job.state,
        "data": job_record.job.spec.dataset_id,
    }
    return result | {"expected_usd": job_record.expected_usd, "max_usd": job_record.max_usd}


@trigger.schedule(Rate(5, unit=Rate.MINUTES), name="training_jobs")
@lambda_handler
def on_training_jobs(event: Any) -> dict[str, Any]:
    """A state change names one job, an alarm none; a tick looks after all, so a lost event loses nothing."""
    detail = event.detail or {}
    name = str(detail.get("TrainingJobName", ""))
    moved = [
        _advance_job(run)
        for run in container().training_jobs.list_all()
        if run.is_open and name in ("", run.job.name)
    ]
    if "alarmName" in detail:
        moved += [_advance_job(run) for model in drifted_models() for run in _order_training(model)]
    if not detail:
        due = dict.fromkeys([*due_models(), *drifted_models(ALARM_LOST_AFTER)])
        moved += [_advance_job(run) for model in due for run in _order_training(model)]
        prune_datasets()
    return {"jobs": {run.job.name: run.release or run.failure_note or run.job.state for run in moved}}


def _order_training(model: str) -> tuple[TrainingRun, ...]:
    """The lesson that is due; a model for which none can be made keeps nobody else waiting."""
    try:
        return (order_training(model, None),)
    except VigilError as fault:
        container().logger.warning("training-not-ordered", extra={"model": model, "detail": str(fault)})
        return ()


@cache
def _instance_pool() -> InstancePool:
    """The instance types of machines.toml; if all refuse, a pause of 5 minutes that doubles up to 2 hours."""
    settings = container().settings
    pool = InstancePool(
        instance_types=default_instance_types(),
        spot=settings.training_spot,
        initial_backoff=timedelta(minutes=5),
        max_backoff=timedelta(hours=2),
        deadline=timedelta(days=2),
    )
    return scale_durations(pool, settings.minute)


def _advance_job(record: TrainingRun) -> TrainingRun:
    """What is known of a job now, kept before anything follows from it."""
    at = container().clock()
    job = refresh(record.job, container().trainer, pool=_instance_pool(), now=at)
    job = submit(
        job,
        container().trainer,
        paths=training_paths(job),
        pool=_instance_pool(),
        limits=TRAINING_LIMITS,
        now=at,
    )
    moved_machine = not record.expected_usd or record.job.instance_index != job.instance_index
    record = replace(record, job=job)
    record = _with_cost_estimate(record) if moved_machine else record
    container().training_jobs.save(record)
    if record.is_open and job.state == "done":
        record = _register_result(record)
    fields = {"job": job.name, "release": record.release, "note": record.failure_note, "detail": job.detail}
    container().logger.info(job.state, extra={name: text for name, text in fields.items() if text})
    return record


def _with_cost_estimate(record: TrainingRun) -> TrainingRun:
    """With dollars on the machine that it is tried on, by how long the model's last job took."""
    durations_s = [
        one.run_s for one in container().training_jobs.for_model(record.job.spec.model) if one.run_s
    ]
    cost = expected_cost(
        record.job,
        _instance_pool(),
        TRAINING_LIMITS,
        durations_s[0] if durations_s else DEFAULT_JOB_DURATION_S,
    )
    return replace(record, expected_usd=round(cost.expected_usd, 4), max_usd=round(cost.max_usd, 4))


def _register_result(record: TrainingRun) -> TrainingRun:
    """The job's release on record; or why it never will be."""
    try:
        record = register_result(record)
    except Transient as failure:
        container().logger.warning(
            "release-not-registered", extra={"job": record.job.name, "detail": str(failure)}
        )
        return record
    except VigilError as fault:
        record = replace(record, failure_note=f"{type(fault).__name__}: {fault}")
    container().training_jobs.save(record)
    return record
