"""Reviews: an alert is closed when as many different reviewers agree as its rule requires."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, get_args

ReviewDecision = Literal["confirm", "dismiss", "not-this-person"]
REVIEW_DECISIONS: tuple[ReviewDecision, ...] = get_args(ReviewDecision)

AlertState = Literal["open", "confirmed", "dismissed", "not-this-person"]

STATE_BY_DECISION: dict[ReviewDecision, AlertState] = {
    "confirm": "confirmed",
    "dismiss": "dismissed",
    "not-this-person": "not-this-person",
}

SUPPRESSION_PERIOD = timedelta(hours=12)
"""Time after a dismissal in which the same rule raises no alert about the subject at the source."""


@dataclass(frozen=True, slots=True)
class Review:
    """The decision of one reviewer."""

    reviewer: str
    decision: ReviewDecision
    reviewed_at: datetime


class AlreadyClosed(ValueError):
    """The alert is closed."""


class SameReviewer(ValueError):
    """The reviewer has reviewed this alert before."""


def apply_review(reviews: Sequence[Review], new: Review, required_reviewers: int) -> AlertState:
    """The alert's state after one more review. Raises AlreadyClosed, SameReviewer."""
    if alert_state(reviews, required_reviewers) != "open":
        raise AlreadyClosed("the alert is closed")
    if new.reviewer in {review.reviewer for review in reviews}:
        raise SameReviewer("the next review must come from another person")
    return alert_state([*reviews, new], required_reviewers)


def alert_state(reviews: Sequence[Review], required_reviewers: int) -> AlertState:
    """Open until enough reviewers agree."""
    counted = Counter(review.decision for review in reviews).most_common(1)
    return STATE_BY_DECISION[counted[0][0]] if counted and counted[0][1] >= required_reviewers else "open"
