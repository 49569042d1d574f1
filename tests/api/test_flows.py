"""What people do with the API, on real photographs, through what ships."""

import base64
import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from typer.testing import CliRunner
from urllib3.filepost import encode_multipart_formdata

from functions.api.wiring import TICK
from infra.cli.__main__ import app
from tests.api.conftest import PHOTOS, Site, noticed
from vigil.drops import drop_id

OBAMA = (PHOTOS / "obama2.jpg").read_bytes()
TWO_REVIEWERS = """
[[rules]]
name = "watch-listed"
severity = "critical"
reviewers = 2
window_s = 1
when = { tags = ["watch"] }
"""


def test_a_photo_that_was_uploaded_is_a_drop_with_its_sightings(site: Site):
    drop = site.dropped(OBAMA, "hall")

    assert (drop["state"], drop["source"], drop["attempts"]) == ("done", "hall", 1)
    assert [one["status"] for one in drop["sightings"]] == ["unknown"]
    assert site.http.request("GET", drop["photo_url"]).data == OBAMA


@pytest.mark.parametrize(
    ("photo", "media", "status"), [(b"<html>", "text/html", 403), (bytes(20_000_001), "image/jpeg", 400)]
)
def test_an_upload_form_takes_neither_another_type_nor_more_bytes(
    site: Site, photo: bytes, media: str, status: int
):
    form = site.ask("POST", "/v1/uploads", {"source": "bound"}).json
    fields = {**form["fields"], "Content-Type": media, "file": ("a.jpg", photo, media)}

    assert site.http.request("POST", form["url"], fields=fields).status == status
    assert "drop" not in site.ask("GET", f"/v1/uploads/{form['upload']}").json


def test_a_list_is_read_to_its_end_in_pages_that_neither_repeat_nor_lose(site: Site):
    made = {site.dropped(OBAMA, "pages")["drop"] for _ in range(3)}
    seen: list[str] = []
    cursor = ""
    for _ in range(10):
        told = site.ask("GET", f"/v1/drops?source=pages&limit=2{cursor}").json
        seen += [one["drop"] for one in told["items"]]
        if "next" not in told:
            break
        cursor = f"&cursor={told['next']}"

    assert sorted(seen) == sorted(made)


@pytest.mark.parametrize("kind", ["drops", "sightings", "alerts"])
def test_a_list_ends_before_the_moment_that_is_asked_for(site: Site, alert: Any, kind: str):
    at = datetime.fromisoformat(alert["at"])
    after, until = (quote((at + timedelta(seconds=s)).isoformat()) for s in (1, 0))

    there = site.ask("GET", f"/v1/{kind}?source=gate-1&until={after}").json["items"]
    gone = site.ask("GET", f"/v1/{kind}?source=gate-1&until={until}").json["items"]

    assert alert["drop"] in [one["drop"] for one in there]
    assert alert["drop"] not in [one["drop"] for one in gone]


def test_an_enrolled_person_is_recognised_and_their_sightings_are_found(site: Site, biden: str, alert: Any):
    told = site.ask("GET", f"/v1/sightings?person={biden}").json["items"]

    assert {one["person"] for one in told} == {biden}
    assert alert["subject"] == biden


@pytest.mark.parametrize(
    ("body", "reason"),
    [(b"no picture", "not-an-image"), ((PHOTOS / "biden.jpg").read_bytes(), "already-enrolled")],
)
def test_a_photo_that_will_not_do_is_refused_with_the_reason(
    site: Site, biden: str, body: bytes, reason: str
):
    other = site.ask("POST", "/v1/people", {"name": uuid.uuid4().hex}).json["person"]

    refusal = site.ask("POST", f"/v1/people/{other}/photos", body, media="image/jpeg")

    assert (refusal.status, refusal.json["reason"]) == (422, reason)
    assert ("boxes_px" in refusal.json) == (reason == "already-enrolled")


def test_a_name_is_one_persons_and_can_be_changed(site: Site):
    name, other = uuid.uuid4().hex, uuid.uuid4().hex
    person = site.ask("POST", "/v1/people", {"name": name}).json["person"]

    again = site.ask("POST", "/v1/people", {"name": name.upper()})
    site.ask("PATCH", f"/v1/people/{person}", {"name": other})

    assert again.status == 409
    assert site.ask("GET", f"/v1/people/{person}").json["name"] == other
    assert site.ask("POST", "/v1/people", {"name": name}).status == 201


def test_where_a_rule_asks_for_two_reviewers_one_does_not_close_an_alert(site: Site, biden: str):
    before = site.ask("GET", "/v1/rules").json
    put = site.ask("PUT", "/v1/rules", {"toml": TWO_REVIEWERS, "version": before["version"]})
    noticed()
    drop = site.dropped((PHOTOS / "biden.jpg").read_bytes(), "two")
    (alert,) = site.ask("GET", "/v1/alerts?source=two").json["items"]
    path, verdict = f"/v1/alerts/{alert['alert']}/reviews", {"verdict": "confirm"}

    first = site.ask("POST", path, verdict, token=site.token("reviewer", subject="ann")).json
    same = site.ask("POST", path, verdict, token=site.token("reviewer", subject="ann"))
    second = site.ask("POST", path, verdict, token=site.token("reviewer", subject="bob")).json
    site.ask("PUT", "/v1/rules", {"toml": before["toml"]})
    noticed()

    assert (put.status, drop["alerts"], alert["reviewers"]) == (200, 1, 2)
    assert (first["review"], same.status, second["review"]) == ("open", 409, "confirmed")


def test_what_was_dismissed_is_not_raised_again_for_a_while(site: Site, biden: str):
    site.dropped((PHOTOS / "biden.jpg").read_bytes(), "calm")
    (alert,) = site.ask("GET", "/v1/alerts?source=calm").json["items"]
    site.ask("POST", f"/v1/alerts/{alert['alert']}/reviews", {"verdict": "dismiss"})

    again = site.dropped((PHOTOS / "biden.jpg").read_bytes(), "calm")

    assert again["alerts"] == 0


def test_a_dry_run_tells_what_rules_would_raise_without_raising_it(site: Site, alert: Any):
    told = site.ask("POST", "/v1/rules/dry-run", {"toml": TWO_REVIEWERS}).json

    (rule,) = told["rules"]
    assert rule["sightings"] >= 1
    assert rule["alerts"] >= 1


@pytest.mark.parametrize("toml", ["x =", '[[rules]]\nname = "a"\nseverity = "loud"\n', "[doors]\n"])
def test_rules_that_cannot_be_meant_are_refused_and_the_old_ones_stay(site: Site, toml: str):
    before = site.ask("GET", "/v1/rules").json

    refusal = site.ask("PUT", "/v1/rules", {"toml": toml})

    assert (refusal.status, refusal.json["reason"]) == (422, "bad-watch-file")
    assert site.ask("GET", "/v1/rules").json == before


def test_a_dry_run_counts_no_alert_of_a_source_that_is_not_the_callers(site: Site, alert: Any):
    rules = f'[[rules]]\nname = "{alert["rule"]}"\nwhen = {{ status = ["known"] }}\n'
    guard = site.token("operator", "elsewhere-*", subject="elsewhere")

    (everywhere,) = site.ask("POST", "/v1/rules/dry-run", {"toml": rules}).json["rules"]
    (theirs,) = site.ask("POST", "/v1/rules/dry-run", {"toml": rules}, token=guard).json["rules"]

    assert everywhere["now"] >= 1
    assert (theirs["sightings"], theirs["now"]) == (0, 0)


@pytest.mark.parametrize("path", ["/v1/predict/faces", "/v1/sightings/search"])
def test_a_picture_that_is_no_base64_is_the_callers_fault(site: Site, path: str):
    refusal = site.ask("POST", path, {"image": "%%%not base64"})

    assert (refusal.status, refusal.json["detail"]) == (400, "image is not base64")


def test_a_back_fill_goes_on_at_no_cursor_but_its_own(site: Site):
    forged = site.ask("POST", "/v1/backfill", {"model": "faces", "cursor": '["live/", ""]'})

    assert (forged.status, forged.json["type"]) == (400, "urn:vigil:problem:bad-cursor")


def test_predicting_stores_nothing(site: Site, biden: str):
    def drops() -> list[str]:
        return [one["drop"] for one in site.ask("GET", "/v1/drops?limit=100").json["items"]]

    before = drops()

    told = site.ask("POST", "/v1/predict/faces", (PHOTOS / "biden.jpg").read_bytes(), media="image/jpeg").json

    assert [one["label"] for one in told["sightings"]] == [biden]
    assert drops() == before


def test_a_form_a_reference_and_base64_predict_the_same(site: Site, biden: str):
    photo = (PHOTOS / "biden.jpg").read_bytes()
    drop = site.dropped(photo, "same")
    body, media = urllib3_form(photo)
    row = site.cloud.records.drop(drop["drop"])
    assert row is not None

    told = [
        site.ask("POST", "/v1/predict/faces", body, media=media),
        site.ask("POST", "/v1/predict/faces", {"image": base64.b64encode(photo).decode()}),
        site.ask("POST", "/v1/predict/faces", {"object": {"key": row["origin"]["key"]}}),
    ]

    assert [one.status for one in told] == [200, 200, 200]
    assert len({str(one.json["sightings"]) for one in told}) == 1


def test_a_flood_of_predictions_is_shed_with_a_time_to_come_back(site: Site, biden: str):
    photo = (PHOTOS / "biden.jpg").read_bytes()
    with ThreadPoolExecutor(12) as threads:
        asked = [
            threads.submit(site.ask, "POST", "/v1/predict/faces", photo, media="image/jpeg")
            for _ in range(24)
        ]
        answers = [one.result() for one in asked]

    shed = [one for one in answers if one.status == 429]
    assert {one.status for one in answers} == {200, 429}
    assert {(one.json["type"], one.headers["Retry-After"]) for one in shed} == {
        ("urn:vigil:problem:busy", "2")
    }


def urllib3_form(photo: bytes) -> tuple[bytes, str]:
    return encode_multipart_formdata({"file": ("p.jpg", photo, "image/jpeg")})


def test_a_batch_becomes_drops_of_the_bulk_lane(site: Site):
    drop = site.dropped(OBAMA, "batch")
    row = site.cloud.records.drop(drop["drop"])
    assert row is not None
    reference = {"key": row["origin"]["key"]}

    told = site.ask("POST", "/v1/predict/faces/batch", {"source": "batch", "objects": [reference]})

    (queued,) = told.json["drops"]
    assert told.status == 202
    assert site.ask("GET", f"/v1/drops/{queued}?wait=20").json["state"] == "done"


def test_a_lane_that_was_paused_lets_messages_wait_until_it_is_resumed(site: Site):
    site.ask("POST", "/v1/lanes/bulk/pause")
    status = {one["lane"]: one for one in site.ask("GET", "/v1/status").json["lanes"]}

    site.ask("POST", "/v1/lanes/bulk/resume")
    after = {one["lane"]: one for one in site.ask("GET", "/v1/status").json["lanes"]}

    assert (status["bulk"]["paused"], status["bulk"]["running"]) == (True, False)
    assert (after["bulk"]["paused"], after["bulk"]["running"]) == (False, True)


def test_dead_letters_are_listed_with_evidence_and_set_aside_for_a_reason(site: Site):
    letter = dead_letter(site, "one")
    chosen = {"letters": [letter["letter"]], "why": "not for us"}

    moved = site.ask("POST", "/v1/lanes/live/dead-letters/quarantine", chosen)

    drop = letter["drops"][0]["drop"]
    assert moved.json == {"letters": 1}
    assert site.ask("GET", f"/v1/drops/{drop}").json["state"] == "quarantined"
    assert site.ask("GET", "/v1/lanes/live/dead-letters").json == {"items": []}
    assert lines(site, drop) == [("quarantined", "not for us")]


def test_a_dead_letter_is_sent_back_with_a_line_that_says_why(site: Site):
    letter = dead_letter(site, "two")
    chosen = {"letters": [letter["letter"]], "why": "mended"}

    moved = site.ask("POST", "/v1/lanes/live/dead-letters/redrive", chosen)

    drop = letter["drops"][0]["drop"]
    assert moved.json == {"letters": 1}
    assert site.ask("GET", f"/v1/drops/{drop}?wait=20").json["state"] == "rejected"
    assert lines(site, drop) == [("redriven", "mended")]


def test_a_dead_letter_says_which_drop_is_suspected(site: Site):
    drop = drop_id("job", "four", "nothing")
    suspicion = {"vigil-suspicion": {"DataType": "String", "StringValue": f"2 {drop}"}}

    letter = dead_letter(site, "four", MessageAttributes=suspicion)
    site.ask("POST", "/v1/lanes/live/dead-letters/redrive", {"letters": [letter["letter"]]})

    assert letter["suspected"] == letter["drops"][0]["drop"] == drop


def test_a_dead_letter_stays_while_a_worker_holds_its_drop(site: Site):
    letter = dead_letter(site, "three")
    drop = letter["drops"][0]["drop"]
    held = {"pk": {"S": f"drop#{drop}"}, "sk": {"S": "drop"}, "drop_id": {"S": drop}, "attempts": {"N": "1"}}
    until = {"until": {"N": str(time.time() + 60)}, "state": {"S": "claimed"}, "owner": {"S": "a worker"}}
    table = {"TableName": site.cloud.outputs["RecordsTable"]}
    site.cloud.client("dynamodb").put_item(**table, Item=held | until)

    moved = site.ask("POST", "/v1/lanes/live/dead-letters/quarantine", {"letters": [letter["letter"]]})
    noticed()
    left = [one["letter"] for one in site.ask("GET", "/v1/lanes/live/dead-letters").json["items"]]
    site.cloud.client("dynamodb").delete_item(**table, Key={"pk": held["pk"], "sk": held["sk"]})
    noticed()
    site.ask("POST", "/v1/lanes/live/dead-letters/redrive", {"letters": [letter["letter"]]})

    assert (moved.json, left, lines(site, drop)) == (
        {"letters": 0},
        [letter["letter"]],
        [("redriven", "by hand")],
    )


def dead_letter(site: Site, name: str, **more: Any) -> dict[str, Any]:
    """A job without a picture, dead in the live lane, as the API lists it."""
    body = f'{{"model": "nothing", "data": "", "id": "{name}"}}'
    place = site.cloud.outputs["LiveDeadLettersUrl"]
    site.cloud.client("sqs").send_message(QueueUrl=place, MessageBody=body, **more)
    (letter,) = site.ask("GET", "/v1/lanes/live/dead-letters").json["items"]
    noticed()
    found: dict[str, Any] = letter
    return found


def lines(site: Site, drop: str) -> list[tuple[str, str]]:
    """What the ledger says was done with a drop's messages, and why."""
    return [(one["deed"], one["why"]) for one in site.cloud.records.notes(drop)]


def test_a_write_that_is_repeated_with_its_key_happens_once(site: Site):
    key, name = {"Idempotency-Key": uuid.uuid4().hex}, uuid.uuid4().hex

    first = site.ask("POST", "/v1/people", {"name": name}, headers=key)
    again = site.ask("POST", "/v1/people", {"name": name}, headers=key)
    other = site.ask("POST", "/v1/people", {"name": name + "x"}, headers=key)

    assert (first.status, again.status, again.json) == (201, 201, first.json)
    assert other.status == 409


def test_a_subscription_is_bound_to_what_its_owner_may_see(site: Site):
    token = site.token("operator", "door-*", subject="guard")
    hook = {"url": "https://127.0.0.1:1/hook", "types": ["vigil.drop.quarantined"]}

    made = site.ask("POST", "/v1/subscriptions", hook, token=token)
    foreign = site.ask("POST", "/v1/subscriptions", hook | {"sources": ["vault"]}, token=token)
    gone = site.ask("DELETE", f"/v1/subscriptions/{made.json['subscription']}", token=token)

    assert site.ask("GET", "/v1/subscriptions", token=token).json == {"items": []}
    assert made.json["filter"] == {"type": ["vigil.drop.quarantined"], "source": [{"prefix": "door-"}]}
    assert (foreign.status, gone.status) == (403, 204)


@pytest.mark.parametrize(
    ("types", "severity"),
    [
        (["vigil.alert.raised"], ["critical"]),
        (["vigil.alert.raised", "vigil.drop.quarantined"], ["critical", {"exists": False}]),
    ],
)
def test_severities_are_of_alerts_and_keep_no_drops_from_being_told(site: Site, types: Any, severity: Any):
    hook = {"url": "https://127.0.0.1:1/hook", "types": types, "severities": ["critical", "critical"]}

    made = site.ask("POST", "/v1/subscriptions", hook).json
    site.ask("DELETE", f"/v1/subscriptions/{made['subscription']}")

    assert made["filter"] == {"type": types, "severity": severity}


def test_a_subscription_with_more_combinations_than_sns_takes_is_refused_with_a_way_out(site: Site):
    hook = {
        "url": "https://127.0.0.1:1/hook",
        "types": ["vigil.alert.raised", "vigil.drop.done"],
        "severities": ["warning", "critical"],
        "sources": [f"door-{number}" for number in range(26)],
    }

    refused = site.ask("POST", "/v1/subscriptions", hook)

    assert (refused.status, refused.json["reason"]) == (422, "too-many-combinations")
    assert "several subscriptions" in refused.json["detail"]


def test_a_subscription_is_its_makers_to_see_and_to_end_and_an_admins(site: Site):
    ann, bob = (site.token("operator", subject=name) for name in ("subscriber-ann", "subscriber-bob"))
    made = site.ask("POST", "/v1/subscriptions", {"url": "https://127.0.0.1:1/secret"}, token=ann).json
    path = f"/v1/subscriptions/{made['subscription']}"

    own = site.ask("GET", "/v1/subscriptions", token=ann).json["items"]
    others = site.ask("GET", "/v1/subscriptions", token=bob).json["items"]
    refused = [site.ask(method, path, token=bob).status for method in ("GET", "DELETE")]
    admins = site.ask("GET", path)
    ended = [site.ask("DELETE", path, token=token).status for token in (ann, ann)]

    assert own == [made]
    assert (others, refused) == ([], [404, 404])
    assert (admins.status, admins.json) == (200, made)
    assert ended == [204, 404]


def test_the_command_line_lists_people_reviews_and_erases(site: Site, biden: str, tmp_path: Path):
    person = str(site.ask("POST", "/v1/people", {"name": uuid.uuid4().hex}).json["person"])
    site.dropped((PHOTOS / "biden.jpg").read_bytes(), "desk")
    (alert,) = site.ask("GET", "/v1/alerts?source=desk").json["items"]
    here = ["--data", str(site.data)]
    runner = CliRunner()

    listed = runner.invoke(app, ["people", *here])
    decided = runner.invoke(app, ["review", alert["alert"], "not-this-person", *here])
    again = runner.invoke(app, ["review", alert["alert"], "confirm", *here])
    erased = runner.invoke(app, ["erase", person, "--receipt", str(tmp_path / "r.json"), *here])

    assert (listed.exit_code, biden in listed.output) == (0, True)
    assert (decided.exit_code, "not-this-person" in decided.output, again.exit_code) == (0, True, 2)
    assert (erased.exit_code, site.ask("GET", f"/v1/people/{person}").status) == (0, 404)


def test_the_audit_log_is_whole_and_can_be_read(site: Site, alert: Any):
    here = ["--data", str(site.data)]

    site.cloud.client("lambda").invoke(FunctionName="vigil-api-checkpoint", Payload=json.dumps(TICK).encode())
    whole = CliRunner().invoke(app, ["audit", "verify", *here])
    shown = CliRunner().invoke(app, ["audit", "show", *here])

    assert (whole.exit_code, "whole" in whole.output, "checkpoint of" in whole.output) == (0, True, True)
    assert "get-drop" in shown.output


def test_strangers_are_searched_by_photo_where_their_source_remembers_them_and_forgotten_with_them(
    site: Site,
):
    before = site.ask("GET", "/v1/rules").json["toml"]
    lobby = '\n[sources.lobby]\nremember = true\narea = "restricted"\n'
    site.ask("PUT", "/v1/rules", {"toml": before + lobby})
    noticed()
    seen = [site.dropped(OBAMA, source)["drop"] for source in ("lobby", "yard")]
    site.ask("PUT", "/v1/rules", {"toml": before})
    photo = (PHOTOS / "obama3.jpg").read_bytes()

    found = site.ask("POST", "/v1/sightings/search", photo, media="image/jpeg").json["items"]
    pictures = [
        site.http.request("GET", one["thumbnail_url"], headers={"Accept": "image/jpeg"}).status
        for one in found
    ]
    others = site.ask(
        "POST", "/v1/sightings/search", photo, media="image/jpeg", token=site.token("reviewer", "door-*")
    )
    nobody = site.ask("POST", "/v1/sightings/search", b"no picture", media="image/jpeg")
    person = site.enrolled("remembered", "obama.jpg")
    receipt = site.ask("DELETE", f"/v1/people/{person}").json["receipt"]
    after = site.ask("POST", "/v1/sightings/search", photo, media="image/jpeg").json["items"]

    assert ([one["drop"] for one in found], pictures) == ([seen[0]], [200])
    assert (others.json["items"], nobody.status) == ([], 422)
    assert (receipt["erased"]["faces"], after) == (2, []), "once in a sighting, once in a window of strangers"
