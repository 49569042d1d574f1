"""A lesson that nobody ordered: due once enough was labelled and that is over, or has gone on too long."""

from datetime import timedelta

from tests.memory import NOON
from vigil.learn.occasion import Occasion, due

MINUTE = timedelta(minutes=1)
LABELS = [NOON + n * timedelta(seconds=1) for n in range(200)]


def test_enough_labels_make_a_lesson_due_once_the_reviewers_are_through():
    assert not due(LABELS, Occasion(), LABELS[-1] + 4 * MINUTE, taught=NOON)
    assert due(LABELS, Occasion(), LABELS[-1] + 5 * MINUTE, taught=NOON)


def test_too_few_never_do():
    assert not due(LABELS[1:], Occasion(), NOON + timedelta(days=9), taught=NOON)
    assert not due([], Occasion(), NOON, taught=NOON)


def test_labels_that_never_stop_coming_do_not_put_it_off_for_ever():
    coming = [NOON + n * MINUTE for n in range(300)]

    assert due(coming, Occasion(), coming[-1], taught=NOON)


def test_a_month_after_the_last_lesson_a_few_are_enough_and_none_are_not():
    month = NOON - timedelta(days=30)
    now = LABELS[-1] + 5 * MINUTE

    assert due(LABELS[:20], Occasion(), now, taught=month)
    assert not due(LABELS[:20], Occasion(), now, taught=month + timedelta(hours=1))
    assert not due(LABELS[:19], Occasion(), now, taught=month)
    assert not due([], Occasion(), now, taught=month)
