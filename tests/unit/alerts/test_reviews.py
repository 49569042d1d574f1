"""An alert is closed when as many different people agree as its rule requires."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigil.alerts.reviews import (
    REVIEW_DECISIONS,
    AlreadyClosed,
    Review,
    ReviewDecision,
    SameReviewer,
    alert_state,
    apply_review,
)
from vigil.alerts.rules import InvalidRules, parse_rules

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def reviews(*verdicts: ReviewDecision) -> list[Review]:
    return [Review(f"reviewer-{number}", verdict, NOON) for number, verdict in enumerate(verdicts)]


def test_one_reviewer_closes_an_alert_if_the_rule_requires_one():
    assert apply_review([], Review("ann", "dismiss", NOON), 1) == "dismissed"


def test_two_reviewers_who_differ_leave_the_alert_open_until_a_third_agrees_with_one():
    differing = reviews("confirm", "dismiss")

    assert alert_state(differing, 2) == "open"
    assert apply_review(differing, Review("third", "confirm", NOON), 2) == "confirmed"


def test_a_reviewer_cannot_review_an_alert_twice():
    with pytest.raises(SameReviewer):
        apply_review([Review("ann", "confirm", NOON)], Review("ann", "confirm", NOON), 2)


def test_a_closed_alert_cannot_be_reviewed():
    with pytest.raises(AlreadyClosed):
        apply_review(reviews("confirm"), Review("late", "dismiss", NOON), 1)


@given(st.lists(st.sampled_from(REVIEW_DECISIONS), max_size=9), st.integers(1, 3))
def test_an_alert_closes_with_the_first_decision_on_which_enough_people_agree(
    verdicts: Sequence[ReviewDecision], needed: int
):
    given_so_far: list[Review] = []
    for review in reviews(*verdicts):
        if alert_state(given_so_far, needed) != "open":
            break
        state = apply_review(given_so_far, review, needed)
        given_so_far.append(review)
        agree = sum(one.decision == review.decision for one in given_so_far)
        assert (state != "open") == (agree == needed)


@pytest.mark.parametrize("reviewers", [0, 4, '"two"', 1.5])
def test_a_rule_requires_one_to_three_reviewers(reviewers: object):
    with pytest.raises(InvalidRules, match="reviewers"):
        parse_rules(f'[[rules]]\nname = "a"\nreviewers = {reviewers}\n')


def test_a_rule_requires_one_reviewer_by_default():
    (rule,) = parse_rules('[[rules]]\nname = "a"\n').rules

    assert rule.reviewers == 1
