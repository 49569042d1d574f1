"""A lesson that nobody ordered: due once enough was labelled and that is over, or has gone on too long."""

from datetime import timedelta

from tests.fakes.memory import NOON
from vigil.training.schedule import RetrainingPolicy, is_due

MINUTE = timedelta(minutes=1)
LABELS = [NOON + n * timedelta(seconds=1) for n in range(200)]


def test_enough_labels_make_training_due_once_reviewers_pause():
    assert not is_due(LABELS, RetrainingPolicy(), LABELS[-1] + 4 * MINUTE, last_trained_at=NOON)
    assert is_due(LABELS, RetrainingPolicy(), LABELS[-1] + 5 * MINUTE, last_trained_at=NOON)


def test_too_few_labels_never_make_training_due():
    assert not is_due(LABELS[1:], RetrainingPolicy(), NOON + timedelta(days=9), last_trained_at=NOON)
    assert not is_due([], RetrainingPolicy(), NOON, last_trained_at=NOON)


def test_continuous_labelling_delays_training_up_to_a_limit():
    coming = [NOON + n * MINUTE for n in range(300)]

    assert is_due(coming, RetrainingPolicy(), coming[-1], last_trained_at=NOON)


def test_a_month_after_the_last_training_a_few_labels_are_enough_and_none_are_not():
    month = NOON - timedelta(days=30)
    now = LABELS[-1] + 5 * MINUTE

    assert is_due(LABELS[:20], RetrainingPolicy(), now, last_trained_at=month)
    assert not is_due(LABELS[:20], RetrainingPolicy(), now, last_trained_at=month + timedelta(hours=1))
    assert not is_due(LABELS[:19], RetrainingPolicy(), now, last_trained_at=month)
    assert not is_due([], RetrainingPolicy(), now, last_trained_at=month)
