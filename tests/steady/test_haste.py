"""Waits in a drill."""

from datetime import timedelta

from vigil.steady.breaker import Fuse
from vigil.steady.haste import hastened
from vigil.steady.triage import Pace


def test_in_a_drill_every_wait_is_as_much_shorter_as_a_minute_is():
    pace = hastened(Pace(), timedelta(seconds=2))

    assert (pace.first_wait, pace.patience) == (timedelta(seconds=2), timedelta(seconds=20))
    assert (pace.per_run, pace.at_risk) == (Pace().per_run, Pace().at_risk)


def test_what_is_named_stays_as_it_is():
    fuse = hastened(Fuse(), timedelta(seconds=2), but=("window",))

    assert (fuse.window, fuse.cool_down) == (Fuse().window, timedelta(seconds=2))


def test_an_ordinary_minute_changes_nothing():
    assert hastened(Pace(), timedelta(minutes=1)) == Pace()
