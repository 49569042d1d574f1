"""Those who mend, from what ships: each invoked as its schedule would, on the running system."""

import json
import os
import signal
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cloud.dynamodb.counters import DynamoLaneCounts
from cloud.dynamodb.maintenance_state import load_controller_state, save_controller_state
from cloud.dynamodb.state import DynamoStateStore
from infra.local.faults.model import Faults
from tests.chaos.faults import MODEL_FILE
from tests.e2e.conftest import PHOTOS, RunningSystem, wait_until
from tests.unit.runtime.emf import parse_emf, shown_metrics
from vigil.drops.messages import compute_drop_id
from vigil.reliability.circuit_breaker import closed_breaker
from vigil.reliability.controller import ControllerState, mapping_settings
from vigil.reliability.lane_counts import LANES, SOURCE_GROUPS, FirstAttempts, LaneCounts

FAILURES = {"photos": 450}
SCHEDULED_EVENT = {
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


def invoke_function(site: RunningSystem, function: str, event: Any = SCHEDULED_EVENT) -> dict[str, Any]:
    reply = site.cloud.client("lambda").invoke(
        FunctionName=site.running.function_name(function), Payload=json.dumps(event).encode()
    )
    result: dict[str, Any] = json.loads(reply["Payload"].read())
    assert "FunctionError" not in reply, result
    return result


def drop_actions(site: RunningSystem, drop: str) -> list[str]:
    rows = site.cloud.client("dynamodb").query(
        TableName=site.cloud.outputs["RecordsTable"],
        KeyConditionExpression="pk = :drop AND begins_with(sk, :note)",
        ExpressionAttributeValues={":drop": {"S": f"drop#{drop}"}, ":note": {"S": "note#"}},
    )
    return [row["action_taken"]["S"] for row in rows["Items"]]


def test_a_dead_letter_is_redriven_and_processed(site: RunningSystem):
    data = {"model": "faces", "source": "door", "id": "a-dead-letter", "data": ""}
    letters = site.cloud.outputs["LiveDeadLettersUrl"]
    site.cloud.client("sqs").send_message(QueueUrl=letters, MessageBody=json.dumps(data))

    done = invoke_function(site, "Triage")

    drop = compute_drop_id("job", "a-dead-letter", "faces")
    (row,) = site.wait_until_completed(drop)
    assert (done["messages"], done["redriven"], done["new_faults"]) == (1, 1, 1)
    assert (row["state"], row["reason"], drop_actions(site, drop)) == ("rejected", "empty-file", ["redriven"])


def test_the_canary_gets_the_expected_result_and_raises_no_alert(site: RunningSystem):
    invoke_function(site, "Canary")
    site.running.wait_until_idle(timeout_s=240)

    assert invoke_function(site, "Canary")["problem"] == ""
    site.running.wait_until_idle(timeout_s=240)
    site.recorder.receive_all()
    alarmed = [
        e for e in site.recorder.events_of_type("vigil.alert.raised") if e["data"]["source"] == "canary"
    ]
    assert alarmed == []


def test_a_bucket_is_complete_when_every_object_was_processed(site: RunningSystem):
    site.wait_until_completed(site.drop_bytes((PHOTOS / "biden.jpg").read_bytes()))

    assert invoke_function(site, "Reconcile") == {"announced": 0, "cursor": ""}


def test_a_backfill_runs_another_model_on_each_object_once(site: RunningSystem):
    site.wait_until_completed(site.drop_bytes((PHOTOS / "biden.jpg").read_bytes(), source="archive"))
    key = f"live/faces/archive/{_last_archive_number(site)}-photo.jpg"

    first = invoke_function(site, "Backfill", {"model": "tiny-colours"})
    drop = wait_until(lambda: _drop_of_other_model(site, key))
    site.running.wait_until_idle(timeout_s=240)
    second = invoke_function(site, "Backfill", {"model": "tiny-colours"})

    (row,) = site.wait_until_completed(drop)
    assert first["announced"] >= 1
    assert (row["model"], row["lane"], row["state"]) == ("tiny-colours", "bulk", "done")
    assert second == {"announced": 0, "cursor": ""}


def test_a_backfill_of_an_unknown_model_is_rejected(site: RunningSystem):
    told = invoke_function(site, "Backfill", {"model": "face-embed"})

    assert told["error"]["reason"] == "unknown-model"
    assert "faces" in told["error"]["message"]


def test_workers_are_moved_between_the_lanes(site: RunningSystem):
    """As balance has it in mind, whatever it has seen of this system by now."""
    invoke_function(site, "Balance")

    wait_until(
        lambda: (
            _worker_limits(site)
            == {lane: one.workers for lane, one in mapping_settings(_controller_state(site)).items()}
        )
    )
    share = _controller_state(site).allocation
    assert share.live + share.bulk == share.budget == 12


def _worker_limits(site: RunningSystem) -> dict[str, int]:
    mappings = site.cloud.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    return {
        one["FunctionArn"].rsplit("-", 1)[-1]: one["ScalingConfig"]["MaximumConcurrency"]
        for one in mappings
        if one["FunctionArn"].rsplit("-", 1)[-1] in LANES
    }


def test_lanes_measure_what_they_do(site: RunningSystem):
    site.wait_until_completed(site.drop_bytes((PHOTOS / "biden.jpg").read_bytes()))
    site.running.wait_until_idle(timeout_s=240)

    lines = [line for line in site.running.logs(site.running.function_name("Live")) if '"_aws"' in line]

    measured = {name for line in lines for name in json.loads(line)}
    assert {"Delivered", "Done", "Completed", "AgeMs", "LiveAgeExceeded", "embedMs"} <= measured


def test_maintenance_functions_emit_every_metric_of_the_dashboard(site: RunningSystem):
    for function in ("Balance", "Triage", "Reconcile", "Canary"):
        invoke_function(site, function)
        site.running.wait_until_idle(timeout_s=240)
    invoke_function(site, "Canary")

    for function in ("Balance", "Triage", "Reconcile", "Canary"):
        shown = {metric for service, metric in shown_metrics() if service == function.lower()}
        lines = parse_emf("\n".join(site.running.logs(site.running.function_name(function))))
        measured = {name for told in lines for name in told.units}
        assert shown
        assert shown - measured == set()


def test_a_lane_stops_while_its_dependency_fails_and_starts_again_by_itself(site: RunningSystem):
    table = site.cloud.client("dynamodb"), site.cloud.outputs["RecordsTable"]
    tallies, states = DynamoLaneCounts(*table), _states(site)
    first_attempts = dict.fromkeys(range(SOURCE_GROUPS), FirstAttempts(500, FAILURES))
    tallies.add("live", LaneCounts(datetime.now(UTC), 500, 50.0, FAILURES, first_attempts=first_attempts))

    invoke_function(site, "Balance")
    stopped = _live_mapping(site)["State"]
    waiting = [site.drop_bytes((PHOTOS / "biden.jpg").read_bytes(), source="stopped") for _ in range(4)]
    time.sleep(1)
    untouched = [site.cloud.records.find_drop(drop) for drop in waiting]
    _end_cool_down(states)
    invoke_function(site, "Balance")
    probing = _live_mapping(site)
    ended = site.wait_until_completed(*waiting)
    tallies.add("live", LaneCounts(datetime.now(UTC) + timedelta(seconds=10), 4, 1.0))
    invoke_function(site, "Balance")

    assert stopped in {"Disabling", "Disabled"}
    assert untouched == [None] * 4
    assert probing["ScalingConfig"] == {"MaximumConcurrency": 2}
    assert {row["state"] for row in ended} == {"done"}
    assert _breakers(states) == {"closed"}


def test_a_container_with_a_damaged_model_logs_the_file_and_is_replaced(site: RunningSystem):
    site.running.faults.begin(Faults(seed=1, corrupt_files={MODEL_FILE: 1.0}))
    for worker in site.running.workers():
        if worker.function == site.running.function_name("Live"):
            os.kill(worker.pid, signal.SIGKILL)
    drop = site.drop_bytes((PHOTOS / "biden.jpg").read_bytes(), source="damage")
    line = wait_until(lambda: _logged(site, "release-damaged"))
    site.running.faults.end()
    (row,) = site.wait_until_completed(drop)

    assert (line["model"], line["file"]) == ("face-embed", "model.onnx")
    assert (row["state"], row["sightings"]) == ("done", 1)
    assert row["attempts"] > 1


def _logged(site: RunningSystem, message: str) -> dict[str, Any] | None:
    lines = site.running.logs(site.running.function_name("Live"))
    told = (json.loads(line[line.index("{") :]) for line in lines if message in line and "{" in line)
    return next((line for line in told if line.get("message") == message), None)


def _live_mapping(site: RunningSystem) -> dict[str, Any]:
    mappings = site.cloud.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    (mapping,) = [one for one in mappings if one["FunctionArn"].endswith("-live")]
    return dict(mapping)


def _end_cool_down(states: DynamoStateStore) -> None:
    """As if the breakers had opened a minute ago."""
    row = states.get("controller")
    assert row is not None
    for breaker in row["breakers"]:
        opened = datetime.fromisoformat(breaker["since"]) - timedelta(seconds=61)
        breaker["since"] = opened.isoformat()
    states.put("controller", row)


def close_breakers(site: RunningSystem) -> None:
    """Lanes run, and what failed in them until now is forgotten: one test's faults are not the next one's."""
    invoke_function(site, "Balance")
    controller, now = _controller_state(site), datetime.now(UTC)
    names = {"model", *(name for _, name in controller.breakers)}
    closed_breakers = {(lane, name): closed_breaker(now) for lane in LANES for name in names}
    save_controller_state(_states(site), replace(controller, breakers=closed_breakers))
    invoke_function(site, "Balance")


def _states(site: RunningSystem) -> DynamoStateStore:
    return DynamoStateStore(site.cloud.client("dynamodb"), site.cloud.outputs["RecordsTable"])


def _controller_state(site: RunningSystem) -> ControllerState:
    return load_controller_state(_states(site), lambda: pytest.fail("balance remembers nothing"))


def _breakers(states: DynamoStateStore) -> set[str]:
    row = states.get("controller")
    return {breaker["state"] for breaker in row["breakers"]} if row else set()


def _last_archive_number(site: RunningSystem) -> int:
    listed = site.cloud.client("s3").list_objects_v2(
        Bucket=site.cloud.outputs["PhotosBucket"], Prefix="live/faces/archive/"
    )
    return max(int(one["Key"].rsplit("/", 1)[-1].split("-")[0]) for one in listed["Contents"])


def _drop_of_other_model(site: RunningSystem, key: str) -> str:
    """The drop that another model's look at an object is."""
    uri = f"s3://{site.cloud.outputs['PhotosBucket']}/{key}"
    rows = [site.cloud.records.find_drop(drop) for drop in site.cloud.records.drops_of_object(uri)]
    return next((str(row["drop_id"]) for row in rows if row and row["model"] == "tiny-colours"), "")
