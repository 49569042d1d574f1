"""The counts of a container, and when they are saved for its lane."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from botocore.exceptions import EndpointConnectionError

from cloud.cloudwatch import EmfMetrics
from cloud.dynamodb.ledger import DynamoLedger
from cloud.dynamodb.state import CachedDegradation, DynamoStateStore
from functions.runtime.container import GALLERY_STALE_S
from functions.runtime.telemetry import LaneTelemetry
from infra.monitoring.dashboard import STAGES
from tests.fakes.memory import NOON
from tests.unit.runtime.emf import PLAN, parse_emf, shown_metrics
from vigil.alerts.alert import Alert
from vigil.drops.ledger import LeaseLost, SubjectBeingErased
from vigil.drops.process import DropInProgress, DropResult, InsufficientTime
from vigil.errors import ConcurrentUpdate, Transient
from vigil.reliability.degradation import default_steps
from vigil.reliability.lane_counts import FirstAttempts, LaneCounts, source_group

SECOND = timedelta(seconds=1)
RECORDS_UNAVAILABLE = Transient("timeout", dependency="records", operation="claim drop")
PHOTOS_UNAVAILABLE = Transient("SlowDown", dependency="photos", operation="read object")


def lane_telemetry(flushed: list[LaneCounts]) -> LaneTelemetry:
    gauges = EmfMetrics(namespace="Vigil/test", service="live")
    return LaneTelemetry(
        gauges, flushed.append, age_target=30 * SECOND, memory_mb=1024, stale_s=GALLERY_STALE_S
    )


def drop_result(outcome: str = "done") -> DropResult:
    return DropResult("d1", outcome, 1, "r1", sightings=2, alerts=1, times_ms={"predict": 12.5})  # type: ignore[arg-type]


def single_line(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    (one,) = capsys.readouterr().out.splitlines()
    fields: dict[str, object] = json.loads(one)
    return fields


def test_a_drop_is_counted_by_outcome_with_its_age_and_stages(capsys: pytest.CaptureFixture[str]):
    counted = lane_telemetry([])

    counted.record_result(drop_result(), NOON, NOON + 31 * SECOND)
    counted.flush(NOON, 1.0)

    told = single_line(capsys)
    assert (told["Done"], told["AgeMs"], told["LiveAgeExceeded"], told["predictMs"]) == (
        [1],
        [31000.0],
        [1],
        [12.5],
    )
    assert (told["Sightings"], told["Alerts"], told["releases"]) == ([2], [1], ["r1"])
    assert told["CostUsd"] == [pytest.approx(1.68667e-05)]


def test_a_comparison_is_stale_from_the_age_that_the_objective_states(capsys: pytest.CaptureFixture[str]):
    counted = lane_telemetry([])

    counted.record_gallery_age(GALLERY_STALE_S)
    counted.record_gallery_age(GALLERY_STALE_S + 0.1)
    counted.flush(NOON, 1.0)

    assert single_line(capsys)["GalleryStale"] == [0, 1]
    (promise,) = [one for one in PLAN.objectives if one.name == "gallery-freshness"]
    assert promise.description.endswith(f"replaced more than {GALLERY_STALE_S:g} seconds before")


def test_a_duplicate_says_nothing_about_age(capsys: pytest.CaptureFixture[str]):
    counted = lane_telemetry([])

    counted.record_result(drop_result("duplicate"), NOON, NOON + 3600 * SECOND)
    counted.flush(NOON, 1.0)

    assert "AgeMs" not in single_line(capsys)


def test_failures_are_flushed_at_once_and_other_counts_every_ten_seconds():
    told: list[LaneCounts] = []
    counted = lane_telemetry(told)
    counted.record_result(drop_result(), NOON, NOON)
    counted.flush(NOON, 0.5)
    counted.record_result(drop_result(), NOON, NOON)
    counted.flush(NOON, 0.5)
    counted.record_failure(PHOTOS_UNAVAILABLE)
    counted.flush(NOON, 0.5)

    assert told == [LaneCounts(NOON, 1, 0.5, {}), LaneCounts(NOON, 2, 1.0, {"photos": 1})]


def test_first_attempts_are_counted_by_group_of_sources_and_retries_are_not():
    told: list[LaneCounts] = []
    counted = lane_telemetry(told)
    door, vault = source_group("door"), source_group("vault")
    counted.begin_drop("door", is_first_attempt=True)
    counted.record_failure(ZeroDivisionError("division by zero"))
    for _ in range(4):
        counted.begin_drop("door", is_first_attempt=False)
        counted.record_failure(ZeroDivisionError("division by zero"))
    counted.begin_drop("vault", is_first_attempt=True)
    counted.record_result(drop_result(), NOON, NOON)
    counted.flush(NOON, 1.0)

    assert door != vault
    assert told[0].failures == {"model": 5}
    assert told[0].first_attempts == {door: FirstAttempts(1, {"model": 1}), vault: FirstAttempts(1)}


def test_failures_are_counted_against_their_dependency():
    told: list[LaneCounts] = []
    counted = lane_telemetry(told)
    counted.record_failure(RECORDS_UNAVAILABLE)
    counted.record_failure(ZeroDivisionError("division by zero"))
    counted.record_failure(LeaseLost("taken over"))
    counted.record_failure(SubjectBeingErased("d3 shows somebody who is being erased"))
    counted.record_failure(InsufficientTime("begin d2: the invocation ends"))
    counted.record_failure(DropInProgress(NOON))
    counted.record_failure(ConcurrentUpdate("another drop came first"))
    counted.flush(NOON, 1.0)

    assert told[0].failures == {"records": 1, "model": 1}
    assert told[0].calls == 2


ALERT = Alert("a1", "vault", "high", "p1", "known", "faces", "door", NOON.isoformat(), NOON, "d1", 0)


class UnreachableService:
    def __getattr__(self, operation: str) -> Callable[..., object]:
        def call(**_: object) -> object:
            raise EndpointConnectionError(endpoint_url=operation)

        return call


@pytest.mark.parametrize(
    "read",
    [
        lambda: DynamoLedger(
            UnreachableService(), "t", faces="faces", lane="live", retention=SECOND
        ).is_suppressed(ALERT, now=NOON),
        CachedDegradation(DynamoStateStore(UnreachableService(), "t"), default_steps(), max_age_s=0),
    ],
    ids=["suppression", "degradation"],
)
def test_a_failed_read_of_a_row_counts_against_the_records_table(read: Callable[[], object]):
    told: list[LaneCounts] = []
    counted = lane_telemetry(told)

    with pytest.raises(Transient) as raised:
        read()
    counted.record_failure(raised.value)
    counted.flush(NOON, 1.0)

    assert told[0].failures == {"records": 1}


def test_failures_that_could_not_be_flushed_do_not_count_against_a_recovered_dependency():
    told: list[LaneCounts] = []
    counted = lane_telemetry(told)

    def away(_: LaneCounts) -> None:
        raise RECORDS_UNAVAILABLE

    counted.save_counts = away
    counted.record_failure(RECORDS_UNAVAILABLE)
    with pytest.raises(Transient):
        counted.flush(NOON, 1.0)
    counted.save_counts = told.append
    counted.record_failure(PHOTOS_UNAVAILABLE)
    counted.flush(NOON, 1.0)

    assert told == [LaneCounts(NOON, 1, 1.0, {"photos": 1})]


def test_lanes_measure_all_that_the_dashboard_shows_of_them(capsys: pytest.CaptureFixture[str]):
    shown = {metric for service, metric in shown_metrics() if service in ("live", "bulk")}
    counted = lane_telemetry([])
    for outcome in ("done", "rejected", "duplicate"):
        verdict = replace(drop_result(outcome), times_ms=dict.fromkeys(STAGES, 1.0))
        counted.record_result(verdict, NOON, NOON)
    counted.record_failure(PHOTOS_UNAVAILABLE)
    counted.record_gallery_age(1.0)

    counted.flush(NOON, 1.0)

    (told,) = parse_emf(capsys.readouterr().out)
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
