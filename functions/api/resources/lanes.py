"""Operations: what failed for good, lanes that stand still, what is looked through once more."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cloud.lambda_api import EventSourceMapping as EventMapping
from cloud.sqs import SqsQueue
from functions.api.operation import Call, Operation
from functions.api.pagination import sign_cursor, verify_cursor
from functions.api.problems import InvalidCursor, NotFound
from functions.api.schemas.lanes import (
    BackfillRequest,
    BackfillResult,
    DeadLetterList,
    DeadLetterOut,
    DeadLetterSelection,
    DeadLettersProcessed,
    DeadLettersQuery,
    DropFailure,
    LaneState,
    TaskStarted,
)
from functions.runtime import wiring_api as wiring
from functions.runtime.settings import settings
from vigil.reliability.dead_letters import DeadLetter, Redrive, delete_with_note, redrive

MAX_DEAD_LETTERS = 500
LISTED_HIDDEN_S = 2
"""A dead letter that was looked at is hidden from others for so long."""


@dataclass(frozen=True, slots=True)
class LaneControls:
    """A lane's queues and its event source mapping."""

    queue: SqsQueue
    dead_letters: SqsQueue
    mapping: EventMapping


def pause_lane(call: Call) -> LaneState:
    """Stop a lane: messages wait in its queue. It stays so until somebody resumes it."""
    lane = call.path["lane"]
    wiring.paused_lanes().pause(lane)
    wiring.lane_controls(lane).mapping.set_enabled(enabled=False)
    return LaneState(lane=lane, paused=True)


def resume_lane(call: Call) -> LaneState:
    """Let a paused lane go on; an open breaker still holds it, from the next minute on."""
    lane = call.path["lane"]
    wiring.paused_lanes().resume(lane)
    wiring.lane_controls(lane).mapping.set_enabled(enabled=True)
    return LaneState(lane=lane, paused=False)


def list_dead_letters(call: Call, query: DeadLettersQuery) -> DeadLetterList:
    """Dead letters with their evidence."""
    dead_letters = wiring.dead_letters(call.path["lane"], LISTED_HIDDEN_S).receive(query.limit)
    return DeadLetterList(items=tuple(_to_dead_letter(one) for one in dead_letters))


def redrive_dead_letters(call: Call, selection: DeadLetterSelection) -> DeadLettersProcessed:
    """Send dead letters back to their lane, each with a line in the ledger that says why."""
    dead_letters, notes = wiring.dead_letters(call.path["lane"], LISTED_HIDDEN_S), wiring.history()
    selected = _select(dead_letters.receive(MAX_DEAD_LETTERS), selection)
    for dead_letter in selected:
        redrive(Redrive(dead_letter, selection.reason), dead_letters, notes, datetime.now(UTC))
    return DeadLettersProcessed(processed=len(selected))


def quarantine_dead_letters(call: Call, selection: DeadLetterSelection) -> DeadLettersProcessed:
    """Settle the drops of dead letters as quarantined, and put the letters away, with a line for each."""
    lane, processed = call.path["lane"], 0
    dead_letters = wiring.dead_letters(lane, LISTED_HIDDEN_S)
    for dead_letter in _select(dead_letters.receive(MAX_DEAD_LETTERS), selection):
        request = {
            "lane": lane,
            "id": dead_letter.id,
            "body": dead_letter.body,
            "sent": dead_letter.sent_at.isoformat(),
        }
        response = wiring.functions().invoke(
            settings().quarantine_function, request | {"reason": selection.reason}
        )
        if not response["in_progress"]:
            now, notes = datetime.now(UTC), wiring.history()
            delete_with_note(
                dead_letter, dead_letters, action="quarantined", reason=selection.reason, notes=notes, now=now
            )
            processed += 1
    return DeadLettersProcessed(processed=processed)


def start_reconcile(_: Call) -> TaskStarted:
    """Compare bucket and ledger now instead of within five minutes."""
    wiring.functions().invoke_async(settings().reconcile_function, wiring.SCHEDULED_EVENT)
    return TaskStarted(task="reconcile")


def backfill(call: Call, request: BackfillRequest) -> BackfillResult:
    """Show objects that lie in the bucket to a model, through the bulk lane."""
    if request.model is not None and request.model not in wiring.model_cards():
        raise NotFound(f"there are: {', '.join(wiring.model_cards())}")
    filters = {"model": request.model}
    payload: dict[str, Any] = {"model": request.model} if request.model else {}
    if request.cursor:
        payload["cursor"] = verify_cursor(call, "backfill", filters, request.cursor)
    response = wiring.functions().invoke(settings().backfill_function, payload)
    next_cursor = sign_cursor(call, "backfill", filters, response["cursor"]) if response["cursor"] else ""
    return BackfillResult(announced=response["announced"], cursor=next_cursor)


def _to_dead_letter(dead_letter: DeadLetter) -> DeadLetterOut:
    return DeadLetterOut(
        id=dead_letter.id,
        sent_at=dead_letter.sent_at,
        redrives=dead_letter.redrives,
        suspect_drop=dead_letter.suspect.drop_id if dead_letter.suspect else None,
        drops=tuple(_drop_failure(drop.id) for drop in dead_letter.drops),
    )


def _drop_failure(drop: str) -> DropFailure:
    row = wiring.records().find_drop(drop) or {}
    names = ("state", "attempts", "stage", "error", "release")
    return DropFailure(drop=drop, **{name: row[name] for name in names if row.get(name) is not None})


def _select(dead_letters: Any, selection: DeadLetterSelection) -> list[DeadLetter]:
    return [
        dead_letter for dead_letter in dead_letters if not selection.ids or dead_letter.id in selection.ids
    ]


OPERATIONS = (
    Operation(
        "POST",
        "/v1/lanes/{lane}/pause",
        name="pause-lane",
        summary="Stop a lane",
        handler=pause_lane,
        role="admin",
        all_sources=True,
        response_model=LaneState,
        audited=True,
    ),
    Operation(
        "POST",
        "/v1/lanes/{lane}/resume",
        name="resume-lane",
        summary="Let a paused lane go on",
        handler=resume_lane,
        role="admin",
        all_sources=True,
        response_model=LaneState,
        audited=True,
    ),
    Operation(
        "GET",
        "/v1/lanes/{lane}/dead-letters",
        name="list-dead-letters",
        summary="What failed as often as it may, with evidence",
        handler=list_dead_letters,
        role="operator",
        all_sources=True,
        request_model=DeadLettersQuery,
        response_model=DeadLetterList,
        example={"limit": 5},
    ),
    Operation(
        "POST",
        "/v1/lanes/{lane}/dead-letters/redrive",
        name="redrive-dead-letters",
        summary="Send dead letters back to their lane",
        handler=redrive_dead_letters,
        role="operator",
        all_sources=True,
        request_model=DeadLetterSelection,
        response_model=DeadLettersProcessed,
        audited=True,
        example={"ids": []},
    ),
    Operation(
        "POST",
        "/v1/lanes/{lane}/dead-letters/quarantine",
        name="quarantine-dead-letters",
        summary="Settle dead letters as quarantined",
        handler=quarantine_dead_letters,
        role="operator",
        all_sources=True,
        request_model=DeadLetterSelection,
        response_model=DeadLettersProcessed,
        audited=True,
        example={"ids": []},
    ),
    Operation(
        "POST",
        "/v1/reconcile",
        name="start-reconcile",
        summary="Compare bucket and ledger now",
        handler=start_reconcile,
        role="operator",
        all_sources=True,
        response_model=TaskStarted,
        status=202,
        audited=True,
    ),
    Operation(
        "POST",
        "/v1/backfill",
        name="backfill",
        summary="Show an old bucket to a model",
        handler=backfill,
        role="operator",
        all_sources=True,
        request_model=BackfillRequest,
        response_model=BackfillResult,
        status=202,
        audited=True,
        example={"model": "faces"},
        problems=(NotFound, InvalidCursor),
    ),
)
