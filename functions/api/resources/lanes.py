"""Pausing lanes, and dead letters."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

from functions.api.operation import Call, operation
from functions.api.problems import NotFound
from functions.api.schemas.lanes import (
    DeadLetterDetails,
    DeadLetterList,
    DeadLetterOut,
    DeadLetterSelection,
    DeadLettersProcessed,
    DeadLettersQuery,
    DropFailure,
    LaneState,
)
from functions.runtime.container import container
from vigil.drops.ledger import DropRecord
from vigil.reliability.dead_letters import DeadLetter, Redrive, delete_with_note, redrive

MAX_DEAD_LETTERS = 500
VISIBILITY_TIMEOUT = timedelta(seconds=2)
"""Time for which received dead letters are invisible to other receivers."""

lane_switch = partial(operation, role="admin", bound_tokens="refused", audited=True)
dead_letter_action = partial(
    operation, role="operator", bound_tokens="refused", audited=True, example={"ids": []}
)


@lane_switch("POST", "/v1/lanes/{lane}/pause")
def pause_lane(call: Call) -> LaneState:
    """Pause a lane.

    Its messages stay in the queue until the lane is resumed.
    """
    lane = call.path["lane"]
    container().paused_lanes.pause(lane)
    container().lane_mappings[lane].set_enabled(enabled=False)
    return LaneState(lane=lane, paused=True)


@lane_switch("POST", "/v1/lanes/{lane}/resume")
def resume_lane(call: Call) -> LaneState:
    """Resume a paused lane.

    An open breaker still stops the lane, from the next controller run on.
    """
    lane = call.path["lane"]
    container().paused_lanes.resume(lane)
    container().lane_mappings[lane].set_enabled(enabled=True)
    return LaneState(lane=lane, paused=False)


@operation(
    "GET", "/v1/lanes/{lane}/dead-letters", role="operator", bound_tokens="refused", example={"limit": 5}
)
def list_dead_letters(call: Call, query: DeadLettersQuery) -> DeadLetterList:
    """List dead letters with the failures of their drops."""
    dead_letters = container().dead_letters(call.path["lane"], VISIBILITY_TIMEOUT).receive(query.limit)
    records = container().drop_records.read_records({drop.id for one in dead_letters for drop in one.drops})
    return DeadLetterList(items=tuple(_to_dead_letter(one, records) for one in dead_letters))


@operation(
    "GET", "/v1/lanes/{lane}/dead-letters/{message}", role="operator", bound_tokens="refused", audited=True
)
def get_dead_letter(call: Call) -> DeadLetterDetails:
    """Get a dead letter with its body.

    A dead letter that another receiver holds is not found until its visibility timeout ends.
    """
    received = container().dead_letters(call.path["lane"], VISIBILITY_TIMEOUT).receive(MAX_DEAD_LETTERS)
    found = next((one for one in received if one.id == call.path["message"]), None)
    if found is None:
        raise NotFound
    records = container().drop_records.read_records({drop.id for drop in found.drops})
    return DeadLetterDetails(**_to_dead_letter(found, records).model_dump(), body=found.body)


@dead_letter_action("POST", "/v1/lanes/{lane}/dead-letters/redrive")
def redrive_dead_letters(call: Call, selection: DeadLetterSelection) -> DeadLettersProcessed:
    """Send dead letters back to their lane.

    Each redrive is noted on the records of its drops.
    """
    dead_letters, notes = (
        container().dead_letters(call.path["lane"], VISIBILITY_TIMEOUT),
        container().drop_records,
    )
    selected = _select(dead_letters.receive(MAX_DEAD_LETTERS), selection)
    for dead_letter in selected:
        redrive(Redrive(dead_letter, selection.reason), dead_letters, notes, datetime.now(UTC))
    return DeadLettersProcessed(processed=len(selected))


@dead_letter_action("POST", "/v1/lanes/{lane}/dead-letters/quarantine")
def quarantine_dead_letters(call: Call, selection: DeadLetterSelection) -> DeadLettersProcessed:
    """Quarantine the drops of dead letters.

    The dead letters are deleted, with a note on the records of their drops.
    """
    lane, processed = call.path["lane"], 0
    dead_letters = container().dead_letters(lane, VISIBILITY_TIMEOUT)
    for dead_letter in _select(dead_letters.receive(MAX_DEAD_LETTERS), selection):
        request = {
            "lane": lane,
            "id": dead_letter.id,
            "body": dead_letter.body,
            "sent": dead_letter.sent_at.isoformat(),
        }
        response = container().lambda_functions.invoke(
            container().settings.quarantine_function, request | {"reason": selection.reason}
        )
        if not response["in_progress"]:
            now, notes = datetime.now(UTC), container().drop_records
            delete_with_note(
                dead_letter, dead_letters, action="quarantined", reason=selection.reason, notes=notes, now=now
            )
            processed += 1
    return DeadLettersProcessed(processed=processed)


def _to_dead_letter(dead_letter: DeadLetter, records: Mapping[str, DropRecord]) -> DeadLetterOut:
    return DeadLetterOut(
        id=dead_letter.id,
        sent_at=dead_letter.sent_at,
        redrives=dead_letter.redrives,
        suspect_drop=dead_letter.suspect.drop_id if dead_letter.suspect else None,
        drops=tuple(_drop_failure(drop.id, records.get(drop.id)) for drop in dead_letter.drops),
    )


def _drop_failure(drop: str, record: DropRecord | None) -> DropFailure:
    if record is None:
        return DropFailure(drop=drop)
    return DropFailure(
        drop=drop,
        state=record.state,
        attempts=record.attempts,
        stage=record.stage or None,
        error=record.error or None,
        release=record.release or None,
    )


def _select(dead_letters: Iterable[DeadLetter], selection: DeadLetterSelection) -> list[DeadLetter]:
    return [one for one in dead_letters if not selection.ids or one.id in selection.ids]
