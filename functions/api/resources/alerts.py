"""Alerts and their reviews."""

from datetime import UTC, datetime

from cloud.dynamodb.erasure import ERASED_LABEL
from functions.api.operation import Call, operation
from functions.api.pagination import Row, read_page, row_filter
from functions.api.problems import Conflict, NotFound
from functions.api.resources.thumbnails import thumbnail_url
from functions.api.schemas.alerts import AlertList, AlertOut, AlertsQuery, NewReview, ReviewOut, ReviewResult
from functions.runtime.container import container
from vigil.alerts.reviews import AlreadyClosed, Review, SameReviewer, apply_review
from vigil.errors import ConcurrentUpdate


@operation("GET", "/v1/alerts", role="viewer", audited=True, example={"review": "open", "limit": 10})
def list_alerts(call: Call, query: AlertsQuery) -> AlertList:
    """List alerts, newest first."""
    matches = row_filter(query, "source", "review", "rule", "severity")
    page = read_page(call, query, "alerts", matches, query.since)
    return AlertList(items=[_to_alert(row, call) for row in page.rows], next=page.next)


@operation("GET", "/v1/alerts/{alert}", role="viewer", audited=True)
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
)
def review_alert(call: Call, new: NewReview) -> ReviewResult:
    """Review an alert.

    A dismissal suppresses the same alert for twelve hours. Reviews are also used as labels.
    """
    row = _alert_row(call)
    review = Review(call.caller.id, new.decision, datetime.now(UTC))
    required = int(row.get("reviewers", 1))
    reviews = _reviews_of(row)
    try:
        state = apply_review(reviews, review, required)
        container().reviews.save_review(row, review, state)
    except (AlreadyClosed, SameReviewer) as error:
        raise Conflict(str(error)) from error
    except ConcurrentUpdate as error:
        raise Conflict("the alert was changed by another request") from error
    return ReviewResult(
        alert=row["alert_id"], review=state, review_count=len(reviews) + 1, required_reviewers=required
    )


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
    erased = row["subject_id"] == ERASED_LABEL
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
        subject_erased=erased,
        thumbnail_url=None if erased else thumbnail_url(call, row["drop_id"], int(row["sighting"])),
    )
