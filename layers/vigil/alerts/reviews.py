"""What people decided about an alert: it closes once as many different reviewers agree as its rule asks."""

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
"""After a dismissal, the same rule is silent about the same subject at the same source for so long."""


@dataclass(frozen=True, slots=True)
class Review:
    """One person's verdict."""

    reviewer: str
    decision: ReviewDecision
    reviewed_at: datetime


class AlreadyClosed(ValueError):
    """Enough people have agreed already."""


class SameReviewer(ValueError):
    """This person has given a verdict: another one must give the next."""


def apply_review(reviews: Sequence[Review], new: Review, required_reviewers: int) -> AlertState:
    """The alert's state with one more review. Raises AlreadyClosed, SameReviewer.

    Reviewers who differ do not close it: it stays open until enough of them agree.
    """
    if alert_state(reviews, required_reviewers) != "open":
        raise AlreadyClosed("it has been decided")
    if new.reviewer in {review.reviewer for review in reviews}:
        raise SameReviewer("a second opinion must be another person's")
    return alert_state([*reviews, new], required_reviewers)


def alert_state(reviews: Sequence[Review], required_reviewers: int) -> AlertState:
    """What the verdicts so far come to."""
    counted = Counter(review.decision for review in reviews).most_common(1)
    return STATE_BY_DECISION[counted[0][0]] if counted and counted[0][1] >= required_reviewers else "open"
