"""Schedule, SageMaker's states, an alarm or an order → training jobs one step on, releases on record."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from chalice import Blueprint, Rate

from functions import schooling
from functions.bounded import bounded
from functions.learning import LIMITS, fleet, jobs, logger, now, trainer
from vigil.errors import Transient, VigilError
from vigil.flow.retrain import expected, look, push

trigger = Blueprint(__name__)

GUESS_S = timedelta(minutes=30).total_seconds()
"""How long a job is expected to take while none of its model has ended."""


@trigger.lambda_function(name="train")
@bounded
def on_train(event: Mapping[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001 - Lambda hands it over
    """{"model", "recipe"?} → {"job", "state", "data", "expected_usd", "most_usd"}, or {"error"}.

    {"model", "parcel"} → {"release", "metric"}: a release that was made elsewhere, as its key in the store.
    """
    try:
        if "parcel" in event:
            standing = schooling.offered(str(event["model"]), str(event["parcel"]))
            return {"release": standing.life.id, "metric": round(standing.metric.value, 4)}
        kept = _step(schooling.wanted(str(event["model"]), event.get("recipe")))
    except VigilError as fault:
        return {"error": {"kind": type(fault).__name__, "message": str(fault)}}
    told = {"job": kept.job.name, "state": kept.job.state, "data": kept.job.lesson.data}
    return told | {"expected_usd": kept.expected, "most_usd": kept.most}


@trigger.schedule(Rate(5, unit=Rate.MINUTES), name="retrain")
@bounded
def on_retrain(event: Any) -> dict[str, Any]:
    """A state change names one job, an alarm none; a tick looks after all, so a lost event loses nothing."""
    told = event.detail or {}
    name = str(told.get("TrainingJobName", ""))
    moved = [_step(kept) for kept in jobs().all() if kept.open and name in ("", kept.job.name)]
    if "alarmName" in told:
        moved += [_step(kept) for model in schooling.drifted() for kept in _wanted(model)]
    if not told:
        due = dict.fromkeys([*schooling.overdue(), *schooling.drifted(schooling.LOST)])
        moved += [_step(kept) for model in due for kept in _wanted(model)]
        schooling.tidied()
    return {"jobs": {kept.job.name: kept.release or kept.note or kept.job.state for kept in moved}}


def _wanted(model: str) -> tuple[schooling.Kept, ...]:
    """The lesson that is due; a model for which none can be made keeps nobody else waiting."""
    try:
        return (schooling.wanted(model, None),)
    except VigilError as fault:
        logger().warning("no-lesson", extra={"model": model, "detail": str(fault)})
        return ()


def _step(kept: schooling.Kept) -> schooling.Kept:
    """What is known of a job now, kept before anything follows from it."""
    at = now()
    job = look(kept.job, trainer(), fleet=fleet(), now=at)
    job = push(job, trainer(), place=schooling.place(job), fleet=fleet(), limits=LIMITS, now=at)
    moved = not kept.expected or kept.job.machine != job.machine
    kept = replace(kept, job=job)
    kept = _estimated(kept) if moved else kept
    jobs().keep(kept)
    if kept.open and job.state == "done":
        kept = _admitted(kept)
    fields = {"job": job.name, "release": kept.release, "note": kept.note, "detail": job.text}
    logger().info(job.state, extra={name: text for name, text in fields.items() if text})
    return kept


def _estimated(kept: schooling.Kept) -> schooling.Kept:
    """With dollars on the machine that it is tried on, by how long the model's last job took."""
    took = [one.seconds for one in jobs().of(kept.job.lesson.model) if one.seconds]
    cost = expected(kept.job, fleet(), LIMITS, took[0] if took else GUESS_S)
    return replace(kept, expected=round(cost.expected_usd, 4), most=round(cost.most_usd, 4))


def _admitted(kept: schooling.Kept) -> schooling.Kept:
    """The job's release on record; or why it never will be."""
    try:
        kept = schooling.admitted(kept)
    except Transient as failure:
        logger().warning("not-admitted", extra={"job": kept.job.name, "detail": str(failure)})
        return kept
    except VigilError as fault:
        kept = replace(kept, note=f"{type(fault).__name__}: {fault}")
    jobs().keep(kept)
    return kept
