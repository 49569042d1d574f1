"""Alerts and their reviews."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from cloud.dynamodb.drops import AlertView
from functions.api.operation import Call, operation
from functions.api.pagination import read_page, row_filter
from functions.api.problems import AlertDecided, Conflict, NotFound
from functions.api.resources.people import find_names
from functions.api.resources.thumbnails import thumbnail_url
from functions.api.schemas.alerts import AlertList, AlertOut, AlertsQuery, NewReview, ReviewOut, ReviewResult
from functions.runtime.container import container
from vigil.alerts.reviews import AlreadyClosed, Review, SameReviewer, apply_review
from vigil.errors import ConcurrentUpdate


@operation(
    "GET",
    "/v1/alerts",
    role="viewer",
    bound_tokens="limited",
    audited=True,
    example={"review": "open", "limit": 10},
)
def list_alerts(call: Call, query: AlertsQuery) -> AlertList:
    """List alerts, newest first."""
    list_rows = container().drop_reader.list_alerts
    page = read_page(call, query, "alerts", _query_filter(query), list_rows=list_rows, since=query.since)
    names = find_names(call, (alert.subject_id for alert in page.rows))
    return AlertList(items=[_to_alert(alert, call, names) for alert in page.rows], next=page.next)


def _query_filter(query: AlertsQuery) -> Callable[[AlertView], bool]:
    matches, prefix = row_filter(query, "source", "review", "rule", "severity"), query.id_prefix or ""
    return lambda alert: (
        matches(alert) and alert.alert_id.startswith(prefix) and query.person in (None, alert.subject_id)
    )


@operation("GET", "/v1/alerts/{alert}", role="viewer", bound_tokens="limited", audited=True)
def get_alert(call: Call) -> AlertOut:
    """Get an alert with its reviews."""
    alert = _find_alert(call)
    return _to_alert(alert, call, find_names(call, [alert.subject_id]))


@operation(
    "POST",
    "/v1/alerts/{alert}/reviews",
    role="reviewer",
    bound_tokens="limited",
    status=201,
    audited=True,
    example={"decision": "confirm"},
    problems=(AlertDecided,),
)
def review_alert(call: Call, new: NewReview) -> ReviewResult:
    """Review an alert.

    A dismissal suppresses the same alert for twelve hours. Reviews are also used as labels.
    """
    alert = _find_alert(call)
    review = Review(call.caller.id, new.decision, datetime.now(UTC))
    try:
        state = apply_review(alert.reviews, review, alert.reviewers)
        container().reviews.save_review(alert, review, state)
    except (AlreadyClosed, SameReviewer) as error:
        raise AlertDecided(str(error)) from error
    except ConcurrentUpdate as error:
        raise Conflict("the alert was changed by another request") from error
    return ReviewResult(
        alert=alert.alert_id,
        review=state,
        review_count=len(alert.reviews) + 1,
        required_reviewers=alert.reviewers,
    )


def _find_alert(call: Call) -> AlertView:
    alert = container().drop_reader.find_alert(call.path["alert"])
    if alert is None or not call.caller.can_access_source(alert.source):
        raise NotFound
    return alert


def _to_alert(alert: AlertView, call: Call, names: Mapping[str, str]) -> AlertOut:
    reviews = (
        ReviewOut(reviewer=one.reviewer, decision=one.decision, at=one.reviewed_at) for one in alert.reviews
    )
    return AlertOut(
        id=alert.alert_id,
        rule=alert.rule,
        severity=alert.severity,  # type: ignore[arg-type]  # parse_rules checks it
        status=alert.status,
        source=alert.source,
        model=alert.model,
        subject=alert.subject_id,
        subject_name=names.get(alert.subject_id),
        drop=alert.drop_id,
        sighting=f"{alert.drop_id}-{alert.sighting}",
        at=alert.occurred_at,
        last_at=alert.last_at,
        drop_count=alert.drops,
        review=alert.review,
        required_reviewers=alert.reviewers,
        reviews=tuple(reviews),
        subject_erased=alert.is_erased,
        thumbnail_url=None if alert.is_erased else thumbnail_url(call, alert.drop_id, alert.sighting),
    )
