"""What a minute decides for both lanes."""

from datetime import timedelta

from tests.memory import NOON
from vigil.steady.balance import Bounds
from vigil.steady.breaker import Breaker
from vigil.steady.counted import Counted
from vigil.steady.minute import Order, Rules, Seen, Steady, begin, healthy, minute, orders

RULES = Rules(Bounds(total=20), steps=4)
NEXT = NOON + timedelta(minutes=1)
IDLE = Seen((), 0)


def counted(calls: int, **failures: int) -> Counted:
    return Counted(NOON + timedelta(seconds=30), calls, calls * 0.5, failures)


def after(live: Seen, bulk: Seen = IDLE, steady: Steady | None = None) -> Steady:
    return minute(steady or begin(RULES.bounds, NOON), {"live": live, "bulk": bulk}, RULES, now=NEXT)


def test_a_quiet_minute_opens_no_breaker_and_keeps_both_lanes_running():
    quiet = after(Seen((counted(10),), 0))

    assert quiet.breakers == {}
    assert orders(quiet) == {"live": Order(True, 18), "bulk": Order(True, 2)}


def test_a_failing_dependency_stops_its_lane_alone():
    failing = after(Seen((counted(40, photos=30),), 500))

    assert orders(failing)["live"].enabled is False
    assert orders(failing)["bulk"].enabled is True
    assert not healthy(failing, "photos")
    assert healthy(failing, "records")


def test_a_lane_on_probation_runs_with_two_workers():
    failing = after(Seen((counted(40, photos=30),), 500))

    probing = minute(failing, {"live": Seen((), 500), "bulk": IDLE}, RULES, now=NEXT + timedelta(minutes=1))

    assert orders(probing)["live"] == Order(True, 2)


def test_degradation_does_not_begin_because_a_lane_stands_still():
    steady = Steady(
        NOON,
        RULES.bounds.start(),
        begin(RULES.bounds, NOON).relief,
        {("live", "photos"): Breaker("open", NOON, 1)},
    )

    assert after(Seen((), 5000, age_s=600), steady=steady).relief.level == 0


def test_live_that_has_everything_and_is_late_is_relieved():
    late = after(Seen((counted(100),), 5000, age_s=600))

    assert late.relief.level == 1


def test_what_arrived_is_what_was_done_and_what_the_backlog_grew_by():
    first = after(Seen((counted(60),), 120))

    assert first.backlogs == {"live": 120, "bulk": 0}
