"""Operations: what failed for good, lanes that stand still, what is looked through once more."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cloud.mappings import Mapping as EventMapping
from cloud.queue import Queue
from functions.api import wiring
from functions.api.operation import Call, Operation
from functions.api.paging import opened, sealed
from functions.api.problems import BadCursor, NotFound
from functions.api.schemas import operations as shapes
from functions.settings import settings
from vigil.flow.leaving import put_away, send_back
from vigil.steady.letters import Letter, Redrive

MOST = 500
LOOK_S = 2
"""A dead letter that was looked at is hidden from others for so long."""


@dataclass(frozen=True, slots=True)
class Steering:
    """A lane's queues and its event source mapping."""

    queue: Queue
    dead: Queue
    mapping: EventMapping


def pause_lane(call: Call) -> shapes.LaneSwitched:
    """Stop a lane: messages wait in its queue. It stays so until somebody resumes it."""
    lane = call.path["lane"]
    wiring.paused().pause(lane)
    wiring.steering(lane).mapping.switch(enabled=False)
    return shapes.LaneSwitched(lane=lane, paused=True)


def resume_lane(call: Call) -> shapes.LaneSwitched:
    """Let a paused lane go on; an open breaker still holds it, from the next minute on."""
    lane = call.path["lane"]
    wiring.paused().resume(lane)
    wiring.steering(lane).mapping.switch(enabled=True)
    return shapes.LaneSwitched(lane=lane, paused=False)


def list_letters(call: Call, query: shapes.LettersQuery) -> shapes.Letters:
    """Dead letters with their evidence."""
    found = wiring.letters(call.path["lane"], LOOK_S).receive(query.limit)
    return shapes.Letters(items=tuple(_letter(one) for one in found))


def redrive_letters(call: Call, chosen: shapes.Chosen) -> shapes.Moved:
    """Send dead letters back to their lane, each with a line in the ledger that says why."""
    dead, diary = wiring.letters(call.path["lane"], LOOK_S), wiring.history()
    picked = _picked(dead.receive(MOST), chosen)
    for letter in picked:
        send_back(Redrive(letter, chosen.why), dead, diary, datetime.now(UTC))
    return shapes.Moved(letters=len(picked))


def quarantine_letters(call: Call, chosen: shapes.Chosen) -> shapes.Moved:
    """Settle the drops of dead letters as quarantined, and put the letters away, with a line for each."""
    lane, moved = call.path["lane"], 0
    dead = wiring.letters(lane, LOOK_S)
    for letter in _picked(dead.receive(MOST), chosen):
        question = {"lane": lane, "id": letter.id, "body": letter.body, "sent": letter.sent.isoformat()}
        told = wiring.neighbours().ask(settings().quarantine_function, question | {"why": chosen.why})
        if not told["held"]:
            now, diary = datetime.now(UTC), wiring.history()
            put_away(letter, dead, deed="quarantined", why=chosen.why, diary=diary, now=now)
            moved += 1
    return shapes.Moved(letters=moved)


def start_reconcile(_: Call) -> shapes.Started:
    """Compare bucket and ledger now instead of within five minutes."""
    wiring.neighbours().start(settings().reconcile_function, wiring.TICK)
    return shapes.Started(started="reconcile")


def back_fill(call: Call, wanted: shapes.BackFill) -> shapes.BackFilled:
    """Show objects that lie in the bucket to a model, through the bulk lane."""
    if wanted.model is not None and wanted.model not in wiring.cards():
        raise NotFound(f"there are: {', '.join(wiring.cards())}")
    filters = {"model": wanted.model}
    question: dict[str, Any] = {"model": wanted.model} if wanted.model else {}
    if wanted.cursor:
        question["cursor"] = opened(call, "backfill", filters, wanted.cursor)
    told = wiring.neighbours().ask(settings().backfill_function, question)
    further = sealed(call, "backfill", filters, told["cursor"]) if told["cursor"] else ""
    return shapes.BackFilled(announced=told["announced"], cursor=further)


def _letter(letter: Letter) -> shapes.DeadLetter:
    return shapes.DeadLetter(
        letter=letter.id,
        sent_at=letter.sent,
        redrives=letter.redrives,
        suspected=letter.suspicion.drop if letter.suspicion else None,
        drops=tuple(_evidence(drop.id) for drop in letter.drops),
    )


def _evidence(drop: str) -> shapes.Evidence:
    row = wiring.records().drop(drop) or {}
    told = ("state", "attempts", "stage", "error", "release")
    return shapes.Evidence(drop=drop, **{name: row[name] for name in told if row.get(name) is not None})


def _picked(letters: Any, chosen: shapes.Chosen) -> list[Letter]:
    return [letter for letter in letters if not chosen.letters or letter.id in chosen.letters]


OPERATIONS = (
    Operation(
        "POST",
        "/v1/lanes/{lane}/pause",
        name="pause-lane",
        summary="Stop a lane",
        serve=pause_lane,
        role="admin",
        everywhere=True,
        answers=shapes.LaneSwitched,
        audited=True,
    ),
    Operation(
        "POST",
        "/v1/lanes/{lane}/resume",
        name="resume-lane",
        summary="Let a paused lane go on",
        serve=resume_lane,
        role="admin",
        everywhere=True,
        answers=shapes.LaneSwitched,
        audited=True,
    ),
    Operation(
        "GET",
        "/v1/lanes/{lane}/dead-letters",
        name="list-dead-letters",
        summary="What failed as often as it may, with evidence",
        serve=list_letters,
        role="operator",
        everywhere=True,
        takes=shapes.LettersQuery,
        answers=shapes.Letters,
        example={"limit": 5},
    ),
    Operation(
        "POST",
        "/v1/lanes/{lane}/dead-letters/redrive",
        name="redrive-dead-letters",
        summary="Send dead letters back to their lane",
        serve=redrive_letters,
        role="operator",
        everywhere=True,
        takes=shapes.Chosen,
        answers=shapes.Moved,
        audited=True,
        example={"letters": []},
    ),
    Operation(
        "POST",
        "/v1/lanes/{lane}/dead-letters/quarantine",
        name="quarantine-dead-letters",
        summary="Settle dead letters as quarantined",
        serve=quarantine_letters,
        role="operator",
        everywhere=True,
        takes=shapes.Chosen,
        answers=shapes.Moved,
        audited=True,
        example={"letters": []},
    ),
    Operation(
        "POST",
        "/v1/reconcile",
        name="start-reconcile",
        summary="Compare bucket and ledger now",
        serve=start_reconcile,
        role="operator",
        everywhere=True,
        answers=shapes.Started,
        status=202,
        audited=True,
    ),
    Operation(
        "POST",
        "/v1/backfill",
        name="back-fill",
        summary="Show an old bucket to a model",
        serve=back_fill,
        role="operator",
        everywhere=True,
        takes=shapes.BackFill,
        answers=shapes.BackFilled,
        status=202,
        audited=True,
        example={"model": "faces"},
        problems=(NotFound, BadCursor),
    ),
)
