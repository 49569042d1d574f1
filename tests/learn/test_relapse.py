"""An active release goes back for what it surely shows now: not for chance, nor for what the world does."""

from datetime import timedelta

import pytest

from vigil.learn.relapse import relapse
from vigil.learn.vitals import LOOKS, Expected, Vital, Vitals, is_slow, newest, rise

CANARY = Expected(ms=20.0, unsure=0.1)
SOON = timedelta(minutes=5)


def said(vitals: Vitals, expected: Expected | None = CANARY, active: timedelta = SOON) -> str:
    return relapse(vitals, expected, active=active)


def vital(ms: float = 5.0, *, unsure: bool = False) -> Vital:
    return Vital("digits", "b", ms, broke=False, unsure=unsure)


def test_three_drops_that_it_broke_on_are_enough_where_there_are_few():
    assert said(Vitals(looks=50, broke=3)) == "broke on 3 drops"
    assert said(Vitals(looks=50, broke=2)) == ""


def test_three_odd_drops_of_many_thousand_are_no_relapse():
    assert said(Vitals(looks=5000, broke=3)) == ""


def test_it_breaks_whatever_its_age():
    assert said(Vitals(broke=3), None, timedelta(days=90))


def test_mostly_slow_is_a_relapse_and_now_and_then_is_not():
    assert said(Vitals(looks=40, slow=35)) == "slow on 35 of 40 drops; 20 ms in canary"
    assert said(Vitals(looks=40, slow=12)) == ""


def test_knowing_much_less_than_in_canary_is_a_relapse():
    assert said(Vitals(looks=40, unsure=30)) == "knew nothing in 75% of 40 drops, in canary 10%"
    assert said(Vitals(looks=40, unsure=8)) == ""


@pytest.mark.parametrize("vitals", [Vitals(looks=19, slow=19), Vitals(looks=19, unsure=19)])
def test_a_few_looks_tell_nothing(vitals: Vitals):
    assert said(vitals) == ""


def test_after_its_first_day_it_may_be_the_world_that_changed():
    assert said(Vitals(looks=40, unsure=40), active=timedelta(days=2)) == ""


def test_the_newest_looks_count_and_older_ones_do_not_water_them_down():
    bad, good = Vitals(looks=LOOKS, slow=LOOKS), Vitals(looks=900)

    assert newest([bad, good]) == bad
    assert newest([Vitals(looks=1), good, bad]) == Vitals(looks=901)
    assert newest([]) == Vitals()


def test_slow_is_three_times_the_canary_and_never_what_is_fast_anyway():
    assert is_slow(vital(61.0), CANARY)
    assert not is_slow(vital(59.0), CANARY)
    assert not is_slow(vital(9.0), Expected(ms=1.0, unsure=0.0))
    assert not is_slow(vital(9000.0), None)


def test_the_rise_is_nought_on_the_mean_while_nothing_changes():
    looks = [vital(unsure=n == 0) for n in range(10)]

    assert sum(rise(look, CANARY) for look in looks) == pytest.approx(0.0)
