"""What a release has shown decides its next step; harm does not wait, and nobody is promoted untried."""

from dataclasses import replace
from datetime import timedelta

from tests.memory import NOON
from vigil.learn.gates import default_gates
from vigil.learn.interval import Interval
from vigil.learn.release import Life, Pointers, register
from vigil.learn.stages import Book, Change, Standing, decide
from vigil.learn.trial import Trial
from vigil.learn.vitals import Expected, Vitals

GATES = default_gates()
GOOD, BAD = Interval(0.97, 0.95, 0.99, 300), Interval(0.1, 0.07, 0.13, 300)
BETTER, WORSE = Interval(0.02, 0.005, 0.03, 300), Interval(-0.8, -0.85, -0.75, 300)
NEXT = Standing(register("digits", "b", NOON), GOOD, BETTER)
EXPECTED = Expected(5.0, 0.0)
LATER = NOON + timedelta(minutes=5)


def shows(count: int, release: str = "b", *, failed: int = 0) -> list[Trial]:
    return [Trial("digits", release, f"d{n}", n >= failed, n < failed, False, 5.0, 5.0) for n in range(count)]


def book(pointers: Pointers, *standings: Standing) -> Book:
    return Book("digits", pointers, 1, standings)


def at(stage: str, standing: Standing = NEXT) -> Standing:
    return replace(standing, life=replace(standing.life, stage=stage))  # type: ignore[arg-type]


def stages(change: Change | None) -> dict[str, str]:
    assert change is not None
    return {life.id: life.stage for life in change.lives}


def test_a_registered_release_goes_into_shadow():
    change = decide(book(Pointers("a"), NEXT), (), GATES, LATER)

    assert stages(change) == {"b": "shadow"}
    assert change is not None
    assert change.pointers == Pointers("a", "b", beside=GATES["shadow"].share)


def test_it_waits_until_it_has_shown_enough():
    tried = book(Pointers("a", "b", beside=0.5), at("shadow"))

    assert decide(tried, shows(199), GATES, LATER) is None


def test_shadow_passed_leads_to_canary_and_canary_passed_to_promotion():
    old = Standing(replace(register("digits", "a", NOON), stage="active"), GOOD)
    shadow = decide(book(Pointers("a", "b", beside=0.5), old, at("shadow")), shows(200), GATES, LATER)
    canary = decide(book(Pointers("a", "b", share=0.2), old, at("canary")), shows(200), GATES, LATER)

    assert stages(shadow) == {"b": "canary"}
    assert stages(canary) == {"b": "active", "a": "retired"}
    assert canary is not None
    assert canary.pointers == Pointers("b", former="a", expected=EXPECTED)


def test_a_poisoned_release_is_rejected_at_the_first_look():
    poisoned = Standing(NEXT.life, BAD, WORSE)

    change = decide(book(Pointers("a", "b"), at("shadow", poisoned)), (), GATES, LATER)

    assert stages(change) == {"b": "rejected"}
    assert change is not None
    assert change.pointers == Pointers("a")


def test_a_canary_that_breaks_is_rolled_back_after_three_drops():
    change = decide(book(Pointers("a", "b", share=0.2), at("canary")), shows(3, failed=3), GATES, LATER)

    assert stages(change) == {"b": "rolled-back"}


def test_an_active_release_that_breaks_gives_way_to_the_former_one():
    former = Standing(Life("digits", "a", "retired", NOON), GOOD)
    now = Pointers("b", former="a")

    change = decide(book(now, former, at("active")), (), GATES, LATER, vitals=Vitals(broke=3))

    assert stages(change) == {"b": "rolled-back", "a": "active"}
    assert change is not None
    assert change.pointers == Pointers("a")


def test_a_bad_active_release_goes_before_its_candidate_has_shown_anything():
    rival = Standing(replace(register("digits", "c", NOON), stage="shadow"), GOOD, BETTER)
    now = Pointers("b", "c", former="a", beside=0.5)

    change = decide(book(now, at("active"), rival), (), GATES, LATER, vitals=Vitals(broke=3))

    assert stages(change) == {"b": "rolled-back", "c": "rejected"}


def test_where_there_is_nothing_to_go_back_to_it_stays():
    now = Pointers("b")

    assert decide(book(now, at("active")), (), GATES, LATER, vitals=Vitals(broke=3)) is None


def test_the_first_release_of_a_model_needs_nobody_to_be_compared_with():
    change = decide(book(Pointers(), replace(NEXT, gain=None)), (), GATES, LATER)

    assert stages(change) == {"b": "active"}


def test_a_second_release_waits_for_the_first():
    other = Standing(register("digits", "c", NOON), GOOD, BETTER)

    assert decide(book(Pointers("a", "b", beside=0.5), at("shadow"), other), (), GATES, LATER) is None
