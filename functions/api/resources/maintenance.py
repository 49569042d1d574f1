"""Reconcile, triage and backfill: results of their runs, and runs that an operator starts."""

import uuid
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal

import msgspec

from cloud.dynamodb.maintenance_state import DynamoFaultCases, TaskRun, load_reconcile_progress
from functions.api.operation import Call, operation
from functions.api.pagination import sign_cursor, verify_cursor
from functions.api.problems import NotFound
from functions.api.scheduled import SCHEDULED_EVENT
from functions.api.schemas.lanes import BackfillRequest, BackfillResult, TaskStarted
from functions.api.schemas.status import (
    CompletenessOut,
    FaultOut,
    ReconcileRun,
    ReconcileStatus,
    TriageReportOut,
    TriageRun,
    TriageStatus,
)
from functions.runtime.container import container
from vigil.reliability.dead_letters import FaultCase
from vigil.reliability.reconcile import ReconcileProgress

TaskName = Literal["triage", "reconcile"]
start_task = partial(operation, "POST", role="operator", bound_tokens="refused", status=202, audited=True)
get_task_run = partial(operation, "GET", role="operator", bound_tokens="refused", problems=(NotFound,))


@start_task("/v1/triage")
def start_triage(_: Call) -> TaskStarted:
    """Start a run of triage over all dead letters and unpublished events.

    Otherwise triage runs every two minutes. A run takes up to one minute.
    """
    return _start("triage", container().settings.triage_function)


@start_task("/v1/reconcile")
def start_reconcile(_: Call) -> TaskStarted:
    """Start a reconcile run.

    Otherwise reconcile runs every five minutes. A run takes up to two minutes.
    """
    return _start("reconcile", container().settings.reconcile_function)


def _start(task: TaskName, function: str) -> TaskStarted:
    run = TaskRun(uuid.uuid4().hex, task)
    container().task_runs.save(run, datetime.now(UTC))
    container().lambda_functions.invoke_async(function, {**SCHEDULED_EVENT, "detail": {"run": run.id}})
    return TaskStarted(task=task, run=run.id)


@get_task_run("/v1/triage/runs/{run}")
def get_triage_run(call: Call) -> TriageRun:
    """Get the state and the report of a run of triage."""
    run = _find_run(call, "triage")
    report = TriageReportOut(**run.report) if run.report else None
    return TriageRun(run=run.id, state=run.state, error=run.error, report=report)


@get_task_run("/v1/reconcile/runs/{run}")
def get_reconcile_run(call: Call) -> ReconcileRun:
    """Get the state and the result of a reconcile run.

    While the result has `in_progress`, the comparison of the bucket continues with the next run.
    """
    run = _find_run(call, "reconcile")
    report = _to_reconcile_status(msgspec.convert(run.report, ReconcileProgress)) if run.report else None
    return ReconcileRun(run=run.id, state=run.state, error=run.error, report=report)


def _find_run(call: Call, task: TaskName) -> TaskRun:
    run = container().task_runs.find(call.path["run"])
    if run is None or run.task != task:
        raise NotFound
    return run


@operation("GET", "/v1/reconcile", role="operator", bound_tokens="refused")
def get_reconcile(_: Call) -> ReconcileStatus:
    """Get the result of the last reconcile runs.

    One comparison of the whole bucket may take several runs.
    """
    return _to_reconcile_status(load_reconcile_progress(container().state_store))


def _to_reconcile_status(progress: ReconcileProgress) -> ReconcileStatus:
    complete = progress.last_complete
    return ReconcileStatus(
        in_progress=bool(progress.cursor),
        reannounced=progress.reannounced,
        completeness=CompletenessOut.model_validate(complete) if complete else None,
    )


@operation("GET", "/v1/triage", role="operator", bound_tokens="refused")
def get_triage(_: Call) -> TriageStatus:
    """Get the faults that triage has found in dead letters.

    Triage runs every two minutes and stores the phase of each fault.
    """
    cases = DynamoFaultCases(container().state_store).load_cases().values()
    newest_first = sorted(cases, key=lambda case: case.since, reverse=True)
    return TriageStatus(faults=tuple(map(_to_fault, newest_first)))


def _to_fault(case: FaultCase) -> FaultOut:
    fingerprint = case.fingerprint
    return FaultOut(
        id=fingerprint.id,
        kind=fingerprint.kind,
        message=fingerprint.message,
        stage=fingerprint.stage,
        release=fingerprint.release or None,
        dependency=fingerprint.dependency,
        phase=case.phase,
        since=case.since,
        first_failed_at=case.first_failed_at,
        canary_drop=case.canary_drop_id or None,
        failures=case.failures,
    )


@operation(
    "POST",
    "/v1/backfill",
    role="operator",
    bound_tokens="refused",
    status=202,
    audited=True,
    example={"model": "faces"},
    problems=(NotFound,),
)
def backfill(call: Call, request: BackfillRequest) -> BackfillResult:
    """Run a model on objects that are already stored.

    One request announces one part of the bucket on the bulk lane; repeat it with the returned `cursor` until
    that is empty.
    """
    if request.model is not None and request.model not in container().model_cards:
        raise NotFound(f"unknown model; use {', '.join(container().model_cards)}")
    filters = {"model": request.model}
    payload: dict[str, Any] = {"model": request.model} if request.model else {}
    if request.cursor:
        payload["cursor"] = verify_cursor(call, "backfill", filters, request.cursor)
    response = container().lambda_functions.invoke(container().settings.backfill_function, payload)
    next_cursor = sign_cursor(call, "backfill", filters, response["cursor"]) if response["cursor"] else ""
    return BackfillResult(announced=response["announced"], cursor=next_cursor)
