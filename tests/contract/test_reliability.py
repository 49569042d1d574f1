"""The adapters of those who mend, on moto."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cloud.cloudwatch import CloudWatch, EmfMetrics
from cloud.dynamodb.attributes import to_item
from cloud.dynamodb.counters import DynamoLaneCounts
from cloud.dynamodb.drops import DynamoDropRecords
from cloud.dynamodb.ledger import DynamoLedger
from cloud.dynamodb.maintenance_state import (
    DynamoFaultCases,
    DynamoReannouncements,
    load_controller_state,
    load_reconcile_progress,
    load_reembedding_state,
    save_controller_state,
    save_reconcile_progress,
    save_reembedding_state,
)
from cloud.dynamodb.state import CachedDegradation, DynamoStateStore, PausedLanes
from cloud.dynamodb.stream import SqsUnpublishedQueue
from cloud.lambda_api import EventSourceMapping
from cloud.s3.listing import BucketListing
from cloud.sns import SnsOperators
from tests.contract.test_dead_letters import JOB, create_dead_letters
from tests.fakes.memory import NOON
from tests.fakes.message_schemas import assert_matches_schema
from tests.unit.people.builders import gallery_set
from tests.unit.people.test_reembedding import FakeReembedding, service
from vigil.drops.events import ReleaseStageChanged
from vigil.drops.ledger import DropRecord
from vigil.drops.messages import Drop, InlinePayload, S3Object
from vigil.people.reembedding import ReembeddingState, StoredPhoto
from vigil.reliability.capacity import CapacityLimits
from vigil.reliability.circuit_breaker import CircuitBreaker
from vigil.reliability.controller import MappingSettings, initial_state
from vigil.reliability.dead_letters import FaultCase, NewFault, fingerprint_of
from vigil.reliability.degradation import DegradationLevel, default_steps
from vigil.reliability.lane_counts import FirstAttempts, LaneCounts
from vigil.reliability.reconcile import Completeness, ListedObject, Reannouncement, ReconcileProgress
from vigil.reliability.slo import BURN_WINDOWS, MetricRef

RETENTION = timedelta(days=90)
MINUTE = timedelta(minutes=1)
CLOCK_SKEW = timedelta(seconds=4)
"""By how much the clock of whoever settled a drop may be off the stream's."""
KEY = "live/faces/door/a.jpg"


def fault_case(phase: str = "testing") -> FaultCase:
    return FaultCase(fingerprint_of(None), NOON, NOON + MINUTE, phase, "d1", 2)  # type: ignore[arg-type]


def test_two_lanes_that_are_paused_at_once_are_both_paused(table: Any):
    """Each operator has read the lanes before the other one wrote."""

    class StaleStates(DynamoStateStore):
        def get_many(self, *names: str) -> dict[str, dict[str, Any]]:
            return {}

        def get(self, name: str) -> dict[str, Any] | None:
            return None

    for lane in ("live", "bulk"):
        PausedLanes(StaleStates(table, "t")).pause(lane)
    lanes = PausedLanes(DynamoStateStore(table, "t"))

    assert lanes.lanes() == {"live", "bulk"}
    lanes.resume("live")
    assert lanes.lanes() == {"bulk"}


def test_announcements_are_remembered_however_many_they_are(table: Any):
    kept = DynamoReannouncements(table, "t")
    told = {f"d{number}": Reannouncement(NOON, 1) for number in range(130)}

    kept.save_reannouncements(told)
    kept.save_reannouncements({"d7": Reannouncement(NOON + MINUTE, 2)})

    assert kept.find_reannouncements({*told, "d999"}) == told | {"d7": Reannouncement(NOON + MINUTE, 2)}


def test_records_are_read_as_the_ledger_wrote_them(table: Any):
    ledger = DynamoLedger(table, "t", faces="faces", lane="live", retention=RETENTION)
    drop = Drop("d1", "faces", "door", S3Object("bucket", KEY, "v1"), NOON)
    claim = ledger.claim(drop, owner="w1", now=NOON, until=NOON + MINUTE)
    ledger.release_lease(claim, stage="predict", error="E: x", dependency="photos", now=NOON, release="r1")  # type: ignore[arg-type]

    read = DynamoDropRecords(table, "t", retention=RETENTION).read_records({"d1", "never"})

    assert read == {
        "d1": DropRecord(
            "d1",
            "claimed",
            1,
            NOON,
            stage="predict",
            error="E: x",
            release="r1",
            s3_object=S3Object("bucket", KEY, "v1"),
            dependency="photos",
            model="faces",
            source="door",
        )
    }


def test_more_records_are_read_than_fit_in_one_call(table: Any):
    ledger = DynamoLedger(table, "t", faces="faces", lane="live", retention=RETENTION)
    for n in range(130):
        ledger.claim(
            Drop(f"d{n}", "faces", "door", InlinePayload(b""), NOON), owner="w", now=NOON, until=NOON
        )

    assert (
        len(DynamoDropRecords(table, "t", retention=RETENTION).read_records({f"d{n}" for n in range(200)}))
        == 130
    )


def test_a_note_lies_beside_the_record_and_makes_no_drop(table: Any):
    history = DynamoDropRecords(table, "t", retention=RETENTION)

    history.add_note("d1", action="redriven", reason="canary of x", now=NOON)

    assert history.read_records({"d1"}) == {}
    (row,) = table.scan(TableName="t")["Items"]
    assert (row["action_taken"]["S"], row["reason"]["S"]) == ("redriven", "canary of x")


def test_what_containers_count_adds_up(table: Any):
    tallies = DynamoLaneCounts(table, "t")
    tallies.add("live", LaneCounts(NOON, 4, 1.5, {"photos": 2}, 3.0, {7: FirstAttempts(2, {"photos": 1})}))
    tallies.add(
        "live",
        LaneCounts(
            NOON + timedelta(seconds=9),
            6,
            2.5,
            {"photos": 1, "records": 1},
            5.0,
            {7: FirstAttempts(3), 11: FirstAttempts(1)},
        ),
    )
    tallies.add("live", LaneCounts(NOON + timedelta(seconds=10), 1, 0.5))
    tallies.add("bulk", LaneCounts(NOON, 9, 9.0))

    first, second = tallies.since("live", NOON)
    attempts = {7: FirstAttempts(5, {"photos": 1}), 11: FirstAttempts(1)}

    assert first == LaneCounts(NOON, 10, 4.0, {"photos": 3, "records": 1}, 5.0, attempts)
    assert (second.calls, second.failures) == (1, {})
    assert tallies.since("live", NOON + MINUTE) == []


def test_what_the_minute_knows_comes_back_as_it_was(table: Any):
    states = DynamoStateStore(table, "t")
    fresh = initial_state(CapacityLimits(total=20), NOON)
    steady = replace(
        fresh,
        degradation=DegradationLevel(2, NOON),
        breakers={("live", "photos"): CircuitBreaker("open", NOON, 3)},
        backlogs={"live": 7},
    )

    assert load_controller_state(states, lambda: fresh) == fresh
    save_controller_state(states, steady)

    assert load_controller_state(states, lambda: fresh) == steady


def test_several_states_are_read_at_once_and_those_never_put_are_left_out(table: Any):
    states = DynamoStateStore(table, "t")
    states.put("a", {"n": 1})
    states.put("b", {"n": 2})

    assert states.get_many("b", "never", "a") == {"b": {"n": 2}, "a": {"n": 1}}


@pytest.mark.parametrize(
    "walk",
    [
        ReconcileProgress(),
        ReconcileProgress("c", Completeness(3, 1, 1, {"unannounced": 1}), Completeness(9, 9), 4, "e"),
    ],
)
def test_where_a_walk_is_comes_back_as_it_was(table: Any, walk: ReconcileProgress):
    save_reconcile_progress(DynamoStateStore(table, "t"), walk)

    assert load_reconcile_progress(DynamoStateStore(table, "t")) == walk


def test_a_reembedding_in_which_nobody_has_a_reference_image_is_stored(table: Any):
    """A row takes 400 KB, which moto checks as DynamoDB does; the ids of 30,000 people take more."""
    people = [f"p-{number:012x}" for number in range(30_000)]
    fake = FakeReembedding(gallery_set(people, version=7, space="old"))
    fake.photos = {person: {"t": StoredPhoto("t", {}, None)} for person in people}
    run, states = service(fake).run(ReembeddingState(), lambda: True), DynamoStateStore(table, "t")

    save_reembedding_state(states, "faces", run.state)

    assert load_reembedding_state(states, "faces") == run.state
    assert run.state.progress["new"].missing_reference == len(people)


def test_cases_come_back_as_they_were(table: Any):
    kept = DynamoFaultCases(DynamoStateStore(table, "t"))
    assert kept.load_cases() == {}

    kept.save_cases({"f": fault_case()})

    assert kept.load_cases() == {"f": fault_case()}


def test_degradation_in_force_is_noticed_within_its_freshness(table: Any):
    states = DynamoStateStore(table, "t")
    at_once, lazily = (CachedDegradation(states, default_steps(), max_age_s=fresh_s) for fresh_s in (0, 60))
    assert (at_once(), lazily()) == ((), ())

    save_controller_state(
        states, replace(initial_state(CapacityLimits(total=20), NOON), degradation=DegradationLevel(2, NOON))
    )

    assert [step.name for step in at_once()] == ["tiles-off", "large-faces-only"]
    assert lazily() == ()


def test_a_bucket_is_listed_by_version_and_lane_to_its_end(bucket: Any):
    for key in (KEY, KEY, "live/faces/door/b.jpg", "bulk/faces/archive/c.jpg", "enrol/x.jpg"):
        bucket.put_object(Bucket="bucket", Key=key, Body=b"x")
    bucket.delete_object(Bucket="bucket", Key="live/faces/door/b.jpg")

    listed: list[ListedObject] = []
    cursor, pages = "", 0
    while pages == 0 or cursor:
        page, cursor = BucketListing(bucket, "bucket", page_size=2).list_page(cursor)
        listed, pages = [*listed, *page], pages + 1

    assert sorted(one.s3_object.key for one in listed) == [
        "bulk/faces/archive/c.jpg",
        KEY,
        KEY,
        "live/faces/door/b.jpg",
    ]
    assert len({one.s3_object.version for one in listed}) == 4
    assert all(one.stored_at.tzinfo for one in listed)


def test_what_was_not_published_is_found_in_the_rows_of_its_time(table: Any, sqs: Any):
    ledger = DynamoLedger(table, "t", faces="faces", lane="live", retention=RETENTION)
    for n, after in enumerate((0 * MINUTE, 10 * MINUTE - CLOCK_SKEW, 10 * MINUTE + CLOCK_SKEW, 20 * MINUTE)):
        drop = Drop(f"d{n}", "faces", "door", S3Object("bucket", KEY, "v1"), NOON)
        now = NOON + after
        claim = ledger.claim(drop, owner="w", now=now, until=now + MINUTE)
        ledger.reject(claim, reason="empty-file", message="", stage="read", now=now)  # type: ignore[arg-type]
    url = sqs.create_queue(QueueName="untold")["QueueUrl"]
    batch = {f"approximateArrivalOf{which}Record": "2026-03-02T12:10:00Z" for which in ("First", "Last")}
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"DDBStreamBatchInfo": batch}))
    for row in _release_rows():
        table.put_item(TableName="t", Item=to_item(row))
    gaps = SqsUnpublishedQueue(sqs, url, dynamodb=table, table="t")

    (gap,) = gaps.receive()
    facts = [fact for _, fact in gaps.facts_in(gap)]
    gaps.save_position(gap, NOON + 10 * MINUTE)
    gaps.delete(gap)

    drops = [fact.drop for fact in facts if not isinstance(fact, ReleaseStageChanged)]
    moves = [
        (fact.release, fact.step, fact.sequence) for fact in facts if isinstance(fact, ReleaseStageChanged)
    ]
    assert drops == sorted(drops), "by the time of their completion"
    assert (drops, moves) == (["d1", "d2"], [("r1", "promote", 1)])
    waiting = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert waiting["ApproximateNumberOfMessagesNotVisible"] == "0"


def _release_rows() -> list[dict[str, Any]]:
    """A release that was promoted within the gap, and moved on after it."""
    steps = [("promote", "active", NOON + 10 * MINUTE), ("replace", "retired", NOON + 30 * MINUTE)]
    history = [
        {"step": step, "stage": stage, "at": at.isoformat(), "reasons": []} for step, stage, at in steps
    ]
    last = {"stage": "retired", "since": history[-1]["at"], "history": history}
    life = {"pk": "releases#faces", "sk": "release#r1", "model": "faces", "release": "r1"}
    return [{"pk": "releases", "sk": "faces"}, life | last]


class FakeLambda:
    """Lambda's API for one mapping."""

    def __init__(self) -> None:
        self.mapping: dict[str, Any] = {
            "UUID": "u",
            "State": "Enabled",
            "ScalingConfig": {"MaximumConcurrency": 2},
        }
        self.changes: list[dict[str, Any]] = []

    def list_event_source_mappings(self, **asked: str) -> dict[str, Any]:
        return {"EventSourceMappings": [self.mapping]} if asked["EventSourceArn"] == "arn" else {}

    def update_event_source_mapping(self, **change: Any) -> None:
        self.changes.append(change)


def test_a_mapping_is_changed_only_where_it_differs():
    api = FakeLambda()
    mapping = EventSourceMapping(api, function="live", queue_arn="arn")

    assert not mapping.apply(MappingSettings(enabled=True, workers=2))
    assert mapping.apply(MappingSettings(enabled=True, workers=9))
    assert mapping.apply(MappingSettings(enabled=False, workers=2))
    assert [(one["Enabled"], one["ScalingConfig"]["MaximumConcurrency"]) for one in api.changes] == [
        (True, 9),
        (False, 2),
    ]


def test_operators_hear_of_a_fault_and_of_no_person(aws: Callable[[str], Any], sqs: Any):
    topic = aws("sns").create_topic(Name="ops")["TopicArn"]
    url = sqs.create_queue(QueueName="inbox")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    aws("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    letters, dead, _ = create_dead_letters(sqs)
    sqs.send_message(QueueUrl=dead, MessageBody=JOB)
    (letter,) = letters.receive(1)

    SnsOperators(aws("sns"), topic).notify(NewFault(fault_case("new"), letter, 3))

    (heard,) = sqs.receive_message(QueueUrl=url)["Messages"]
    told = json.loads(json.loads(heard["Body"])["Message"])
    assert (told["dead_letters"], told["kind"], told["drops"]) == (3, "NeverClaimed", [letter.drops[0].id])
    assert_matches_schema("fault-new", told)


def test_the_newest_minute_of_a_metric_is_read(aws: Callable[[str], Any]):
    cloudwatch = aws("cloudwatch")
    dimension = {"FunctionName": "live"}
    named = [{"Name": "FunctionName", "Value": "live"}]
    for back, value in ((3, 9.0), (1, 4.0)):
        datum = {
            "MetricName": "Throttles",
            "Dimensions": named,
            "Timestamp": NOON - back * MINUTE,
            "Value": value,
        }
        cloudwatch.put_metric_data(Namespace="AWS/Lambda", MetricData=[datum])
    reading = CloudWatch(cloudwatch)

    assert reading.latest("AWS/Lambda Throttles", dimension, "Sum", now=NOON) == 4.0
    assert reading.latest("AWS/Lambda Throttles", {"FunctionName": "bulk"}, "Sum", now=NOON) == 0.0


def test_what_was_counted_is_summed_window_by_window(aws: Callable[[str], Any]):
    cloudwatch, done = aws("cloudwatch"), MetricRef("live", "Done")
    for back, value in ((timedelta(minutes=2), 1.0), (timedelta(hours=5), 2.0), (timedelta(days=20), 4.0)):
        datum = {
            "MetricName": done.metric,
            "Dimensions": [{"Name": "service", "Value": done.service}],
            "Timestamp": NOON - back,
            "Value": value,
        }
        cloudwatch.put_metric_data(Namespace="Vigil/t", MetricData=[datum])

    sums = CloudWatch(cloudwatch).sum_by_window("Vigil/t", {done}, BURN_WINDOWS, now=NOON)

    assert {window: counted[done] for window, counted in sums.items()} == {
        "1h": 1.0,
        "6h": 3.0,
        "3d": 3.0,
        "30d": 7.0,
    }


def test_gauges_are_one_log_line_an_invocation(capsys: pytest.CaptureFixture[str]):
    gauges = EmfMetrics(namespace="Vigil/test", service="live")
    gauges.count("Done")
    gauges.count("Done")
    gauges.ms("AgeMs", 12.5)
    gauges.add_metadata("releases", ["r1"])

    gauges.flush()
    gauges.flush()

    lines: Sequence[str] = capsys.readouterr().out.splitlines()
    (line,) = map(json.loads, lines)
    assert (line["Done"], line["AgeMs"], line["service"], line["releases"]) == (
        [1, 1],
        [12.5],
        "live",
        ["r1"],
    )
    assert line["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Vigil/test"
