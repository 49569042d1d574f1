"""How promises are kept: shares, burn rates and what is left of a budget, from plain counts."""

import pytest

from infra.package.build import SLO_PATH
from models.build.files import ROOT
from vigil.reliability.slo import (
    InvalidObjective,
    MetricRef,
    Objective,
    parse_objectives,
    slo_status,
)

LATE, SETTLED = MetricRef("live", "LiveAgeExceeded"), MetricRef("live", "Completed")
AGE = Objective("live-age", "in time", 0.99, (LATE,), (SETTLED,))


def test_a_budget_used_twice_as_fast_as_allowed_has_burn_rate_two():
    promise = slo_status(AGE, {"1h": {LATE: 2, SETTLED: 100}, "30d": {LATE: 5, SETTLED: 1000}})

    assert promise.good_share == {"1h": pytest.approx(0.98), "30d": pytest.approx(0.995)}
    assert promise.burn_rate == {"1h": pytest.approx(2.0), "30d": pytest.approx(0.5)}
    assert promise.budget_remaining == pytest.approx(0.5)


def test_a_window_without_events_has_no_burn_rate():
    promise = slo_status(AGE, {"1h": {}, "30d": {SETTLED: 10}})

    assert (promise.good_share, promise.budget_remaining) == ({"30d": 1.0}, 1.0)
    assert slo_status(AGE, {"30d": {}}).budget_remaining is None


def test_more_bad_events_than_events_count_as_all():
    assert slo_status(AGE, {"30d": {LATE: 12, SETTLED: 10}}).budget_remaining == pytest.approx(1 - 1 / 0.01)


def test_a_target_of_one_is_rejected():
    text = (ROOT / SLO_PATH).read_text().replace("target = 0.99\n", "target = 1.0\n")

    with pytest.raises(InvalidObjective, match="live-age"):
        parse_objectives(text)
