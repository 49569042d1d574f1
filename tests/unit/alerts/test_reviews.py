"""Alerts close when as many different people agree as the rule asks for, and not before."""

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


def test_one_reviewer_closes_an_alert_where_the_rule_asks_for_one():
    assert apply_review([], Review("ann", "dismiss", NOON), 1) == "dismissed"


def test_two_who_differ_leave_it_open_until_a_third_agrees_with_one():
    differing = reviews("confirm", "dismiss")

    assert alert_state(differing, 2) == "open"
    assert apply_review(differing, Review("third", "confirm", NOON), 2) == "confirmed"


def test_nobody_counts_twice():
    with pytest.raises(SameReviewer):
        apply_review([Review("ann", "confirm", NOON)], Review("ann", "confirm", NOON), 2)


def test_what_is_decided_stays_decided():
    with pytest.raises(AlreadyClosed):
        apply_review(reviews("confirm"), Review("late", "dismiss", NOON), 1)


@given(st.lists(st.sampled_from(REVIEW_DECISIONS), max_size=9), st.integers(1, 3))
def test_it_closes_on_the_first_verdict_that_enough_people_share(
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
def test_a_rule_asks_for_one_to_three_reviewers(reviewers: object):
    with pytest.raises(InvalidRules, match="reviewers"):
        parse_rules(f'[[rules]]\nname = "a"\nreviewers = {reviewers}\n')


def test_a_rule_without_a_word_about_it_asks_for_one():
    (rule,) = parse_rules('[[rules]]\nname = "a"\n').rules

    assert rule.reviewers == 1
