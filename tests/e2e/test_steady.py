"""Those who mend, from what ships: each invoked as its schedule would, on the running system."""

import json
import os
import signal
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cloud.state import States
from cloud.states import load_steady, save_steady
from cloud.tallies import DynamoTallies
from infra.chaos.storm import MODEL_FILE
from infra.local.faults import Faults
from tests.e2e.conftest import PHOTOS, Site, until
from tests.steady.dashboard import emf, shown_metrics
from vigil.drops import drop_id
from vigil.steady.breaker import closed
from vigil.steady.counted import Counted
from vigil.steady.minute import LANES, Steady, orders

TICK = {
    "version": "0",
    "id": "tick",
    "source": "aws.events",
    "detail-type": "Scheduled Event",
    "account": "123456789012",
    "region": "us-east-1",
    "time": "2026-03-02T12:00:00Z",
    "resources": [],
    "detail": {},
}


def invoked(site: Site, function: str, event: Any = TICK) -> dict[str, Any]:
    reply = site.cloud.client("lambda").invoke(
        FunctionName=site.running.function(function), Payload=json.dumps(event).encode()
    )
    told: dict[str, Any] = json.loads(reply["Payload"].read())
    assert "FunctionError" not in reply, told
    return told


def notes(site: Site, drop: str) -> list[str]:
    rows = site.cloud.client("dynamodb").query(
        TableName=site.cloud.outputs["RecordsTable"],
        KeyConditionExpression="pk = :drop AND begins_with(sk, :note)",
        ExpressionAttributeValues={":drop": {"S": f"drop#{drop}"}, ":note": {"S": "note#"}},
    )
    return [row["deed"]["S"] for row in rows["Items"]]


def test_a_dead_letter_is_sent_back_and_reaches_its_end(site: Site):
    data = {"model": "faces", "source": "door", "id": "a-dead-letter", "data": ""}
    letters = site.cloud.outputs["LiveDeadLettersUrl"]
    site.cloud.client("sqs").send_message(QueueUrl=letters, MessageBody=json.dumps(data))

    done = invoked(site, "Triage")

    drop = drop_id("job", "a-dead-letter", "faces")
    (row,) = site.ended(drop)
    assert (done["letters"], done["redriven"], done["new_faults"]) == (1, 1, 1)
    assert (row["state"], row["reason"], notes(site, drop)) == ("rejected", "empty-file", ["redriven"])


def test_the_canary_hears_the_right_answer_and_nobody_is_alarmed(site: Site):
    invoked(site, "Canary")
    site.running.quiet(timeout_s=60)

    assert invoked(site, "Canary")["wrong"] == ""
    site.running.quiet(timeout_s=60)
    site.listener.listen()
    alarmed = [e for e in site.listener.of_type("vigil.alert.raised") if e["data"]["source"] == "canary"]
    assert alarmed == []


def test_a_bucket_is_complete_when_all_in_it_has_an_end(site: Site):
    site.ended(site.put((PHOTOS / "biden.jpg").read_bytes()))

    assert invoked(site, "Reconcile") == {"announced": 0, "cursor": ""}


def test_an_old_bucket_is_shown_to_another_model_once(site: Site):
    site.ended(site.put((PHOTOS / "biden.jpg").read_bytes(), source="archive"))
    key = f"live/faces/archive/{_last(site)}-photo.jpg"

    first = invoked(site, "Backfill", {"model": "tiny-colours"})
    drop = until(lambda: _looked_at(site, key))
    site.running.quiet(timeout_s=60)
    second = invoked(site, "Backfill", {"model": "tiny-colours"})

    (row,) = site.ended(drop)
    assert first["announced"] >= 1
    assert (row["model"], row["lane"], row["state"]) == ("tiny-colours", "bulk", "done")
    assert second == {"announced": 0, "cursor": ""}


def test_a_model_that_is_not_there_is_shown_nothing(site: Site):
    told = invoked(site, "Backfill", {"model": "face-embed"})

    assert told["error"]["reason"] == "unknown-model"
    assert "faces" in told["error"]["message"]


def test_workers_are_moved_between_the_lanes(site: Site):
    """As balance has it in mind, whatever it has seen of this system by now."""
    invoked(site, "Balance")

    until(lambda: _workers(site) == {lane: one.workers for lane, one in orders(_steady(site)).items()})
    share = _steady(site).share
    assert share.live + share.bulk == share.budget == 12


def _workers(site: Site) -> dict[str, int]:
    mappings = site.cloud.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    return {
        one["FunctionArn"].rsplit("-", 1)[-1]: one["ScalingConfig"]["MaximumConcurrency"]
        for one in mappings
        if "ScalingConfig" in one
    }


def test_lanes_measure_what_they_do(site: Site):
    site.ended(site.put((PHOTOS / "biden.jpg").read_bytes()))
    site.running.quiet(timeout_s=60)

    lines = [line for line in site.running.logs(site.running.function("Live")) if '"_aws"' in line]

    measured = {name for line in lines for name in json.loads(line)}
    assert {"Delivered", "Done", "Settled", "AgeMs", "Late", "embedMs"} <= measured


def test_those_who_mend_measure_all_that_the_dashboard_shows_of_them(site: Site):
    for function in ("Balance", "Triage", "Reconcile", "Canary"):
        invoked(site, function)
        site.running.quiet(timeout_s=60)
    invoked(site, "Canary")

    for function in ("Balance", "Triage", "Reconcile", "Canary"):
        shown = {metric for service, metric in shown_metrics() if service == function.lower()}
        lines = emf("\n".join(site.running.logs(site.running.function(function))))
        measured = {name for told in lines for name in told.units}
        assert shown
        assert shown - measured == set()


def test_a_lane_stops_while_its_dependency_fails_and_starts_again_by_itself(site: Site):
    table = site.cloud.client("dynamodb"), site.cloud.outputs["RecordsTable"]
    tallies, states = DynamoTallies(*table), _states(site)
    tallies.add("live", Counted(datetime.now(UTC), 500, 50.0, {"photos": 450}))

    invoked(site, "Balance")
    stopped = _live_mapping(site)["State"]
    waiting = [site.put((PHOTOS / "biden.jpg").read_bytes(), source="stopped") for _ in range(4)]
    time.sleep(1)
    untouched = [site.cloud.records.drop(drop) for drop in waiting]
    _cool_down(states)
    invoked(site, "Balance")
    probing = _live_mapping(site)
    ended = site.ended(*waiting)
    tallies.add("live", Counted(datetime.now(UTC) + timedelta(seconds=10), 4, 1.0))
    invoked(site, "Balance")

    assert stopped in {"Disabling", "Disabled"}
    assert untouched == [None] * 4
    assert probing["ScalingConfig"] == {"MaximumConcurrency": 2}
    assert {row["state"] for row in ended} == {"done"}
    assert _breakers(states) == {"closed"}


def test_a_container_whose_model_is_damaged_says_which_file_and_is_replaced(site: Site):
    site.running.faults.begin(Faults(seed=1, corrupt={MODEL_FILE: 1.0}))
    for worker in site.running.workers():
        if worker.function == site.running.function("Live"):
            os.kill(worker.pid, signal.SIGKILL)
    drop = site.put((PHOTOS / "biden.jpg").read_bytes(), source="damage")
    line = until(lambda: _logged(site, "release-damaged"))
    site.running.faults.end()
    (row,) = site.ended(drop)

    assert (line["model"], line["file"]) == ("face-embed", "model.onnx")
    assert (row["state"], row["sightings"]) == ("done", 1)
    assert row["attempts"] > 1


def _logged(site: Site, message: str) -> dict[str, Any] | None:
    lines = site.running.logs(site.running.function("Live"))
    told = (json.loads(line[line.index("{") :]) for line in lines if message in line and "{" in line)
    return next((line for line in told if line.get("message") == message), None)


def _live_mapping(site: Site) -> dict[str, Any]:
    mappings = site.cloud.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    (mapping,) = [one for one in mappings if one["FunctionArn"].endswith("-live")]
    return dict(mapping)


def _cool_down(states: States) -> None:
    """As if the breakers had opened a minute ago."""
    row = states.get("steady")
    assert row is not None
    for breaker in row["breakers"]:
        opened = datetime.fromisoformat(breaker["since"]) - timedelta(seconds=61)
        breaker["since"] = opened.isoformat()
    states.put("steady", row)


def calmed(site: Site) -> None:
    """Lanes run, and what failed in them until now is forgotten: one test's faults are not the next one's."""
    invoked(site, "Balance")
    steady, now = _steady(site), datetime.now(UTC)
    names = {"model", *(name for _, name in steady.breakers)}
    forgotten = {(lane, name): closed(now) for lane in LANES for name in names}
    save_steady(_states(site), replace(steady, breakers=forgotten))
    invoked(site, "Balance")


def _states(site: Site) -> States:
    return States(site.cloud.client("dynamodb"), site.cloud.outputs["RecordsTable"])


def _steady(site: Site) -> Steady:
    return load_steady(_states(site), lambda: pytest.fail("balance remembers nothing"))


def _breakers(states: States) -> set[str]:
    row = states.get("steady")
    return {breaker["state"] for breaker in row["breakers"]} if row else set()


def _last(site: Site) -> int:
    listed = site.cloud.client("s3").list_objects_v2(
        Bucket=site.cloud.outputs["PhotosBucket"], Prefix="live/faces/archive/"
    )
    return max(int(one["Key"].rsplit("/", 1)[-1].split("-")[0]) for one in listed["Contents"])


def _looked_at(site: Site, key: str) -> str:
    """The drop that another model's look at an object is."""
    uri = f"s3://{site.cloud.outputs['PhotosBucket']}/{key}"
    rows = [site.cloud.records.drop(drop) for drop in site.cloud.records.of_object(uri)]
    return next((str(row["drop_id"]) for row in rows if row and row["model"] == "tiny-colours"), "")
