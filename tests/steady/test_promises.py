"""How promises are kept: shares, burn rates and what is left of a budget, from plain counts."""

import pytest

from infra.models.places import ROOT
from infra.package.assemble import PROMISES
from vigil.steady.promises import BadObjective, Objective, Signal, kept, read_objectives

LATE, SETTLED = Signal("live", "Late"), Signal("live", "Settled")
AGE = Objective("live-age", "in time", 0.99, (LATE,), (SETTLED,))


def test_a_budget_that_goes_twice_as_fast_as_it_may_burns_at_two():
    promise = kept(AGE, {"1h": {LATE: 2, SETTLED: 100}, "30d": {LATE: 5, SETTLED: 1000}})

    assert promise.good == {"1h": pytest.approx(0.98), "30d": pytest.approx(0.995)}
    assert promise.burn == {"1h": pytest.approx(2.0), "30d": pytest.approx(0.5)}
    assert promise.left == pytest.approx(0.5)


def test_a_window_in_which_nothing_happened_says_nothing():
    promise = kept(AGE, {"1h": {}, "30d": {SETTLED: 10}})

    assert (promise.good, promise.left) == ({"30d": 1.0}, 1.0)
    assert kept(AGE, {"30d": {}}).left is None


def test_what_is_worse_than_all_bad_is_all_bad():
    assert kept(AGE, {"30d": {LATE: 12, SETTLED: 10}}).left == pytest.approx(1 - 1 / 0.01)


def test_a_promise_to_be_always_right_is_refused():
    text = (ROOT / PROMISES).read_text().replace("target = 0.99\n", "target = 1.0\n")

    with pytest.raises(BadObjective, match="live-age"):
        read_objectives(text)
