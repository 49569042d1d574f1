"""Maintenance tasks that an operator starts: reconcile and backfill."""

from typing import Any

from functions.api.operation import Call, operation
from functions.api.pagination import sign_cursor, verify_cursor
from functions.api.problems import NotFound
from functions.api.schemas.lanes import BackfillRequest, BackfillResult, TaskStarted
from functions.runtime.container import container

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
