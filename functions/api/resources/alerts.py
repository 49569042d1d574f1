"""Alerts, and what people decide about them."""

from datetime import UTC, datetime

from cloud.dynamodb.erasure import ERASED_LABEL
from functions.api.operation import Call, operation
from functions.api.pagination import Row, read_page
from functions.api.problems import Conflict, InvalidCursor, NotFound
from functions.api.resources.drops import row_filter
from functions.api.resources.thumbnails import thumbnail_url
from functions.api.schemas.alerts import AlertList, AlertOut, AlertsQuery, NewReview, ReviewOut, ReviewResult
from functions.runtime.container import container
from vigil.alerts.reviews import (
    AlertState,
    AlreadyClosed,
    Review,
    SameReviewer,
    apply_review,
)
from vigil.errors import ConcurrentUpdate


@operation(
    "GET",
    "/v1/alerts",
    role="viewer",
    audited=True,
    example={"review": "open", "limit": 10},
    problems=(InvalidCursor,),
)
def list_alerts(call: Call, query: AlertsQuery) -> AlertList:
    """List alerts, newest first."""
    filters = {
        "source": query.source,
        "review": query.review,
        "rule": query.rule,
        "severity": query.severity,
    }
    page_rows = read_page(call, query, "alerts", row_filter(filters, query.until), query.since)
    return AlertList(items=[_to_alert(row, call) for row in page_rows.rows], next=page_rows.next)


@operation("GET", "/v1/alerts/{alert}", role="viewer", audited=True, problems=(NotFound,))
def get_alert(call: Call) -> AlertOut:
    """Get an alert with its reviews."""
    return _to_alert(_alert_row(call), call)


@operation(
    "POST",
    "/v1/alerts/{alert}/reviews",
    role="reviewer",
    status=201,
    audited=True,
    example={"decision": "confirm"},
    problems=(NotFound, Conflict),
)
def review_alert(call: Call, new: NewReview) -> ReviewResult:
    """Review an alert.

    A dismissal suppresses the same alert for twelve hours. Reviews are also used as labels.
    """
    row = _alert_row(call)
    review = Review(call.caller.id, new.decision, datetime.now(UTC))
    required = int(row.get("reviewers", 1))
    state = _apply_review(_reviews_of(row), review, required)
    try:
        container().reviews.save_review(row, review, state)
    except ConcurrentUpdate as error:
        raise Conflict("the alert has changed meanwhile") from error
    decisions = len(_reviews_of(row)) + 1
    return ReviewResult(
        alert=row["alert_id"], review=state, review_count=decisions, required_reviewers=required
    )


def _apply_review(reviews: list[Review], review: Review, required: int) -> AlertState:
    try:
        return apply_review(reviews, review, required)
    except (AlreadyClosed, SameReviewer) as error:
        raise Conflict(str(error)) from error


def _alert_row(call: Call) -> Row:
    row = container().drop_reader.alert(call.path["alert"])
    if row is None or not call.caller.can_access_source(row["source"]):
        raise NotFound
    return row


def _reviews_of(row: Row) -> list[Review]:
    return [
        Review(one["reviewer"], one["decision"], datetime.fromisoformat(one["at"]))
        for one in row.get("reviews", ())
    ]


def _to_alert(row: Row, call: Call) -> AlertOut:
    forgotten = row["subject_id"] == ERASED_LABEL
    return AlertOut(
        id=row["alert_id"],
        rule=row["rule"],
        severity=row["severity"],
        status=row["status"],
        source=row["source"],
        model=row["model"],
        subject=row["subject_id"],
        drop=row["drop_id"],
        sighting=f"{row['drop_id']}-{row['sighting']}",
        at=row["occurred_at"],
        last_at=row["last_at"],
        drop_count=row["drops"],
        review=row["review"],
        required_reviewers=row.get("reviewers", 1),
        reviews=tuple(ReviewOut(**one) for one in row.get("reviews", ())),
        subject_erased=forgotten,
        thumbnail_url=None if forgotten else thumbnail_url(call, row["drop_id"], int(row["sighting"])),
    )
