"""The adapters of those who mend, on moto."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cloud.announced import DynamoAnnouncements
from cloud.bucket import Bucket
from cloud.gaps import SqsGaps
from cloud.history import DynamoHistory
from cloud.items import item
from cloud.ledger import DynamoLedger
from cloud.mappings import Mapping
from cloud.metrics import CloudWatch, Gauges
from cloud.operators import SnsOperators
from cloud.relief import ReliefInForce
from cloud.state import States
from cloud.states import KeptCases, load_steady, load_walk, save_steady, save_walk
from cloud.tallies import DynamoTallies
from tests.contract.test_letters import JOB, dead_letters
from tests.memory import NOON
from tests.schemas import fits
from vigil.drops import Drop, Inline, Object
from vigil.flow.announce import Moved
from vigil.flow.reconcile import Walk
from vigil.steady.balance import Bounds
from vigil.steady.breaker import Breaker
from vigil.steady.counted import Counted
from vigil.steady.degrade import Relief, default_steps
from vigil.steady.fingerprint import fingerprint
from vigil.steady.letters import Alert, Case
from vigil.steady.minute import Order, begin
from vigil.steady.promises import WINDOWS, Signal
from vigil.steady.reconcile import Census, Listed, Told
from vigil.steady.record import Record

RETENTION = timedelta(days=90)
MINUTE = timedelta(minutes=1)
OFF = timedelta(seconds=4)
"""By how much the clock of whoever settled a drop may be off the stream's."""
KEY = "live/faces/door/a.jpg"


def case(phase: str = "trying") -> Case:
    return Case(fingerprint(None), NOON, NOON + MINUTE, phase, "d1", 2)  # type: ignore[arg-type]


def test_announcements_are_remembered_however_many_they_are(table: Any):
    kept = DynamoAnnouncements(table, "t")
    told = {f"d{number}": Told(NOON, 1) for number in range(130)}

    kept.note(told)
    kept.note({"d7": Told(NOON + MINUTE, 2)})

    assert kept.told({*told, "d999"}) == told | {"d7": Told(NOON + MINUTE, 2)}


def test_records_are_read_as_the_ledger_wrote_them(table: Any):
    ledger = DynamoLedger(table, "t", lane="live", retention=RETENTION)
    drop = Drop("d1", "faces", "door", Object("bucket", KEY, "v1"), NOON)
    claim = ledger.claim(drop, owner="w1", now=NOON, until=NOON + MINUTE)
    ledger.release(claim, stage="look", error="E: x", now=NOON, model_release="r1")  # type: ignore[arg-type]

    read = DynamoHistory(table, "t", retention=RETENTION).read({"d1", "never"})

    assert read == {"d1": Record("d1", "claimed", 1, NOON, "look", "E: x", "r1", Object("bucket", KEY, "v1"))}


def test_more_records_are_read_than_fit_in_one_call(table: Any):
    ledger = DynamoLedger(table, "t", lane="live", retention=RETENTION)
    for n in range(130):
        ledger.claim(Drop(f"d{n}", "faces", "door", Inline(b""), NOON), owner="w", now=NOON, until=NOON)

    assert len(DynamoHistory(table, "t", retention=RETENTION).read({f"d{n}" for n in range(200)})) == 130


def test_a_note_lies_beside_the_record_and_makes_no_drop(table: Any):
    history = DynamoHistory(table, "t", retention=RETENTION)

    history.note("d1", deed="redriven", why="canary of x", now=NOON)

    assert history.read({"d1"}) == {}
    (row,) = table.scan(TableName="t")["Items"]
    assert (row["deed"]["S"], row["why"]["S"]) == ("redriven", "canary of x")


def test_what_containers_count_adds_up(table: Any):
    tallies = DynamoTallies(table, "t")
    tallies.add("live", Counted(NOON, 4, 1.5, {"photos": 2}, age_s=3.0))
    tallies.add("live", Counted(NOON + timedelta(seconds=9), 6, 2.5, {"photos": 1, "records": 1}, age_s=5.0))
    tallies.add("live", Counted(NOON + timedelta(seconds=10), 1, 0.5))
    tallies.add("bulk", Counted(NOON, 9, 9.0))

    first, second = tallies.since("live", NOON)

    assert first == Counted(NOON, 10, 4.0, {"photos": 3, "records": 1}, age_s=5.0)
    assert (second.calls, second.failures) == (1, {})
    assert tallies.since("live", NOON + MINUTE) == []


def test_what_the_minute_knows_comes_back_as_it_was(table: Any):
    states = States(table, "t")
    fresh = begin(Bounds(total=20), NOON)
    steady = replace(
        fresh,
        relief=Relief(2, NOON),
        breakers={("live", "photos"): Breaker("open", NOON, 3)},
        backlogs={"live": 7},
    )

    assert load_steady(states, lambda: fresh) == fresh
    save_steady(states, steady)

    assert load_steady(states, lambda: fresh) == steady


def test_several_states_are_read_at_once_and_those_never_put_are_left_out(table: Any):
    states = States(table, "t")
    states.put("a", {"n": 1})
    states.put("b", {"n": 2})

    assert states.read("b", "never", "a") == {"b": {"n": 2}, "a": {"n": 1}}


@pytest.mark.parametrize(
    "walk", [Walk(), Walk("c", Census(3, 1, 1, {"unannounced": 1}), Census(9, 9), 4, "e")]
)
def test_where_a_walk_is_comes_back_as_it_was(table: Any, walk: Walk):
    save_walk(States(table, "t"), walk)

    assert load_walk(States(table, "t")) == walk


def test_cases_come_back_as_they_were(table: Any):
    kept = KeptCases(States(table, "t"))
    assert kept.load() == {}

    kept.save({"f": case()})

    assert kept.load() == {"f": case()}


def test_degradation_in_force_is_noticed_within_its_freshness(table: Any):
    states = States(table, "t")
    at_once, lazily = (ReliefInForce(states, default_steps(), fresh_s=fresh_s) for fresh_s in (0, 60))
    assert (at_once(), lazily()) == ((), ())

    save_steady(states, replace(begin(Bounds(total=20), NOON), relief=Relief(2, NOON)))

    assert [step.name for step in at_once()] == ["tiles-off", "landmarks-once"]
    assert lazily() == ()


def test_a_bucket_is_listed_by_version_and_lane_to_its_end(bucket: Any):
    for key in (KEY, KEY, "live/faces/door/b.jpg", "bulk/faces/archive/c.jpg", "enrol/x.jpg"):
        bucket.put_object(Bucket="bucket", Key=key, Body=b"x")
    bucket.delete_object(Bucket="bucket", Key="live/faces/door/b.jpg")

    listed: list[Listed] = []
    cursor, pages = "", 0
    while pages == 0 or cursor:
        page, cursor = Bucket(bucket, "bucket", page=2).page(cursor)
        listed, pages = [*listed, *page], pages + 1

    assert sorted(one.item.key for one in listed) == [
        "bulk/faces/archive/c.jpg",
        KEY,
        KEY,
        "live/faces/door/b.jpg",
    ]
    assert len({one.item.version for one in listed}) == 4
    assert all(one.at.tzinfo for one in listed)


def test_what_was_not_published_is_found_in_the_rows_of_its_time(table: Any, sqs: Any):
    ledger = DynamoLedger(table, "t", lane="live", retention=RETENTION)
    for n, after in enumerate((0 * MINUTE, 10 * MINUTE - OFF, 10 * MINUTE + OFF, 20 * MINUTE)):
        drop = Drop(f"d{n}", "faces", "door", Object("bucket", KEY, "v1"), NOON)
        now = NOON + after
        claim = ledger.claim(drop, owner="w", now=now, until=now + MINUTE)
        ledger.reject(claim, reason="empty-file", message="", stage="read", now=now)  # type: ignore[arg-type]
    url = sqs.create_queue(QueueName="untold")["QueueUrl"]
    batch = {f"approximateArrivalOf{which}Record": "2026-03-02T12:10:00Z" for which in ("First", "Last")}
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"DDBStreamBatchInfo": batch}))
    for row in _releases():
        table.put_item(TableName="t", Item=item(row))
    gaps = SqsGaps(sqs, url, dynamodb=table, table="t")

    (gap,) = gaps.receive()
    facts = list(gaps.facts(gap))
    gaps.close(gap)

    drops = [fact.drop for fact in facts if not isinstance(fact, Moved)]
    moves = [(fact.release, fact.step, fact.number) for fact in facts if isinstance(fact, Moved)]
    assert (sorted(drops), moves) == (["d1", "d2"], [("r1", "promote", 1)])
    waiting = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert waiting["ApproximateNumberOfMessagesNotVisible"] == "0"


def _releases() -> list[dict[str, Any]]:
    """A release that was promoted within the gap, and moved on after it."""
    steps = [("promote", "active", NOON + 10 * MINUTE), ("retire", "former", NOON + 30 * MINUTE)]
    history = [
        {"step": step, "stage": stage, "at": at.isoformat(), "reasons": []} for step, stage, at in steps
    ]
    last = {"stage": "former", "since": history[-1]["at"], "history": history}
    life = {"pk": "releases#faces", "sk": "life#r1", "model": "faces", "release": "r1"}
    return [{"pk": "releases", "sk": "faces"}, life | last]


class Lambda:
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
    api = Lambda()
    mapping = Mapping(api, function="live", queue_arn="arn")

    assert not mapping.obey(Order(enabled=True, workers=2))
    assert mapping.obey(Order(enabled=True, workers=9))
    assert mapping.obey(Order(enabled=False, workers=2))
    assert [(one["Enabled"], one["ScalingConfig"]["MaximumConcurrency"]) for one in api.changes] == [
        (True, 9),
        (False, 2),
    ]


def test_operators_hear_of_a_fault_and_of_no_person(aws: Callable[[str], Any], sqs: Any):
    topic = aws("sns").create_topic(Name="ops")["TopicArn"]
    url = sqs.create_queue(QueueName="inbox")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    aws("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    letters, dead, _ = dead_letters(sqs)
    sqs.send_message(QueueUrl=dead, MessageBody=JOB)
    (letter,) = letters.receive(1)

    SnsOperators(aws("sns"), topic).tell(Alert(case("new"), letter, 3))

    (heard,) = sqs.receive_message(QueueUrl=url)["Messages"]
    told = json.loads(json.loads(heard["Body"])["Message"])
    assert (told["letters"], told["kind"], told["drops"]) == (3, "NeverClaimed", [letter.drops[0].id])
    fits("fault-new", told)


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
    cloudwatch, done = aws("cloudwatch"), Signal("live", "Done")
    for back, value in ((timedelta(minutes=2), 1.0), (timedelta(hours=5), 2.0), (timedelta(days=20), 4.0)):
        datum = {
            "MetricName": done.metric,
            "Dimensions": [{"Name": "service", "Value": done.service}],
            "Timestamp": NOON - back,
            "Value": value,
        }
        cloudwatch.put_metric_data(Namespace="Vigil/t", MetricData=[datum])

    sums = CloudWatch(cloudwatch).sums("Vigil/t", {done}, WINDOWS, now=NOON)

    assert {window: counted[done] for window, counted in sums.items()} == {
        "1h": 1.0,
        "6h": 3.0,
        "3d": 3.0,
        "30d": 7.0,
    }


def test_gauges_are_one_log_line_an_invocation(capsys: pytest.CaptureFixture[str]):
    gauges = Gauges(namespace="Vigil/test", service="live")
    gauges.count("Done")
    gauges.count("Done")
    gauges.ms("AgeMs", 12.5)
    gauges.note("releases", ["r1"])

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
