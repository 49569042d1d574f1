"""Lanes, dead letters and back-fills dealt with over HTTP, and the log of who did."""

import json
import time
import uuid
from typing import Any

from typer.testing import CliRunner

from functions.api.resources.maintenance import SCHEDULED_EVENT
from tests.e2e.api.conftest import Site, wait_for_reload
from vigil.drops.messages import compute_drop_id
from vigil_cli.__main__ import app


def test_a_lane_that_was_paused_lets_messages_wait_until_it_is_resumed(site: Site):
    site.request("POST", "/v1/lanes/bulk/pause")
    status = {one["lane"]: one for one in site.request("GET", "/v1/status").json["lanes"]}

    site.request("POST", "/v1/lanes/bulk/resume")
    after = {one["lane"]: one for one in site.request("GET", "/v1/status").json["lanes"]}

    assert (status["bulk"]["paused"], status["bulk"]["running"]) == (True, False)
    assert (after["bulk"]["paused"], after["bulk"]["running"]) == (False, True)


def test_dead_letters_are_listed_with_evidence_and_set_aside_for_a_reason(site: Site):
    letter = dead_letter(site, "one")
    chosen = {"ids": [letter["id"]], "reason": "not for us"}

    moved = site.request("POST", "/v1/lanes/live/dead-letters/quarantine", chosen)

    drop = letter["drops"][0]["drop"]
    assert moved.json == {"processed": 1}
    assert site.request("GET", f"/v1/drops/{drop}").json["state"] == "quarantined"
    assert site.request("GET", "/v1/lanes/live/dead-letters").json == {"items": []}
    assert drop_notes(site, drop) == [("quarantined", "not for us")]


def test_a_dead_letter_is_sent_back_with_a_line_that_says_why(site: Site):
    letter = dead_letter(site, "two")
    chosen = {"ids": [letter["id"]], "reason": "mended"}

    moved = site.request("POST", "/v1/lanes/live/dead-letters/redrive", chosen)

    drop = letter["drops"][0]["drop"]
    assert moved.json == {"processed": 1}
    assert site.request("GET", f"/v1/drops/{drop}?wait=20").json["state"] == "rejected"
    assert drop_notes(site, drop) == [("redriven", "mended")]


def test_a_dead_letter_says_which_drop_is_suspected(site: Site):
    drop = compute_drop_id("job", "four", "nothing")
    suspicion = {"vigil-suspect-drop": {"DataType": "String", "StringValue": f"2 {drop}"}}

    letter = dead_letter(site, "four", MessageAttributes=suspicion)
    site.request("POST", "/v1/lanes/live/dead-letters/redrive", {"ids": [letter["id"]]})

    assert letter["suspect_drop"] == letter["drops"][0]["drop"] == drop


def test_a_dead_letter_stays_while_a_worker_holds_its_drop(site: Site):
    letter = dead_letter(site, "three")
    drop = letter["drops"][0]["drop"]
    held = {"pk": {"S": f"drop#{drop}"}, "sk": {"S": "drop"}, "drop_id": {"S": drop}, "attempts": {"N": "1"}}
    until = {"until": {"N": str(time.time() + 60)}, "state": {"S": "claimed"}, "owner": {"S": "a worker"}}
    table = {"TableName": site.cloud.outputs["RecordsTable"]}
    site.cloud.client("dynamodb").put_item(**table, Item=held | until)

    moved = site.request("POST", "/v1/lanes/live/dead-letters/quarantine", {"ids": [letter["id"]]})
    wait_for_reload()
    left = [one["id"] for one in site.request("GET", "/v1/lanes/live/dead-letters").json["items"]]
    site.cloud.client("dynamodb").delete_item(**table, Key={"pk": held["pk"], "sk": held["sk"]})
    wait_for_reload()
    site.request("POST", "/v1/lanes/live/dead-letters/redrive", {"ids": [letter["id"]]})

    assert (moved.json, left, drop_notes(site, drop)) == (
        {"processed": 0},
        [letter["id"]],
        [("redriven", "by hand")],
    )


def test_a_back_fill_goes_on_at_no_cursor_but_its_own(site: Site):
    forged = site.request("POST", "/v1/backfill", {"model": "faces", "cursor": '["live/", ""]'})

    assert (forged.status, forged.json["type"]) == (400, "urn:vigil:problem:invalid-cursor")


def test_a_write_that_is_repeated_with_its_key_happens_once(site: Site):
    key, name = {"Idempotency-Key": uuid.uuid4().hex}, uuid.uuid4().hex

    first = site.request("POST", "/v1/people", {"name": name}, headers=key)
    again = site.request("POST", "/v1/people", {"name": name}, headers=key)
    other = site.request("POST", "/v1/people", {"name": name + "x"}, headers=key)

    assert (first.status, again.status, again.json) == (201, 201, first.json)
    assert other.status == 409


def test_the_audit_log_is_whole_and_can_be_read(site: Site, alert: Any):
    here = ["--data", str(site.data)]

    site.cloud.client("lambda").invoke(
        FunctionName="vigil-api-audit-checkpoint", Payload=json.dumps(SCHEDULED_EVENT).encode()
    )
    whole = CliRunner().invoke(app, ["ops", "audit", "verify", *here])
    shown = CliRunner().invoke(app, ["ops", "audit", "show", *here])

    assert (whole.exit_code, "whole" in whole.output, "checkpoint of" in whole.output) == (0, True, True)
    assert "get-drop" in shown.output


def dead_letter(site: Site, name: str, **more: Any) -> dict[str, Any]:
    """A job without a picture, dead in the live lane, as the API lists it."""
    body = f'{{"model": "nothing", "data": "", "id": "{name}"}}'
    place = site.cloud.outputs["LiveDeadLettersUrl"]
    site.cloud.client("sqs").send_message(QueueUrl=place, MessageBody=body, **more)
    (letter,) = site.request("GET", "/v1/lanes/live/dead-letters").json["items"]
    wait_for_reload()
    found: dict[str, Any] = letter
    return found


def drop_notes(site: Site, drop: str) -> list[tuple[str, str]]:
    """What the ledger says was done with a drop's messages, and why."""
    return [(one["action_taken"], one["reason"]) for one in site.cloud.records.notes(drop)]
