"""What a container counts, and when its lane hears of it."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from cloud.metrics import Gauges
from functions.counting import Counting
from functions.wiring import STALE_S
from infra.slo.dashboard import STAGES
from tests.memory import NOON
from tests.steady.dashboard import PLAN, emf, shown_metrics
from vigil.errors import Transient
from vigil.flow.process import Hurried, Verdict
from vigil.steady.counted import Counted
from vigil.steady.ledger import Departed, LeaseLost

SECOND = timedelta(seconds=1)


def counting(told: list[Counted]) -> Counting:
    gauges = Gauges(namespace="Vigil/test", service="live")
    return Counting(gauges, told.append, age_target=30 * SECOND, memory_mb=1024, stale_s=STALE_S)


def done(outcome: str = "done") -> Verdict:
    return Verdict("d1", outcome, 1, "r1", sightings=2, alerts=1, times_ms={"look": 12.5})  # type: ignore[arg-type]


def line(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    (one,) = capsys.readouterr().out.splitlines()
    fields: dict[str, object] = json.loads(one)
    return fields


def test_a_drop_is_counted_by_outcome_with_its_age_and_stages(capsys: pytest.CaptureFixture[str]):
    counted = counting([])

    counted.answered(done(), NOON, NOON + 31 * SECOND)
    counted.flush(NOON, 1.0)

    told = line(capsys)
    assert (told["Done"], told["AgeMs"], told["Late"], told["lookMs"]) == ([1], [31000.0], [1], [12.5])
    assert (told["Sightings"], told["Alerts"], told["releases"]) == ([2], [1], ["r1"])
    assert told["CostUsd"] == [pytest.approx(1.68667e-05)]


def test_a_look_is_stale_from_when_the_promise_says(capsys: pytest.CaptureFixture[str]):
    counted = counting([])

    counted.compared(STALE_S)
    counted.compared(STALE_S + 0.1)
    counted.flush(NOON, 1.0)

    assert line(capsys)["GalleryStale"] == [0, 1]
    (promise,) = [one for one in PLAN.objectives if one.name == "gallery-freshness"]
    assert promise.says.endswith(f"replaced more than {STALE_S:g} seconds before")


def test_a_duplicate_says_nothing_about_age(capsys: pytest.CaptureFixture[str]):
    counted = counting([])

    counted.answered(done("duplicate"), NOON, NOON + 3600 * SECOND)
    counted.flush(NOON, 1.0)

    assert "AgeMs" not in line(capsys)


def test_the_tally_hears_at_once_of_failures_and_of_the_rest_every_ten_seconds():
    told: list[Counted] = []
    counted = counting(told)
    counted.answered(done(), NOON, NOON)
    counted.flush(NOON, 0.5)
    counted.answered(done(), NOON, NOON)
    counted.flush(NOON, 0.5)
    counted.failed(Transient, "read object: SlowDown")
    counted.flush(NOON, 0.5)

    assert told == [Counted(NOON, 1, 0.5, {}), Counted(NOON, 2, 1.0, {"photos": 1})]


def test_whose_failure_it_is():
    told: list[Counted] = []
    counted = counting(told)
    counted.failed(Transient, "claim d1: timeout")
    counted.failed(ZeroDivisionError, "division by zero")
    counted.failed(LeaseLost, "taken over")
    counted.failed(Departed, "d3 shows somebody who is being erased")
    counted.failed(Hurried, "begin d2: the invocation ends")
    counted.flush(NOON, 1.0)

    assert told[0].failures == {"records": 1, "model": 1}
    assert told[0].calls == 2


def test_failures_that_could_not_be_told_do_not_speak_against_a_dependency_that_is_well_again():
    told: list[Counted] = []
    counted = counting(told)

    def away(_: Counted) -> None:
        raise Transient("count: away")

    counted.tell = away
    counted.failed(Transient, "claim d1: x")
    with pytest.raises(Transient):
        counted.flush(NOON, 1.0)
    counted.tell = told.append
    counted.failed(Transient, "read object: x")
    counted.flush(NOON, 1.0)

    assert told == [Counted(NOON, 1, 1.0, {"photos": 1})]


def test_lanes_measure_all_that_the_dashboard_shows_of_them(capsys: pytest.CaptureFixture[str]):
    shown = {metric for service, metric in shown_metrics() if service in ("live", "bulk")}
    counted = counting([])
    for outcome in ("done", "rejected", "duplicate"):
        verdict = replace(done(outcome), times_ms=dict.fromkeys(STAGES, 1.0))
        counted.answered(verdict, NOON, NOON)
    counted.failed(Transient, "read object: SlowDown")
    counted.compared(1.0)

    counted.flush(NOON, 1.0)

    (told,) = emf(capsys.readouterr().out)
    assert told.namespace == "Vigil/test"
    assert told.dimensions == [["service"]]
    assert shown - told.units.keys() == set()
    assert {name: told.units[name] for name in UNITS} == UNITS


UNITS = {
    "Done": "Count",
    "Sightings": "Count",
    "Alerts": "Count",
    "LeaseLost": "Count",
    "AgeMs": "Milliseconds",
    "embedMs": "Milliseconds",
    "GalleryAgeS": "Seconds",
    "CostUsd": "None",
}
