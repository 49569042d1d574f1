"""Reconcile, triage and backfill: results of their runs, and runs that an operator starts."""

from typing import Any

from cloud.dynamodb.maintenance_state import DynamoFaultCases, load_reconcile_progress
from functions.api.operation import Call, operation
from functions.api.pagination import sign_cursor, verify_cursor
from functions.api.problems import NotFound
from functions.api.schemas.lanes import BackfillRequest, BackfillResult, TaskStarted
from functions.api.schemas.status import CompletenessOut, FaultOut, ReconcileStatus, TriageStatus
from functions.runtime.container import container
from vigil.reliability.dead_letters import FaultCase

SCHEDULED_EVENT = {
    "version": "0",
    "id": "by-hand",
    "account": "",
    "region": "",
    "time": "",
    "source": "vigil.api",
    "detail-type": "Scheduled Event",
    "detail": {},
    "resources": [],
}
"""The event of a schedule, to start a scheduled function outside of its schedule."""


@operation("POST", "/v1/reconcile", role="operator", all_sources=True, status=202, audited=True)
def start_reconcile(_: Call) -> TaskStarted:
    """Start a reconcile run.

    Otherwise reconcile runs every five minutes.
    """
    container().lambda_functions.invoke_async(container().settings.reconcile_function, SCHEDULED_EVENT)
    return TaskStarted(task="reconcile")


@operation("GET", "/v1/reconcile", role="operator", all_sources=True)
def get_reconcile(_: Call) -> ReconcileStatus:
    """Get the result of the last reconcile runs.

    One comparison of the whole bucket may take several runs.
    """
    progress = load_reconcile_progress(container().state_store)
    complete = progress.last_complete
    return ReconcileStatus(
        in_progress=bool(progress.cursor),
        reannounced=progress.reannounced,
        completeness=CompletenessOut(
            objects=complete.objects, completed=complete.completed, too_recent=complete.too_recent
        )
        if complete
        else None,
    )


@operation("GET", "/v1/triage", role="operator", all_sources=True)
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
    all_sources=True,
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
