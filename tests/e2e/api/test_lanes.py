"""Lanes, dead letters, backfills, idempotency and the audit log over HTTP."""

import json
import re
import time
import uuid
from datetime import UTC, datetime
from typing import Any

from click.testing import CliRunner

from cloud.dynamodb.maintenance_state import DynamoFaultCases
from cloud.dynamodb.state import DynamoStateStore
from functions.api.scheduled import SCHEDULED_EVENT
from tests.e2e.api.conftest import PHOTOS, Site, wait_for_reload
from tests.e2e.conftest import wait_until
from vigil.drops.messages import compute_drop_id
from vigil.reliability.dead_letters import FaultCase, Fingerprint
from vigil_cli.__main__ import app


def test_a_paused_lane_is_stopped_until_it_is_resumed(site: Site):
    site.request("POST", "/v1/lanes/bulk/pause")
    status = {one["lane"]: one for one in site.request("GET", "/v1/status").json["lanes"]}

    site.request("POST", "/v1/lanes/bulk/resume")
    after = {one["lane"]: one for one in site.request("GET", "/v1/status").json["lanes"]}

    assert (status["bulk"]["paused"], status["bulk"]["running"]) == (True, False)
    assert (after["bulk"]["paused"], after["bulk"]["running"]) == (False, True)


def test_a_dead_letter_is_listed_and_quarantined_with_a_reason(site: Site):
    listed = dead_letter(site, "one")
    selection = {"ids": [listed["id"]], "reason": "not for us"}

    processed = site.request("POST", "/v1/lanes/live/dead-letters/quarantine", selection)

    drop = listed["drops"][0]["drop"]
    assert processed.json == {"processed": 1}
    assert site.request("GET", f"/v1/drops/{drop}").json["state"] == "quarantined"
    assert site.request("GET", "/v1/lanes/live/dead-letters").json == {"items": []}
    assert drop_notes(site, drop) == [("quarantined", "not for us")]


def test_a_redrive_is_noted_on_the_drop_with_its_reason(site: Site):
    listed = dead_letter(site, "two")
    selection = {"ids": [listed["id"]], "reason": "mended"}

    processed = site.request("POST", "/v1/lanes/live/dead-letters/redrive", selection)

    drop = listed["drops"][0]["drop"]
    assert processed.json == {"processed": 1}
    assert site.request("GET", f"/v1/drops/{drop}?wait=20").json["state"] == "rejected"
    assert drop_notes(site, drop) == [("redriven", "mended")]


def test_a_dead_letter_shows_its_suspect_drop(site: Site):
    drop = compute_drop_id("job", "four", "nothing")
    suspicion = {"vigil-suspect-drop": {"DataType": "String", "StringValue": f"2 {drop}"}}

    listed = dead_letter(site, "four", MessageAttributes=suspicion)
    site.request("POST", "/v1/lanes/live/dead-letters/redrive", {"ids": [listed["id"]]})

    assert listed["suspect_drop"] == listed["drops"][0]["drop"] == drop


def test_a_dead_letter_is_not_quarantined_while_a_worker_holds_its_drop(site: Site):
    listed = dead_letter(site, "three")
    drop = listed["drops"][0]["drop"]
    held = {"pk": {"S": f"drop#{drop}"}, "sk": {"S": "drop"}, "drop_id": {"S": drop}, "attempts": {"N": "1"}}
    until = {"until": {"N": str(time.time() + 60)}, "state": {"S": "claimed"}, "owner": {"S": "a worker"}}
    table = {"TableName": site.cloud.outputs["RecordsTable"]}
    site.cloud.client("dynamodb").put_item(**table, Item=held | until)

    processed = site.request("POST", "/v1/lanes/live/dead-letters/quarantine", {"ids": [listed["id"]]})
    wait_for_reload()
    remaining = [one["id"] for one in site.request("GET", "/v1/lanes/live/dead-letters").json["items"]]
    site.cloud.client("dynamodb").delete_item(**table, Key={"pk": held["pk"], "sk": held["sk"]})
    wait_for_reload()
    site.request("POST", "/v1/lanes/live/dead-letters/redrive", {"ids": [listed["id"]]})

    assert (processed.json, remaining, drop_notes(site, drop)) == (
        {"processed": 0},
        [listed["id"]],
        [("redriven", "by hand")],
    )


def test_a_backfill_refuses_a_forged_cursor(site: Site):
    forged = site.request("POST", "/v1/backfill", {"model": "faces", "cursor": '["live/", ""]'})

    assert (forged.status, forged.json["type"]) == (400, "urn:vigil:problem:invalid-cursor")


def test_a_write_repeated_with_its_idempotency_key_is_executed_once(site: Site):
    key, name = {"Idempotency-Key": uuid.uuid4().hex}, uuid.uuid4().hex

    first = site.request("POST", "/v1/people", {"name": name}, headers=key)
    again = site.request("POST", "/v1/people", {"name": name}, headers=key)
    other = site.request("POST", "/v1/people", {"name": name + "x"}, headers=key)

    assert (first.status, again.status, again.json) == (201, 201, first.json)
    assert other.status == 409


def test_the_audit_commands_verify_and_show_the_log(site: Site, alert: Any):
    here = ["--data", str(site.data)]

    site.cloud.client("lambda").invoke(
        FunctionName="vigil-api-audit-checkpoint", Payload=json.dumps(SCHEDULED_EVENT).encode()
    )
    whole = CliRunner().invoke(app, ["ops", "audit", "verify", *here])
    shown = CliRunner().invoke(app, ["ops", "audit", "show", *here])

    assert (whole.exit_code, "valid" in whole.output) == (0, True), whole.output
    assert re.search(r"checkpoints: [1-9]", whole.output)  # the schedule stores some, too
    assert "get-drop" in shown.output


def test_a_dead_letter_is_found_with_its_body_and_the_failures_of_its_drops(site: Site):
    listed = dead_letter(site, "five")

    found = site.request("GET", f"/v1/lanes/live/dead-letters/{listed['id']}").json
    wait_for_reload()
    other_lane = site.request("GET", f"/v1/lanes/bulk/dead-letters/{listed['id']}")
    site.request("POST", "/v1/lanes/live/dead-letters/redrive", {"ids": [listed["id"]]})

    assert json.loads(found["body"])["id"] == "five"
    assert found["drops"] == listed["drops"]
    assert other_lane.status == 404


def test_known_faults_and_the_completeness_of_the_bucket_are_shown(site: Site):
    states = DynamoStateStore(site.cloud.client("dynamodb"), site.cloud.outputs["RecordsTable"])
    now = datetime.now(UTC)
    fingerprint = Fingerprint("read", "Transient", "SlowDown", "", "objects")
    cases = DynamoFaultCases(states)
    before = cases.load_cases()
    cases.save_cases({**before, fingerprint.id: FaultCase(fingerprint, now, now)})

    faults = {one["id"]: one for one in site.request("GET", "/v1/triage").json["faults"]}
    cases.save_cases(before)
    reconcile = site.request("GET", "/v1/reconcile").json

    assert (faults[fingerprint.id]["dependency"], faults[fingerprint.id]["phase"]) == ("objects", "new")
    assert {"in_progress", "reannounced"} <= reconcile.keys()


def test_the_status_counts_messages_deliveries_and_unpublished_events(site: Site):
    site.upload_drop((PHOTOS / "biden.jpg").read_bytes(), "gate-1")

    status = wait_until(lambda: _status_with_calls(site))

    live = next(one for one in status["lanes"] if one["lane"] == "live")
    assert live["calls"] >= 1
    assert {"in_flight_messages", "oldest_message_age_s", "failures"} <= live.keys()
    assert status["unpublished"] == {"batches": 0, "oldest_age_s": 0.0}


def _status_with_calls(site: Site) -> Any:
    """The status once a lane has counted a delivery, which it does at the end of its batch."""
    response = site.request("GET", "/v1/status")
    assert response.status == 200, response.text
    status = response.json
    return status if any(one["lane"] == "live" and one["calls"] for one in status["lanes"]) else None


def test_an_operator_starts_triage_and_reads_its_report(site: Site):
    started = site.request("POST", "/v1/triage", {}, role="operator")
    run = wait_until(lambda: _ended_run(site, f"/v1/triage/runs/{started.json['run']}"))
    other_task = site.request("GET", f"/v1/reconcile/runs/{started.json['run']}")

    assert (started.status, run["state"], other_task.status) == (202, "completed", 404)
    assert run["report"]["messages"] == sum(
        run["report"][name] for name in ("redriven", "quarantined", "discarded", "waiting")
    )
    assert run["report"]["republished"] == 0


def test_an_operator_starts_reconcile_and_reads_its_result(site: Site):
    started = site.request("POST", "/v1/reconcile", {}, role="operator")

    run = wait_until(lambda: _ended_run(site, f"/v1/reconcile/runs/{started.json['run']}"))

    assert (started.status, run["state"]) == (202, "completed")
    assert run["report"]["in_progress"] is False
    assert {"objects", "completed", "too_recent"} == run["report"]["completeness"].keys()


def _ended_run(site: Site, path: str) -> Any:
    run = site.request("GET", path).json
    return run if run["state"] != "running" else None


def dead_letter(site: Site, name: str, **more: Any) -> dict[str, Any]:
    """A dead listed of the live lane for a job without a picture, as the API lists it."""
    body = f'{{"model": "nothing", "data": "", "id": "{name}"}}'
    queue_url = site.cloud.outputs["LiveDeadLettersUrl"]
    site.cloud.client("sqs").send_message(QueueUrl=queue_url, MessageBody=body, **more)
    (listed,) = site.request("GET", "/v1/lanes/live/dead-letters").json["items"]
    wait_for_reload()
    found: dict[str, Any] = listed
    return found


def drop_notes(site: Site, drop: str) -> list[tuple[str, str]]:
    """Action and reason of each note on the drop."""
    found = site.request("GET", f"/v1/drops/{drop}?wait=20").json
    return [(one["action"], one["reason"]) for one in found["actions"]]
