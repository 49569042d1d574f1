"""A lesson that nobody ordered: due once enough was labelled and that is over, or has gone on too long."""

from datetime import timedelta

from tests.memory import NOON
from vigil.learn.occasion import Occasion, due

MINUTE = timedelta(minutes=1)
LABELS = [NOON + n * timedelta(seconds=1) for n in range(200)]


def test_enough_labels_make_a_lesson_due_once_the_reviewers_are_through():
    assert not due(LABELS, Occasion(), LABELS[-1] + 4 * MINUTE)
    assert due(LABELS, Occasion(), LABELS[-1] + 5 * MINUTE)


def test_too_few_never_do():
    assert not due(LABELS[1:], Occasion(), NOON + timedelta(days=9))
    assert not due([], Occasion(), NOON)


def test_labels_that_never_stop_coming_do_not_put_it_off_for_ever():
    coming = [NOON + n * MINUTE for n in range(300)]

    assert due(coming, Occasion(), coming[-1])
