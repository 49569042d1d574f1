"""Alerts, and what people decide about them."""

from datetime import UTC, datetime

from cloud.decisions import Overtaken
from cloud.traces import GONE
from functions.api import wiring
from functions.api.drops import matching
from functions.api.operation import Call, Operation
from functions.api.paging import Row, page
from functions.api.problems import BadCursor, Conflict, NotFound
from functions.api.schemas import alerts as shapes
from functions.api.thumbnails import link
from vigil.watch.reviews import AlreadyClosed, Review, SameReviewer, State, reviewed


def list_alerts(call: Call, query: shapes.AlertsQuery) -> shapes.Alerts:
    """Alerts, newest first."""
    wanted = {
        "taken_from": query.source,
        "review": query.review,
        "rule": query.rule,
        "severity": query.severity,
    }
    found = page(call, query, "alerts", matching(wanted, query.until), query.since)
    return shapes.Alerts(items=[_shown(row, call) for row in found.rows], next=found.next)


def get_alert(call: Call) -> shapes.Alert:
    """One alert with its reviews."""
    return _shown(_row(call), call)


def review_alert(call: Call, given: shapes.NewReview) -> shapes.Reviewed:
    """A verdict; what it changes (silence, labels) is kept with it."""
    row = _row(call)
    review = Review(call.caller.id, given.verdict, datetime.now(UTC))
    needed = int(row.get("reviewers", 1))
    state = _decided(_reviews(row), review, needed)
    try:
        wiring.decisions().keep(row, review, state)
    except Overtaken as error:
        raise Conflict("the alert has changed meanwhile") from error
    verdicts = len(_reviews(row)) + 1
    return shapes.Reviewed(alert=row["alert_id"], review=state, verdicts=verdicts, reviewers=needed)


def _decided(reviews: list[Review], review: Review, needed: int) -> State:
    try:
        return reviewed(reviews, review, needed)
    except (AlreadyClosed, SameReviewer) as error:
        raise Conflict(str(error)) from error


def _row(call: Call) -> Row:
    row = wiring.records().alert(call.path["alert"])
    if row is None or not call.caller.sees(row["taken_from"]):
        raise NotFound
    return row


def _reviews(row: Row) -> list[Review]:
    return [
        Review(one["reviewer"], one["verdict"], datetime.fromisoformat(one["at"]))
        for one in row.get("reviews", ())
    ]


def _shown(row: Row, call: Call) -> shapes.Alert:
    forgotten = row["subject_id"] == GONE
    return shapes.Alert(
        alert=row["alert_id"],
        rule=row["rule"],
        severity=row["severity"],
        status=row["status"],
        source=row["taken_from"],
        model=row["model"],
        subject=row["subject_id"],
        drop=row["drop_id"],
        sighting=f"{row['drop_id']}-{row['sighting']}",
        at=row["happened_at"],
        last_at=row["last_at"],
        drops=row["drops"],
        review=row["review"],
        reviewers=row.get("reviewers", 1),
        reviews=tuple(shapes.Review(**one) for one in row.get("reviews", ())),
        forgotten=forgotten,
        thumbnail_url=None if forgotten else link(call, row["drop_id"], int(row["sighting"])),
    )


OPERATIONS = (
    Operation(
        "GET",
        "/v1/alerts",
        name="list-alerts",
        summary="Alerts, newest first",
        serve=list_alerts,
        takes=shapes.AlertsQuery,
        answers=shapes.Alerts,
        audited=True,
        example={"review": "open", "limit": 10},
        problems=(BadCursor,),
    ),
    Operation(
        "GET",
        "/v1/alerts/{alert}",
        name="get-alert",
        summary="One alert with its reviews",
        serve=get_alert,
        answers=shapes.Alert,
        audited=True,
        problems=(NotFound,),
    ),
    Operation(
        "POST",
        "/v1/alerts/{alert}/reviews",
        name="review-alert",
        summary="A verdict about an alert",
        serve=review_alert,
        role="reviewer",
        takes=shapes.NewReview,
        answers=shapes.Reviewed,
        status=201,
        audited=True,
        example={"verdict": "confirm"},
        problems=(NotFound, Conflict),
    ),
)
