"""What people decided about an alert: it closes once as many different reviewers agree as its rule asks."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, get_args

Verdict = Literal["confirm", "dismiss", "not-this-person"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

State = Literal["open", "confirmed", "dismissed", "not-this-person"]

CLOSED_AS: dict[Verdict, State] = {
    "confirm": "confirmed",
    "dismiss": "dismissed",
    "not-this-person": "not-this-person",
}

QUIET = timedelta(hours=12)
"""After a dismissal, the same rule is silent about the same subject at the same source for so long."""


@dataclass(frozen=True, slots=True)
class Review:
    """One person's verdict."""

    reviewer: str
    verdict: Verdict
    at: datetime


class AlreadyClosed(ValueError):
    """Enough people have agreed already."""


class SameReviewer(ValueError):
    """This person has given a verdict: another one must give the next."""


def reviewed(reviews: Sequence[Review], new: Review, needed: int) -> State:
    """The alert's state with one more review. Raises AlreadyClosed, SameReviewer.

    Reviewers who differ do not close it: it stays open until enough of them agree.
    """
    if state_of(reviews, needed) != "open":
        raise AlreadyClosed("it has been decided")
    if new.reviewer in {review.reviewer for review in reviews}:
        raise SameReviewer("a second opinion must be another person's")
    return state_of([*reviews, new], needed)


def state_of(reviews: Sequence[Review], needed: int) -> State:
    """What the verdicts so far come to."""
    counted = Counter(review.verdict for review in reviews).most_common(1)
    return CLOSED_AS[counted[0][0]] if counted and counted[0][1] >= needed else "open"
